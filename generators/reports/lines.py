"""A report as JSON lines: the head, then each row."""

from typing import Final

import orjson

from generators.reports.model import Report

FIELDS: Final = ("group", "says", "status", "detail", "evidence", "fingerprint", "cause")


def json_lines(report: Report) -> bytes:
    """Return one JSON object a line: the first says what was judged and the counts, every other is a row."""
    head = {"report": report.title, "version": report.version, "facts": dict(report.facts), "counts": report.counts}
    rows = ({"row": row.id, **{name: getattr(row, name) for name in FIELDS}} for row in report.rows)
    return b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in (head, *rows))
