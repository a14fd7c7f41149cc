"""The control call that judges the clients of a sandbox."""

from collections.abc import Callable, Mapping
from typing import Final

import orjson

from contracts.media import is_json
from contracts.messages import ABSENT, Headers, Reply
from generators.reports import Report, html_page, junit_xml, sarif_log
from mockserver.conduct.verdict import as_json, judge, report_of
from mockserver.control.desk import Desk, instant
from mockserver.turn import Turn

WRITERS: Final[Mapping[str, tuple[str, Callable[[Report], bytes]]]] = {
    "html": ("text/html; charset=utf-8", html_page),
    "junit": ("application/xml", junit_xml),
    "sarif": ("application/sarif+json", sarif_log),
}


def get_verdict(desk: Desk, turn: Turn) -> Reply:
    """Judge the clients of a sandbox by its journal."""
    sandbox = desk.sandbox(turn)
    journal = sandbox.journal
    told = as_json(judge(sandbox.name, desk.apis.values(), journal.after(0, len(journal))))
    writer = WRITERS.get(str(turn.query.get("format")))
    if writer is None:
        return Reply.of(200, told)
    facts = [("exchanges", str(len(journal))), ("clock", instant(sandbox.now(turn.now))), ("seed", str(sandbox.seed))]
    return _written(*writer, report_of(told, facts))


def _written(media_type: str, write: Callable[[Report], bytes], report: Report) -> Reply:
    body = write(report)
    data = orjson.loads(body) if is_json(media_type) else ABSENT
    return Reply(status=200, headers=Headers((("Content-Type", media_type),)), body=body, data=data)
