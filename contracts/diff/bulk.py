"""What became of `x-bulk`, axis by axis."""

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Final, NamedTuple

from contracts.bulk import Active, Bulk, BulkJob, Idempotency, Outcomes, Quota
from contracts.diff.axes import IDEMPOTENCY, JOB, OUTCOMES, ROWS, Row
from contracts.diff.changes import Change, Severity
from contracts.diff.judges import shown
from contracts.model import Operation

ALWAYS: Final = "always"


class Said(NamedTuple):
    """What is to be said of a member of `x-bulk`."""

    member: str
    severity: Severity
    says: str


def compare_bulk(was: Operation, now: Operation, name: str) -> Iterator[Change]:
    """Yield what became of an operation's `x-bulk`."""
    for one in _said(was.bulk, now.bulk):
        place = f"x-bulk {one.member}".rstrip()
        rule = "-".join(part for part in ("x-bulk", one.member) if part)
        yield Change(rule=rule, severity=one.severity, operation=name, place=place, says=one.says)


def _said(old: Bulk | None, new: Bulk | None) -> Iterator[Said]:
    if old is None or new is None:
        if old is not None:
            yield Said("", "error", "it is not declared any more how the items are taken and answered")
        if new is not None:
            yield Said("", "info", "it is declared now how the items are taken and answered")
        return
    yield from _rows("", ROWS, old, new)
    yield from _places(old, new)
    yield from _order(old, new)
    yield from _outcomes("reply.outcomes", old.reply.outcomes, new.reply.outcomes)
    yield from _job(old.job, new.job)
    yield from _idempotency(old.guard.idempotency, new.guard.idempotency)
    yield from _quotas(old.guard.quota, new.guard.quota)


def _rows(prefix: str, rows: Sequence[Row], old: object, new: object) -> Iterator[Said]:
    for row in rows:
        for severity, says in row.judge(_at(old, row.at), _at(new, row.at)):
            told = f"{says}: {row.why}" if severity != "info" else says
            yield Said(f"{prefix}{row.member}", severity, told)


def _at(value: object, path: str) -> object:
    return reduce(getattr, path.split("."), value)


def _places(old: Bulk, new: Bulk) -> Iterator[Said]:
    before, after = (old.items.at, *old.items.also_at), (new.items.at, *new.items.also_at)
    for one in before:
        if one not in after:
            yield Said("items.at", "error", f"items are not taken from {_place(one)} any more")
    for one in after:
        if one not in before:
            yield Said("items.at", "info", f"items are taken from {_place(one)} too")


def _place(location: str) -> str:
    return f"'{location}'" if location else "the body itself"


def _order(old: Bulk, new: Bulk) -> Iterator[Said]:
    was, now = old.order.run, new.order.run
    if was == now:
        return
    if was == "any":
        yield Said("order.run", "info", f"items run {now} now, which was left open")
    else:
        yield Said("order.run", "error", f"items run {now}, not {was}: clients rely on what was done before")


def _outcomes(member: str, old: Outcomes | None, new: Outcomes | None) -> Iterator[Said]:
    if old is not None and new is not None:
        yield from _rows(f"{member}.", OUTCOMES, old, new)
    elif old is not None:
        yield Said(member, "error", "outcomes are no longer reported")
    elif new is not None:
        yield Said(member, "info", "outcomes are reported now")


def _job(old: BulkJob | None, new: BulkJob | None) -> Iterator[Said]:
    if old is not None and new is not None:
        yield from _wishes(old, new)
        yield from _rows("job.", JOB, old, new)
        yield from _outcomes("job.outcomes", old.outcomes, new.outcomes)
        yield from _active(old.active, new.active)
    elif old is not None:
        yield Said("job", "error", "a request is never a job any more: clients ask for one in vain")
    elif new is not None and ALWAYS in new.when:
        yield Said("job", "error", "every request is a job now: clients expect the outcomes at once")
    elif new is not None:
        yield Said("job", "info", f"a request becomes a job on request: {shown(new.when)}")


def _wishes(old: BulkJob, new: BulkJob) -> Iterator[Said]:
    for one in old.when:
        if one not in new.when and ALWAYS not in new.when:
            yield Said("job.when", "error", f"{shown(one)} makes no job any more: clients wait for one")
    for one in new.when:
        if one not in old.when and ALWAYS not in old.when:
            severity: Severity = "error" if one == ALWAYS else "info"
            yield Said("job.when", severity, f"{shown(one)} makes a job now")


def _active(old: Active | None, new: Active | None) -> Iterator[Said]:
    if old == new:
        return
    if new is None:
        yield Said("job.active", "info", "any number of jobs may be unfinished")
        return
    says = f"{new.max} unfinished jobs{f' for each {new.per}' if new.per else ''}, more are {_breach(new.breach)}"
    tighter = old is None or new.max < old.max or new.per != old.per or new.breach != old.breach
    yield Said("job.active", _severity(new.breach) if tighter else "info", f"at most {says}")


def _severity(breach: int | str) -> Severity:
    return "warning" if breach == "conduct" else "error"


def _breach(breach: int | str) -> str:
    return "bad conduct" if breach == "conduct" else f"refused with {breach}"


def _idempotency(old: Idempotency | None, new: Idempotency | None) -> Iterator[Said]:
    if old is not None and new is not None:
        yield from _rows("guard.idempotency.", IDEMPOTENCY, old, new)
    elif old is not None:
        yield Said("guard.idempotency", "error", "a repeated request is done again: clients rely on its key")
    elif new is not None:
        yield Said("guard.idempotency", "info", f"a key at {new.key} makes repeating safe")


def _quotas(old: tuple[Quota, ...], new: tuple[Quota, ...]) -> Iterator[Said]:
    before = {one.what: one for one in old}
    for one in new:
        was = before.pop(one.what, None)
        if was != one:
            eased = was is not None and one.max >= was.max and one.per <= was.per and one.breach == was.breach
            says = f"at most {one.max} of {one.what} in {shown(one.per)}, more are {_breach(one.breach)}"
            yield Said("guard.quota", "info" if eased else _severity(one.breach), says)
    for one in before.values():
        yield Said("guard.quota", "info", f"any number of {one.what} is allowed")
