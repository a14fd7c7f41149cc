"""Reports for build servers: JUnit XML with a suite per group, and SARIF 2.1.0 (OASIS) with a rule per law.

Begin with `junit_xml` and `sarif_log`.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import orjson

from generators.oracles.facts import fact_sentences
from generators.reports.model import STATUS_TEXTS, Evidence, Report, Row, evidence_text, fact_json

NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(report: Report) -> bytes:
    """Return the report as JUnit XML; failed rows are failures, rows without a verdict are skipped."""
    root = Element("testsuites", _suite_counts(report.rows, report.title, failure=report.failure))
    if report.failure:
        suite = SubElement(root, "testsuite", _suite_counts((), "bulkproof", failure=report.failure))
        case = SubElement(suite, "testcase", {"classname": "bulkproof", "name": "the run", "time": "0"})
        SubElement(case, "error", {"type": "error", "message": _xml_text(report.failure)}).text = _xml_text(
            report.failure
        )
    for group, rows in report.groups.items():
        suite = SubElement(root, "testsuite", _suite_counts(rows, group))
        if report.facts:
            known = SubElement(suite, "properties")
            for name, value in report.facts:
                SubElement(known, "property", {"name": _xml_text(name), "value": _xml_text(value)})
        for row in rows:
            _add_case(suite, row)
    indent(root)
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _suite_counts(rows: tuple[Row, ...], name: str, *, failure: str = "") -> dict[str, str]:
    failed = sum(row.status == "failed" for row in rows)
    kept = sum(row.status == "passed" for row in rows)
    skipped, errors = len(rows) - failed - kept, int(bool(failure))
    numbers = {"tests": len(rows) + errors, "failures": failed, "errors": errors, "skipped": skipped, "time": 0}
    return {"name": _xml_text(name), **{word: str(number) for word, number in numbers.items()}}


def _add_case(suite: Element, row: Row) -> None:
    case = SubElement(suite, "testcase", {"classname": _xml_text(row.group), "name": _xml_text(row.id), "time": "0"})
    if row.status == "failed":
        if row.fingerprint:
            about = SubElement(case, "properties")
            SubElement(about, "property", {"name": "cause", "value": _xml_text(row.cause or row.fingerprint)})
        failure = SubElement(case, "failure", {"type": "failed", "message": _xml_text(row.detail or row.says)})
        told = [row.detail, *(f"{label}: {words}" for label, words in row.sentences)]
        failure.text = _xml_text(
            "\n".join([*([] if row.calls else [row.says]), *told, *map(evidence_text, row.evidence)])
        )
    elif row.status != "passed":
        skipped = SubElement(case, "skipped", {"message": _xml_text(_skip_reason(row))})
        if row.sentences:
            skipped.text = _xml_text("\n".join(f"{label}: {words}" for label, words in row.sentences))
    elif row.detail:
        SubElement(case, "system-out").text = _xml_text(row.detail)


def _skip_reason(row: Row) -> str:
    if row.status in FINDING_STATUSES:
        return " ".join([f"{row.status}: {row.detail or row.says}", *fact_sentences(row.facts)])
    return row.detail or STATUS_TEXTS[row.status]


def _xml_text(text: str) -> str:
    return NOT_XML.sub("�", text)


SARIF_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
SARIF_KINDS: Final[Mapping[str, str]] = {
    "passed": "pass",
    "failed": "fail",
    "warning": "fail",
    "flaky": "review",
    "known": "fail",
    "not-run": "open",
    "not-applicable": "notApplicable",
}
SARIF_LEVELS: Final[Mapping[str, str]] = {"failed": "error", "warning": "warning", "flaky": "none", "known": "error"}
FINDING_STATUSES: Final = frozenset(SARIF_LEVELS)
MAX_LOCATION_CHARS: Final = 200  # of a location's name


def sarif_log(report: Report) -> bytes:
    """Return the report as a SARIF 2.1.0 log with one run; evidence becomes logical locations."""
    names = list(dict.fromkeys(map(_rule_id, report.rows)))
    place = {name: index for index, name in enumerate(names)}
    says = {_rule_id(row): row.says for row in report.rows}
    driver = {
        "name": "Bulkproof",
        "version": report.version,
        "rules": [{"id": name, "shortDescription": {"text": says[name]}} for name in names],
    }
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "automationDetails": {"description": {"text": report.title}},
        "results": [_result(row, place[_rule_id(row)]) for row in report.rows],
        "properties": dict(report.facts),
        "invocations": [_invocation(report)],
    }
    return orjson.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, option=orjson.OPT_INDENT_2)


def _invocation(report: Report) -> dict[str, Any]:
    """Return whether the run came to its end, and else why not."""
    if not report.failure:
        return {"executionSuccessful": True}
    told = {"level": "error", "message": {"text": report.failure}}
    return {"executionSuccessful": False, "toolExecutionNotifications": [told]}


def _rule_id(row: Row) -> str:
    return f"{row.group}/{row.id}"


def _result(row: Row, rule: int) -> dict[str, Any]:
    name = _rule_id(row)
    result: dict[str, Any] = {
        "ruleId": name,
        "ruleIndex": rule,
        "kind": SARIF_KINDS[row.status],
        "level": SARIF_LEVELS.get(row.status, "none"),
        "message": {"text": " ".join([row.detail or row.says, *fact_sentences(row.facts)])},
    }
    if row.status not in FINDING_STATUSES:
        return result
    if row.status == "known":
        result["suppressions"] = [{"kind": "external", "justification": "It is in the baseline."}]
    named = [_location(one) for one in row.evidence]
    own = row.fingerprint or sha256(name.encode()).hexdigest()[:32]
    return result | {
        "locations": [{"logicalLocations": named}] if named else [],
        "partialFingerprints": {"rule/v1": own, "cause/v1": row.cause or own},
        "properties": {
            "breaks": [fact_json(one) for one in row.facts],
            "calls": list(row.calls),
            "command": row.command,
            "since": row.since,
        },
    }


def _location(one: Evidence) -> dict[str, str]:
    if isinstance(one, int):
        return {"fullyQualifiedName": f"exchange {one}", "kind": "exchange"}
    return {"fullyQualifiedName": one.partition("\n")[0][:MAX_LOCATION_CHARS] or "evidence", "kind": "evidence"}
