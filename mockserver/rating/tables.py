"""What a rating came to in words: lines as it goes, a summary, Markdown to paste, and JSON."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from mockserver.rating.results import Healthy, Rating, Round, Row, Sums, ours, plain

FORMAT: Final = "bulkproof-self-test/1"
WIDTH: Final = 22
NAME: Final = "schemathesis"


def row_line(row: Row) -> str:
    """Return one bug in a line."""
    line = f"{row.bug.name:<{WIDTH}} {_round(row.ours)}"
    return line if row.plain is None else f"{line:<{WIDTH + 54}} {NAME}: {_round(row.plain)}"


def _round(one: Round) -> str:
    return f"{one.word:<11} {one.seconds:6.2f} s  {one.first.short if one.first is not None else ''}".rstrip()


def healthy_lines(rating: Rating) -> Iterator[str]:
    """Yield what was made of the healthy sandbox."""
    for name, one in (("campaign", rating.healthy), (NAME, rating.plain)):
        if one is not None:
            yield f"{rating.api}, healthy, {name}: {_alarms(one)} in {one.seconds:.0f} s and {one.calls} calls."
    for alarm in rating.healthy.alarms if rating.healthy is not None else ():
        yield f"  false alarm after {alarm.seconds:.2f} s: {alarm.short}: {alarm.says}"


def _alarms(one: Healthy) -> str:
    return _count(len(one.alarms), "false alarm")


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def summary(rating: Rating) -> Iterator[str]:
    """Yield what it all came to."""
    yield f"{rating.api}, campaign: {_sums(ours(rating))}; {_count(len(rating.alarms), 'false alarm')}."
    beside = plain(rating)
    if beside is not None and rating.plain is not None:
        yield f"{rating.api}, {NAME}: {_sums(beside)}; {_alarms(rating.plain)}."
    for row in rating.rows:
        if row.ours.word != "found":
            yield f"  {row.ours.word}: {row.bug.name} ({row.bug.law}): {row.bug.says}"
    left = len(rating.planned) - len(rating.rows)
    if left:
        yield f"  {_count(left, 'bug')} of {len(rating.planned)} not tried."
    for why, bugs in rating.left_out.items():
        yield f"  not counted, since {why}: {', '.join(bug.name for bug in bugs)}."


def _sums(one: Sums) -> str:
    told = f"found {one.found} of {one.of} ({one.share:.0f} %)"
    return told if one.median is None else f"{told}, median {one.median:.2f} s, longest {one.longest:.2f} s"


def markdown(rating: Rating) -> str:
    """Return a section with a table of all bugs."""
    beside = rating.plain is not None
    columns: Sequence[tuple[str, Callable[[Row], str]]] = (*OWN, *(BESIDE if beside else ()))
    head = [name for name, _ in columns]
    rows = [[cell(row) for _, cell in columns] for row in rating.rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))
    title = f"## {rating.api}: {rating.seconds:g} s a bug, seed {rating.seed}"
    facts = "\n".join(f"- {line.strip()}" for line in (*healthy_lines(rating), *summary(rating)))
    return f"{title}\n\n{facts}\n\n{table}\n"


def _seconds(one: Round | None) -> str:
    return f"{one.first.seconds:.2f}" if one is not None and one.word == "found" and one.first is not None else ""


def _by(one: Round | None) -> str:
    return f"{one.first.law} on `{one.first.operation}`" if one is not None and one.first is not None else ""


OWN: Final[Sequence[tuple[str, Callable[[Row], str]]]] = (
    ("bug", lambda row: f"`{row.bug.name}`"),
    ("breaks", lambda row: row.bug.law),
    ("campaign", lambda row: row.ours.word),
    ("seconds", lambda row: _seconds(row.ours)),
    ("by", lambda row: _by(row.ours)),
)
BESIDE: Final[Sequence[tuple[str, Callable[[Row], str]]]] = (
    (NAME, lambda row: row.plain.word if row.plain is not None else ""),
    ("seconds", lambda row: _seconds(row.plain)),
    ("by", lambda row: _by(row.plain)),
)


def as_json(ratings: Sequence[Rating], version: str) -> dict[str, Any]:
    """Return all of it as JSON; times are in seconds, shares in per cent."""
    return {"format": FORMAT, "version": version, "apis": [_api(one) for one in ratings]}


def _api(rating: Rating) -> dict[str, Any]:
    return {
        "api": rating.api,
        "secondsPerBug": rating.seconds,
        "seed": rating.seed,
        "complete": rating.healthy is not None and len(rating.rows) == len(rating.planned),
        "campaign": _judge(ours(rating), rating.healthy),
        "schemathesis": _judge(plain(rating), rating.plain),
        "bugs": [_row(row) for row in rating.rows],
        "notCounted": {why: [bug.name for bug in bugs] for why, bugs in rating.left_out.items()},
    }


def _judge(one: Sums | None, healthy: Healthy | None) -> dict[str, Any] | None:
    if one is None or healthy is None:
        return None
    own = {"found": one.found, "of": one.of, "share": one.share, "median": one.median, "longest": one.longest}
    return {**own, "healthy": asdict(healthy)}


def _row(row: Row) -> dict[str, Any]:
    rounds = {"campaign": row.ours, "schemathesis": row.plain}
    told = {name: {"word": one.word, **asdict(one)} for name, one in rounds.items() if one is not None}
    return {"bug": row.bug.name, "law": row.bug.law, **told}
