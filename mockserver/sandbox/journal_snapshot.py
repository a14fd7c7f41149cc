"""A journal as JSON, as a part of a snapshot: `journal_form` writes it, `restored_entries` reads it.

The facts that verdicts need are part of it; those of a bulk request whose body is kept are read from the body again.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import orjson

from contracts.syntax.text import listed
from mockserver.api.model import Api
from mockserver.bulk.prepared_api import prepared
from mockserver.domain.slices import breathe
from mockserver.journal.exchange_summary import DeferredSummary, ExchangeSummary
from mockserver.journal.facts import SentItems, marks_in, unpack
from mockserver.journal.journal import JournalEntry
from mockserver.sandbox.sandboxes import Sandbox, SandboxTemplate
from mockserver.sandbox.value_codec import ValueCodec
from mockserver.sandbox.value_forms import Content, SnapshotError, content_form

Settings: TypeAlias = dict[str, Any]


class FactsToRead(NamedTuple):
    """What a `DeferredSummary` is made of again.

    `settings` is the place of those that were in force in the journal's list, None for those still in force.
    """

    known: ExchangeSummary
    operation: str
    scope: str
    variables: Mapping[str, str]
    query: Mapping[str, object]
    settings: int | None = None


def journal_form(sandbox: Sandbox, content: Content = content_form) -> dict[str, Any]:
    """Return the journal of a sandbox as JSON; `content` writes bytes. Raises SnapshotError."""
    journal, codec = sandbox.journal, ValueCodec({}, sandbox.template.spool, content=content)
    settings: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    last, exchanges = journal.last, tuple(journal.after(0, len(journal)))  # other sandboxes may make it lose some
    for entry in exchanges:
        breathe()
        at, facts = f"/journal/exchanges/{len(entries)}", entry.recorded_facts
        form = codec.write(replace(entry, recorded_facts=None), JournalEntry, at)
        if isinstance(facts, ExchangeSummary):
            form["facts"] = codec.write(facts, ExchangeSummary, f"{at}/facts")
        elif facts is not None:
            is_in_force = facts.settings == sandbox.settings
            if not is_in_force and facts.settings not in settings:
                settings.append(facts.settings)
            unread = FactsToRead(
                known=facts.known,
                operation=facts.plan.operation.id,
                scope=facts.scope,
                variables=facts.variables,
                query=facts.query,
                settings=None if is_in_force else settings.index(facts.settings),
            )
            form["toRead"] = codec.write(unread, FactsToRead, f"{at}/toRead")
        entries.append(form)
    return {"last": last, "settings": settings, "exchanges": entries}


def restored_entries(
    form: Mapping[str, Any], template: SandboxTemplate, in_force: Settings, *, is_own: bool
) -> list[JournalEntry]:
    """Return the exchanges of a journal; `in_force` are the settings now. Raises SnapshotError.

    In a journal of this server itself (`is_own`), exchanges with operations that are no longer served keep fewer facts.
    """
    apis, codec = template.apis, ValueCodec({}, template.spool, is_own=is_own)
    entries: list[JournalEntry] = []
    for n, given in enumerate(form["exchanges"]):
        at = f"/journal/exchanges/{n}"
        inner = {name: one for name, one in given.items() if name not in {"facts", "toRead"}}
        entry: JournalEntry = codec.read(inner, JournalEntry, at)
        facts: ExchangeSummary | DeferredSummary | None = None
        if "facts" in given:
            facts = _packed(codec.read(given["facts"], ExchangeSummary, f"{at}/facts"), f"{at}/facts")
        elif "toRead" in given:
            unread = codec.read(given["toRead"], FactsToRead, f"{at}/toRead")
            if unread.settings is not None and not 0 <= unread.settings < len(form["settings"]):
                raise SnapshotError("there are no settings of that number.", where=f"{at}/toRead/settings")
            settings = in_force if unread.settings is None else form["settings"][unread.settings]
            is_served = entry.api in apis and unread.operation in prepared(apis[entry.api]).plans
            facts = (
                unread.known
                if is_own and not is_served
                else _facts(unread, apis.get(entry.api), settings, f"{at}/toRead")
            )
        entries.append(replace(entry, recorded_facts=facts))
    numbers = [entry.n for entry in entries]
    if numbers != list(range(form["last"] - len(numbers) + 1, form["last"] + 1)):
        raise SnapshotError("the exchanges must be numbered one after the other, up to `last`.", where="/journal")
    return entries


def _packed(facts: ExchangeSummary, at: str) -> ExchangeSummary:
    """Return facts whose packed lists can be read. Raises SnapshotError for others."""
    items = facts.items or SentItems(size=0)
    try:
        named_by = map(str.encode, orjson.loads(items.referenced_keys or "{}").values())
        lists = (facts.targets, facts.stale_targets, facts.failed_keys, facts.read_keys, items.keys, items.deleted_keys)
        for packed in (*lists, *named_by):
            unpack(packed)
        marks_in(items.marks)
    except (AttributeError, TypeError, ValueError):
        raise SnapshotError("its lists are not as they are written.", where=at) from None
    return facts


def _facts(unread: FactsToRead, api: Api | None, settings: Settings, at: str) -> DeferredSummary:
    plans = {} if api is None else prepared(api).plans
    if api is None or unread.operation not in plans:
        cure = f"It has {listed(plans)}." if plans else ""
        fact = f"no bulk operation '{unread.operation[:80]}' is served."
        raise SnapshotError(fact, where=f"{at}/operation", cure=cure)
    return DeferredSummary(
        known=_packed(unread.known, f"{at}/known"),
        api=api,
        plan=plans[unread.operation],
        scope=unread.scope,
        settings=settings,
        variables=unread.variables,
        query=unread.query,
    )
