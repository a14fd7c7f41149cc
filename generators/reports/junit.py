"""A report as JUnit XML: a suite for each group, a case for each row."""

import re
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from generators.reports.model import WORDS, Report, Row, shown

NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(report: Report) -> bytes:
    """Return the report as an XML document; broken rows are failures, rows without a judgement are skipped."""
    root = Element("testsuites", _counted(report.rows, report.title))
    for group, rows in report.groups.items():
        suite = SubElement(root, "testsuite", _counted(rows, group))
        if report.facts:
            known = SubElement(suite, "properties")
            for name, value in report.facts:
                SubElement(known, "property", {"name": _fit(name), "value": _fit(value)})
        for row in rows:
            _add(suite, row)
    indent(root)
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _counted(rows: tuple[Row, ...], name: str) -> dict[str, str]:
    failed = sum(row.status == "failed" for row in rows)
    kept = sum(row.status == "passed" for row in rows)
    numbers = {"tests": len(rows), "failures": failed, "errors": 0, "skipped": len(rows) - failed - kept, "time": 0}
    return {"name": _fit(name), **{word: str(number) for word, number in numbers.items()}}


def _add(suite: Element, row: Row) -> None:
    case = SubElement(suite, "testcase", {"classname": _fit(row.group), "name": _fit(row.id), "time": "0"})
    if row.status == "failed":
        if row.fingerprint:
            about = SubElement(case, "properties")
            SubElement(about, "property", {"name": "cause", "value": _fit(row.cause or row.fingerprint)})
        failure = SubElement(case, "failure", {"type": "failed", "message": _fit(row.detail or row.says)})
        failure.text = _fit("\n".join([row.says, row.detail, *map(shown, row.evidence)]))
    elif row.status != "passed":
        SubElement(case, "skipped", {"message": _fit(_why(row))})
    elif row.detail:
        SubElement(case, "system-out").text = _fit(row.detail)


def _why(row: Row) -> str:
    if row.status in {"flaky", "known"}:
        return f"{row.status}: {row.detail or row.says}"
    return row.detail or WORDS[row.status]


def _fit(text: str) -> str:
    return NOT_XML.sub("�", text)
