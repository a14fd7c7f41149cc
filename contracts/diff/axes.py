"""The members of `x-bulk`: which of their changes break clients, and why."""

from typing import Final, NamedTuple

from contracts.diff.judges import Judging, changed, choice, entries, least, most, place, several, span, switch


class Row(NamedTuple):
    """A member of the vocabulary, its place in `contracts.bulk.Bulk`, how it may change, and what a bad change does."""

    member: str
    at: str
    judge: Judging
    why: str


LOST: Final = "clients look for outcomes where they were"
STATED: Final = "clients tell what happened by the status"
OUTCOMES: Final = (
    Row("at", "at", changed(), LOST),
    Row("failedAt", "failed_at", place(), LOST),
    Row("as", "shape", changed(), LOST),
    Row("covers", "covers", changed(), "clients conclude from an outcome that is missing"),
    Row("inOrder", "in_order", switch(off="error"), "clients match outcomes by their order"),
    Row("key", "key", place(), "clients match outcomes by their key"),
    Row("failedIf", "failed_if", changed(), "clients take failures for successes, or the reverse"),
    Row("many", "many", switch(on="error"), "clients expect one outcome for each item"),
    Row("id", "id", place(), "clients learn ids there"),
    Row("version", "version", place(), "clients learn versions there"),
    Row("error", "error", place(), "clients read errors there"),
)
ROWS: Final = (
    Row("items.as", "items.shape", changed(), "what clients send is not read any more"),
    Row("items.shared", "items.shared", several(come="warning"), "what clients say once for all items is lost"),
    Row("items.groups", "items.groups", place(come="error"), "what clients send is read otherwise"),
    Row("items.min", "items.min", least("items"), "smaller requests are refused"),
    Row("items.max", "items.max", most("items"), "larger requests are refused"),
    Row("items.maxBytes", "items.max_bytes", most("bytes"), "larger requests are refused"),
    Row("items.maxItemBytes", "items.max_item_bytes", most("bytes an item"), "larger items are refused"),
    Row("items.fanOut", "items.fan_out", place(come="warning"), "targets are named or answered otherwise"),
    Row("effect.action", "effect.action", choice, "the same item does something else"),
    Row("effect.resource", "effect.resource", choice, "the same item speaks of another kind of record"),
    Row("effect.target", "effect.target", place(come="error"), "items name other records"),
    Row("effect.payload", "effect.payload", changed(), "what clients write is looked for elsewhere"),
    Row("effect.version", "effect.version", place(come="warning"), "concurrent changes are reported otherwise"),
    Row("effect.like", "effect.like", several(gone="warning"), "items need not get that call's verdict"),
    Row("effect.tombstone", "effect.tombstone", entries(come="error"), "other items delete records"),
    Row("effect.http", "effect.http", entries(), "what clients send is read otherwise"),
    Row("key.by", "key.by", changed(), "clients match outcomes otherwise"),
    Row("key.at", "key.at", place(come="error"), "clients give the key elsewhere"),
    Row("key.optional", "key.optional", switch(off="error"), "items without a key are refused"),
    Row("key.onlyFor", "key.only_for", changed("warning"), "keys are asked of other items"),
    Row("unit.of", "unit.of", choice, "other items fall together"),
    Row("unit.group", "unit.group", place(come="error"), "other items fall together"),
    Row("unit.stopAfter", "unit.stop_after", changed(), "other items are left undone"),
    Row("unit.rolledBack", "unit.rolled_back", changed(), "innocent items of a failed unit report otherwise"),
    Row("unit.markedAs", "unit.marked_as", place(come="error"), "innocent items of a failed unit report otherwise"),
    Row("order.when", "order.when", changed(), "clients ask for the order otherwise"),
    Row("order.groupBy", "order.group_by", changed(), "items run in another order"),
    Row("order.dependsOn", "order.depends_on", place(), "items refer to one another otherwise"),
    Row("order.reference", "order.reference", place(), "items refer to one another otherwise"),
    Row("order.forward", "order.forward", switch(off="error"), "items may not refer to later ones"),
    Row("order.onBroken", "order.on_broken", place(), "items that were not run say so otherwise"),
    Row("reply.status", "reply.status", entries(gone="warning"), STATED),
    Row("reply.counts", "reply.counts", entries(), "clients read the counter there"),
    Row("guard.refuse", "guard.refuse", entries(gone="info", come="error"), "what was let through is refused"),
    Row("guard.retry.unprocessed", "guard.unprocessed", place(come="warning"), "items are handed back otherwise"),
    Row("guard.retry.codes", "guard.retry_codes", several(gone="warning"), "clients try the wrong failures again"),
)
JOB: Final = (
    Row("handle", "handle", changed(), "clients learn there how to ask for the job"),
    Row("poll", "poll", changed(), "clients ask for the job by that call"),
    Row("state.at", "state_at", changed(), "clients read the state there"),
    Row("state.map", "words", entries(come="error"), "clients do not know the word"),
    Row("progress", "progress", entries(), "clients read progress there"),
    Row("results", "results", several(), "clients fetch results there"),
    Row("start", "start", place(come="error"), "jobs are begun otherwise"),
    Row("cancel", "cancel", place(), "jobs are cancelled otherwise"),
    Row("every", "every", span(shorter="info", longer="warning"), "clients ask too often"),
    Row("timeout", "timeout", span(shorter="info", longer="warning"), "clients give a job up that goes on"),
    Row("keep", "keep", span(shorter="error", longer="info"), "finished jobs are gone earlier"),
)
IDEMPOTENCY: Final = (
    Row("key", "key", changed(), "clients give the key elsewhere"),
    Row("scope", "scope", changed(), "a key speaks of something else"),
    Row("keep", "keep", span(shorter="error", longer="info"), "a repetition is done again"),
    Row("replay", "replay", changed(), "a repetition is answered otherwise"),
    Row("mismatch", "mismatch", place(come="error", gone="warning"), "other content under a key is answered otherwise"),
    Row(
        "concurrent",
        "concurrent",
        place(come="warning", gone="warning"),
        "a repetition in flight is answered otherwise",
    ),
)
