"""A report as SARIF 2.1.0: a rule for each law, a result for each row."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import orjson

from generators.reports.model import Evidence, Report, Row

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
KINDS: Final[Mapping[str, str]] = {
    "passed": "pass",
    "failed": "fail",
    "flaky": "review",
    "known": "fail",
    "not-run": "open",
    "not-applicable": "notApplicable",
}
LEVELS: Final[Mapping[str, str]] = {"failed": "error", "flaky": "none", "known": "error"}
FINDINGS: Final = frozenset(LEVELS)
LONGEST: Final = 200  # characters of a location's name


def sarif_log(report: Report) -> bytes:
    """Return the report as a SARIF log of one run; evidence becomes logical locations."""
    names = list(dict.fromkeys(map(_rule_id, report.rows)))
    place = {name: index for index, name in enumerate(names)}
    says = {_rule_id(row): row.says for row in report.rows}
    driver = {
        "name": "Bulkproof",
        "version": report.version,
        "rules": [{"id": name, "shortDescription": {"text": says[name]}} for name in names],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"description": {"text": report.title}},
        "results": [_result(row, place[_rule_id(row)]) for row in report.rows],
        "properties": dict(report.facts),
    }
    return orjson.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, option=orjson.OPT_INDENT_2)


def _rule_id(row: Row) -> str:
    return f"{row.group}/{row.id}"


def _result(row: Row, rule: int) -> dict[str, Any]:
    name = _rule_id(row)
    result: dict[str, Any] = {
        "ruleId": name,
        "ruleIndex": rule,
        "kind": KINDS[row.status],
        "level": LEVELS.get(row.status, "none"),
        "message": {"text": row.detail or row.says},
    }
    if row.status not in FINDINGS:
        return result
    if row.status == "known":
        result["suppressions"] = [{"kind": "external", "justification": "It is in the baseline."}]
    named = [_location(one) for one in row.evidence]
    own = row.fingerprint or sha256(name.encode()).hexdigest()[:32]
    return result | {
        "locations": [{"logicalLocations": named}] if named else [],
        "partialFingerprints": {"rule/v1": own, "cause/v1": row.cause or own},
    }


def _location(one: Evidence) -> dict[str, str]:
    if isinstance(one, int):
        return {"fullyQualifiedName": f"exchange {one}", "kind": "exchange"}
    return {"fullyQualifiedName": one.partition("\n")[0][:LONGEST] or "evidence", "kind": "evidence"}
