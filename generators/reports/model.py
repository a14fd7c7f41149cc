"""A report: rows, each with the result of a law or check; exchanges as evidence; the JSON Lines format.

Begin with `Report` and `Row`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Final, Literal, TypeAlias
from urllib.parse import urlencode

import orjson

from contracts.messages import Exchange
from contracts.openapi.provenance import FactSource
from contracts.syntax.text import clipped, listed
from generators.oracles.facts import BrokenFact

Status: TypeAlias = Literal["passed", "failed", "warning", "flaky", "known", "not-run", "not-applicable"]
Evidence: TypeAlias = int | str

STATUS_TEXTS: Final[Mapping[Status, str]] = {
    "passed": "passed",
    "failed": "failed",
    "warning": "warning",
    "flaky": "flaky",
    "known": "known",
    "not-run": "not run",
    "not-applicable": "not applicable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The result of one law or check on its `group`: an API or an operation.

    `detail` is one sentence. `evidence` are numbers of exchanges, or texts of any number of lines. The status
    `known` is a violation that a baseline accepts, `flaky` one that replays did not reproduce, `warning` one that
    departs from an assumption alone. `facts` are what it breaks in the contract. `fingerprint` is stable across runs.
    `cause` is the fingerprint of the row with the same root cause, "" for itself.
    """

    id: str
    group: str
    says: str
    status: Status
    detail: str = ""
    evidence: tuple[Evidence, ...] = ()
    fingerprint: str = ""
    cause: str = ""
    facts: tuple[BrokenFact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Rows in reading order. `facts` are names and values shown above them.

    `failure` is the reason why the run ended before its time; its rows are what was found until then.
    """

    title: str
    version: str
    rows: tuple[Row, ...]
    facts: tuple[tuple[str, str], ...] = ()
    failure: str = ""

    @property
    def counts(self) -> Mapping[Status, int]:
        """The number of rows by status in the order of `STATUS_TEXTS`, without zeros."""
        found = Counter(row.status for row in self.rows)
        return {status: found[status] for status in STATUS_TEXTS if status in found}

    @property
    def groups(self) -> Mapping[str, tuple[Row, ...]]:
        """The rows by group, in the order of first occurrence."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.group, []).append(row)
        return {name: tuple(rows) for name, rows in found.items()}


def summary_text(report: Report) -> str:
    """Return the counts in words: `1 failed, 3 passed, 2 not run`."""
    return counts_text(report.rows) or "nothing judged"


BREAKING_STATUSES: Final = frozenset(("failed", "warning"))


def sources_text(report: Report) -> str:
    """Return how many facts of each source the findings break, as a sentence; "" without findings.

    A finding that rests on an assumption counts for that, whatever else it rests on; known and flaky ones do not count.
    """
    broken: dict[str, set[BrokenFact]] = {"http": set(), "stated": set(), "assumed": set(), "own": set()}
    for row in report.rows:
        if row.status in BREAKING_STATUSES and row.facts:
            assumed = [one for one in row.facts if one.assumed]
            for one in assumed or row.facts:
                kind = "http" if one.is_of_http else "own" if one.source is None else "assumed" if assumed else "stated"
                broken[kind].add(one)
    if not any(broken.values()):
        return ""
    said = [_counted(len(broken["http"]), "rule", "of HTTP")] if broken["http"] else []
    said += [_counted(len(broken["own"]), "statement", "of the document")] if broken["own"] else []
    if broken["stated"] or broken["assumed"]:
        said.append(_counted(len(broken["stated"]), "statement", "of the vendor"))
    departs = (
        f", departs from {len(broken['assumed'])} of our assumptions" if broken["stated"] or broken["assumed"] else ""
    )
    return f"Breaks {listed(said)}{departs}."


def _counted(number: int, noun: str, of: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'} {of}"


def counts_text(rows: Iterable[Row]) -> str:
    """Return the number of rows by status, failed ones first; "" for no rows."""
    counts = Counter(row.status for row in rows)
    ordered = sorted(counts, key=lambda status: (status not in BREAKING_STATUSES, [*STATUS_TEXTS].index(status)))
    return ", ".join(f"{counts[status]} {STATUS_TEXTS[status]}" for status in ordered)


def evidence_text(evidence: Evidence) -> str:
    """Return evidence as text; the number of an exchange is `#7`."""
    return f"#{evidence}" if isinstance(evidence, int) else evidence


MAX_BODY_CHARS: Final = 2_000  # of a body that are shown
SECRET_HEADERS: Final = frozenset(("authorization", "cookie", "proxy-authorization", "x-api-key"))
CONNECTION_HEADERS: Final = frozenset(
    ("accept-encoding", "connection", "content-length", "host", "transfer-encoding", "user-agent")
)


def exchange_text(exchange: Exchange, base: str) -> str:
    """Return an exchange in lines, with a curl command; paths are appended to `base`, credentials are hidden."""
    return "\n".join(_lines(exchange, base))


def _lines(exchange: Exchange, base: str) -> Iterator[str]:
    request, response = exchange.request, exchange.response
    number = f"#{exchange.n} " if exchange.n else ""
    yield f"{number}{request.method} {request.path} → {response.status or 'no answer'}"
    yield _command(exchange, base)
    if response.status:
        yield f"HTTP {response.status}"
        yield from (f"{name}: {value}" for name, value in response.headers)
        yield ""
        yield _body(response.body)


def _command(exchange: Exchange, base: str) -> str:
    request = exchange.request
    target = f"{base}{request.path}{f'?{urlencode(request.query)}' if request.query else ''}"
    words = ["curl", "-sS", "-i", *(["-X", request.method] if request.method != "GET" else []), quote(target)]
    words += [
        f"-H {quote(_header(name, value))}" for name, value in request.headers if name.lower() not in CONNECTION_HEADERS
    ]
    if len(request.body) > MAX_BODY_CHARS:
        words.append(f"# with a body of {len(request.body)} bytes: {clipped(_text(request.body), MAX_BODY_CHARS)}")
    elif request.body:
        words.append(f"--data-binary {quote(_text(request.body))}")
    return " ".join(words)


def _header(name: str, value: str) -> str:
    return f"{name}: {'HIDDEN' if name.lower() in SECRET_HEADERS else value}"


def _body(body: bytes) -> str:
    return clipped(_text(body), MAX_BODY_CHARS)


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


ROW_FIELDS: Final = ("group", "says", "status", "detail", "evidence", "fingerprint", "cause")


def json_lines(report: Report) -> bytes:
    """Return one JSON object per line: first the report's title and counts, then each row."""
    head = {"report": report.title, "version": report.version, "facts": dict(report.facts), "counts": report.counts}
    head |= {"error": report.failure} if report.failure else {}
    head |= {"summary": f"{summary_text(report)}. {sources_text(report)}".strip()}
    rows = ({"row": row.id, **{name: getattr(row, name) for name in ROW_FIELDS}, **_breaks(row)} for row in report.rows)
    return b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in (head, *rows))


def _breaks(row: Row) -> dict[str, list[dict[str, str]]]:
    """Return the facts that a row breaks as JSON."""
    return {"breaks": [fact_json(one) for one in row.facts]}


def fact_json(fact: BrokenFact) -> dict[str, str]:
    """Return a fact as a JSON object; what no source is named for, the document itself states."""
    told = fact.source or FactSource(says="stated")
    return {"place": fact.place, "says": told.says, "page": told.page, "note": told.note}
