"""Reports for people and for machines: a table, JUnit XML, SARIF, JSON lines, and a page of HTML.

Names are imported from their modules when they are first used, so that `import generators.reports` stays light.
"""

from typing import TYPE_CHECKING, Final

from contracts.lazily import names_of

if TYPE_CHECKING:
    from generators.reports.console import table
    from generators.reports.junit import junit_xml
    from generators.reports.lines import json_lines
    from generators.reports.model import Evidence, Report, Row, Status, summary
    from generators.reports.page import html_page
    from generators.reports.sarif import sarif_log

_HOME: Final = {
    "console": ("table",),
    "junit": ("junit_xml",),
    "lines": ("json_lines",),
    "model": ("Evidence", "Report", "Row", "Status", "summary"),
    "page": ("html_page",),
    "sarif": ("sarif_log",),
}

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

__getattr__ = names_of(__name__, _HOME)
