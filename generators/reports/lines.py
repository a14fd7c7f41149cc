"""A report as JSON lines: the head, then each row."""

import orjson

from generators.reports.model import Report


def json_lines(report: Report) -> bytes:
    """Return one JSON object a line: the first says what was judged and the counts, every other is a row."""
    head = {"report": report.title, "version": report.version, **dict(report.facts), "counts": report.counts}
    rows = ({"row": row.id, **{name: getattr(row, name) for name in FIELDS}} for row in report.rows)
    return b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in (head, *rows))


FIELDS = ("group", "says", "status", "detail", "evidence")
