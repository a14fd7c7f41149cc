"""Laws that one answer keeps or breaks by itself: count, key, outcome-order, status-class, counts."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from contracts.messages import ABSENT, Exchange
from contracts.texts import short
from generators.checks.findings import Finding
from generators.checks.jobs import Trace
from generators.checks.telling import Entry, assigned
from generators.checks.views import Telling, View
from generators.locations import look


def count(view: View) -> Iterator[Finding]:
    """Yield where an item that ought to have an outcome has none, or more than one."""
    if view.kind == "answered" and not view.tellings and view.bulk.reply.outcomes and view.call.targets is None:
        yield found("count", view, "no outcomes", f"{view.bulk.reply.outcomes.at or 'the body'} holds no outcomes")
    for telling in view.tellings:
        keyed = [one for one in telling.outcomes if view.call.items[one.index].key is not ABSENT]
        missing = [one.index for one in keyed if one.result == "untold"]
        if missing:
            says = f"{_items(view, missing)} no outcome"
            yield found("count", view, _short_by(missing, view), says, telling)
        yield from _too_many(view, telling)


def _short_by(missing: list[int], view: View) -> str:
    return "all outcomes missing" if len(missing) == len(view.call.items) else "outcomes missing"


def _too_many(view: View, telling: Telling) -> Iterator[Finding]:
    said, size = assigned(telling.entries, len(view.call.items)), len(view.call.items)
    if telling.declared.key is None and telling.declared.shape != "map" and len(telling.entries) > size:
        says = f"{size} items have {len(telling.entries)} outcomes"
        yield found("count", view, "more outcomes than items", says, telling)
    several = [n for n, entries in enumerate(said) if len(entries) > 1]
    if several and not telling.declared.many:
        yield found("count", view, "several outcomes", f"{_items(view, several)} more than one outcome", telling)
    alone = [n for n in several if len(said[n][0].items) == 1]
    twice = [n for n in alone if any(one.raw == after.raw for one, after in pairwise(said[n]))]
    if twice and telling.declared.many:
        yield found("count", view, "one outcome twice", f"{_items(view, twice)} the same outcome twice", telling)


def key(view: View) -> Iterator[Finding]:
    """Yield where an outcome's key is no key of the request, or stands twice."""
    for telling in view.tellings:
        keyed = [entry for entry in telling.entries if entry.key is not ABSENT]
        foreign = [entry for entry in keyed if not entry.items]
        if foreign:
            says = f"outcome {foreign[0].place} has the key {short(foreign[0].key)}, which is no key of the request"
            yield found("key", view, "foreign key", says, telling)
        unkeyed = [entry for entry in telling.entries if entry.key is ABSENT and entry.failed and not entry.items]
        if unkeyed and telling.declared.key is not None:
            yield found("key", view, "no key", f"outcome {unkeyed[0].place} is a failure without a key", telling)
        yield from _repeated(view, telling)


def _repeated(view: View, telling: Telling) -> Iterator[Finding]:
    if telling.declared.many:
        return
    once = [entry.items[0] for entry in telling.entries if len(entry.items) == 1]
    twice = sorted({place for place in once if once.count(place) > 1}) if len(set(once)) < len(once) else []
    if twice:
        yield found("key", view, "repeated key", f"the key of item {twice[0]} occurs more than once", telling)


def outcome_order(view: View) -> Iterator[Finding]:
    """Yield where outcomes do not come in the order of the request although they are declared to."""
    for telling in view.tellings:
        if not telling.declared.in_order:
            continue
        for failed in (False, True) if telling.declared.failed_at else (None,):
            places = [entry.items[0] for entry in telling.entries if _is_of(entry, failed) and len(entry.items) == 1]
            wrong = next(((one, after) for one, after in pairwise(places) if after < one), None)
            if wrong is not None:
                says = f"the outcome of item {wrong[0]} comes before that of item {wrong[1]}"
                yield found("outcome-order", view, "out of order", says, telling)


def _is_of(entry: Entry, failed: bool | None) -> bool:  # noqa: FBT001 - one of three groups
    return failed is None or entry.failed is failed


def status_class(view: View) -> Iterator[Finding]:
    """Yield where the status, or the word for a job's end, is not the one declared for what the outcomes say."""
    wanted = _class_of(view)
    declared, got = view.bulk.reply.status.get(wanted or ""), view.exchange.reply.status
    if declared is not None and got != declared:
        says = f"the status is {got}, but {declared} is declared for {wanted}"
        yield found("status-class", view, f"{wanted} answered {got}", says, *view.tellings[:1])
    for telling in view.tellings:
        yield from _end_word(view, telling)


def _class_of(view: View) -> str | None:
    if view.kind == "refused":
        return None
    if view.call.targets is not None:
        return _class_of_targets(view)
    if view.kind == "accepted":
        return "accepted"
    results = [one.result for telling in view.tellings for one in telling.outcomes if one.result != "left"]
    return None if not results or "untold" in results else class_of(results, view.call.unit)


def class_of(results: Sequence[str], unit: str | None) -> str:
    """Return the class of a reply with these results."""
    if all(result == "done" for result in results):
        return "allOk"
    if unit == "whole":
        return "wholeFailed"
    return "someFailed" if "done" in results else "allFailed"


def _class_of_targets(view: View) -> str | None:
    troubled, targets = view.troubled or {}, view.call.targets or ()
    if not troubled:
        return "accepted" if view.kind == "accepted" else "allOk"
    return "someFailed" if len(troubled) < len(targets) else "allFailed"


def _end_word(view: View, telling: Telling) -> Iterator[Finding]:
    trace = telling.trace
    if trace is None or trace.end is None or "untold" in {one.result for one in telling.outcomes}:
        return
    if "doneWithErrors" not in trace.declared.words.values() or "done" not in trace.declared.words.values():
        return
    failed = any(one.result != "done" for one in telling.outcomes)
    if (trace.end.state == "doneWithErrors") is not failed:
        says = f"the job ended as {short(trace.end.word)} although {'some' if failed else 'no'} items failed"
        yield found("status-class", view, f"job ended as {trace.end.word}", says, telling)


def counts(view: View) -> Iterator[Finding]:
    """Yield where a declared counter does not agree with the outcomes, or with the number of items."""
    for telling in view.tellings:
        if "untold" in {one.result for one in telling.outcomes}:
            continue
        wanted = _numbers(telling)
        for name, at in view.bulk.reply.counts.items():
            got = look(telling.body, at)
            if got is not ABSENT and name in wanted and got != wanted[name]:
                says = f"{at} says {short(got)}, but {short(wanted[name])} is right for '{name}'"
                yield found("counts", view, f"{name} is wrong", says, telling)
        if telling.trace is not None and view.call.unit == "item":
            yield from _at_the_end(view, telling, telling.trace, wanted)
    for trace in view.traces:
        yield from _posted(view, trace)


def _numbers(telling: Telling) -> dict[str, int | bool]:
    results = [one.result for one in telling.outcomes]
    done, failed = results.count("done"), results.count("failed")
    said = {"failed": failed, "notRun": results.count("not-run"), "anyFailed": failed > 0, "total": len(results)}
    return {**said, "done": done, "succeeded": done}


def _at_the_end(view: View, telling: Telling, trace: Trace, wanted: dict[str, int | bool]) -> Iterator[Finding]:
    if trace.end is None:
        return
    for name in ("failed", "done", "succeeded"):
        got = trace.end.progress.get(name)
        if got is not None and got != wanted[name]:
            says = f"{trace.declared.progress[name]} says {got} at the end, but {wanted[name]} is right"
            yield found("counts", view, f"{name} is wrong at the end", says, telling)


def _posted(view: View, trace: Trace) -> Iterator[Finding]:
    """Yield where the number of items posted is neither that of the request's items nor that of its units."""
    size = len(view.call.items)
    right = {"item": {size}, "whole": {1, size}}.get(view.call.unit or "")
    wrong = [one for one in trace.polls if right and one.progress.get("posted", size) not in right]
    if wrong:
        says = f"{trace.declared.progress['posted']} says {wrong[0].progress['posted']} for {size} items"
        yield found("counts", view, "posted is wrong", says, wrong[0].exchange)


def found(law: str, view: View, shape: str, says: str, *shown: Telling | Exchange) -> Finding:
    """Return a finding about a view; its evidence are the call and what else is shown."""
    more = [one for part in shown for one in (part.evidence if isinstance(part, Telling) else (part,))]
    evidence = (view.exchange, *(one for one in more if one is not view.exchange))
    sentence = f"{says[:1].upper()}{says[1:]}."
    return Finding(law=law, operation=view.operation.id, shape=shape, says=sentence, evidence=evidence)


def _items(view: View, places: list[int]) -> str:
    named = ", ".join(f"{n} (key {short(view.call.items[n].key)})" for n in places[:3])
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""  # noqa: PLR2004 - three are named
    return f"item{'s' if len(places) > 1 else ''} {named}{more} {'have' if len(places) > 1 else 'has'}"
