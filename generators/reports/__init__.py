"""Reports for people and for machines: a table, JUnit XML, SARIF, JSON lines, and a page of HTML."""

from generators.reports.console import table
from generators.reports.junit import junit_xml
from generators.reports.lines import json_lines
from generators.reports.model import Evidence, Report, Row, Status, summary
from generators.reports.page import html_page
from generators.reports.sarif import sarif_log

__all__ = [
    "Evidence",
    "Report",
    "Row",
    "Status",
    "html_page",
    "json_lines",
    "junit_xml",
    "sarif_log",
    "summary",
    "table",
]
