"""The table of planted bugs, `BUGS`: each breaks one law in one way, on every API that declares what it needs.

`law` is a law of `x-bulk` where one applies, else one of these: `conduct` (what a server owes a polite client),
`listing` (a list has the stored records), `schema` (a response conforms to its contract), `text` (an error text names
the cause). `mockserver.mutants.planting` has the code of each. The approach is mutation testing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from contracts.openapi.model import Contract
from mockserver.bugs.requirements import REQUIREMENTS, bulk_sites


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """One planted bug. `needs` are words of `REQUIREMENTS`: one bulk operation must meet them all."""

    name: str
    law: str
    needs: tuple[str, ...]
    description: str

    def fits(self, contract: Contract) -> bool:
        """Tell whether an API with this contract can have the bug."""
        return any(all(REQUIREMENTS[need](place) for need in self.needs) for place in bulk_sites(contract))


def bugs_for(contracts: Iterable[Contract]) -> Iterator[Bug]:
    """Yield the bugs that at least one of these contracts can have."""
    every = tuple(contracts)
    yield from (bug for bug in BUGS if any(map(bug.fits, every)))


def _bug(name: str, law: str, needs: str, says: str) -> Bug:
    return Bug(name=name, law=law, needs=tuple(filter(None, needs.split(", "))), description=says)


BUGS: Final = (
    # what is told of the items
    _bug(
        "outcome-lost",
        "count",
        "outcomes, several items",
        "The outcome after the first failure is missing.",
    ),
    _bug("outcome-doubled", "count", "listed outcomes, several items", "The last outcome is sent twice."),
    _bug(
        "outcomes-swapped",
        "outcome-order",
        "ordered outcomes, long lists",
        "In a list of nine outcomes and more the last two are swapped.",
    ),
    _bug(
        "keys-swapped",
        "singular",
        "outcome keys, several items",
        "Two outcomes have each other's key: the first failure's and the first success's.",
    ),
    _bug(
        "error-misplaced",
        "key",
        "outcome keys, several items",
        "The first failure is reported under the key of an item that was done.",
    ),
    _bug(
        "good-item-blamed",
        "singular",
        "outcomes, several items, unit item",
        "An item that was done is reported as failed, with the reason of another item.",
    ),
    _bug("failure-hidden", "singular", "outcomes, unit item", "The last item that failed is reported as done."),
    _bug(
        "status-of-success",
        "status-class",
        "status by outcome",
        "The HTTP status is that of success although items failed.",
    ),
    _bug("counter-off", "counts", "counts", "When an item failed, a counter is one too high."),
    _bug("error-text-vague", "text", "error text", "Every failure has the same meaningless text."),
    # what falls together
    _bug(
        "rollback-missing",
        "atomic",
        "unit whole, several items",
        "A failed whole is reported as rolled back, but its valid items stay applied.",
    ),
    _bug(
        "rollback-partial",
        "atomic",
        "unit whole, several items",
        "A failed whole is rolled back only from its first failure on.",
    ),
    _bug(
        "wrong-default-mode", "status-class", "chosen unit, several items", "A caller that names no mode gets another."
    ),
    _bug("neighbour-fails", "isolated", "unit item, several items", "A good item after one that failed fails with it."),
    _bug(
        "stops-at-failure",
        "isolated",
        "unit item, several items",
        "Items after the first failure are reported as done, but not applied.",
    ),
    _bug(
        "items-bleed",
        "permuted",
        "order any, several items",
        "An item that leaves a member out gets the one of the item before it.",
    ),
    _bug(
        "tail-lost", "split", "long lists", "Of nine items and more the last one is reported as done, but not applied."
    ),
    # in which order
    _bug(
        "groups-ignored",
        "grouped",
        "groups, several items",
        "Items run as they are listed although the caller wants groups in order.",
    ),
    _bug("groups-descending", "grouped", "groups, several items", "Larger groups run before smaller ones."),
    _bug("groups-blind", "grouped", "groups, several items", "A later group does not see what an earlier one did."),
    _bug(
        "dependents-run",
        "broken-reference",
        "dependent items, several items",
        "An item is applied although one that it depends on failed.",
    ),
    # what an item does
    _bug("version-ignored", "stale-version", "version", "A stale version is accepted, and overwrites what is newer."),
    _bug("version-stays", "stale-version", "update, visible version", "A change does not move the version."),
    _bug("version-leaps", "stale-version", "update, visible version", "A change moves the version by two."),
    _bug("update-replaces", "singular", "update", "An update clears the optional members that it does not name."),
    _bug("null-ignored", "singular", "update, nullable member", "A null leaves the stored value as it is."),
    _bug("deletion-ignored", "singular", "deletion", "A deletion is reported as done, but the record stays."),
    _bug("text-cut", "singular", "text member", "Texts of more than twenty characters are stored without their rest."),
    _bug("text-trimmed", "singular", "text member", "Blanks around a text are not stored."),
    _bug("case-folded", "singular", "text member", "Keys and unique members are stored in lower case."),
    _bug(
        "limits-unchecked",
        "singular",
        "like, checked items, text member",
        "A bulk call accepts values that the single call refuses.",
    ),
    _bug(
        "uniqueness-unchecked",
        "singular",
        "like, unique member",
        "A bulk call stores a value twice that must be unique.",
    ),
    _bug(
        "reference-dropped",
        "singular",
        "references",
        "An item that refers to something missing is applied without the reference.",
    ),
    # what is let in
    _bug(
        "duplicate-accepted",
        "duplicate",
        "duplicate rule, several items",
        "A request that names something twice is carried out, and the second one wins.",
    ),
    _bug(
        "refusal-leaves-traces",
        "duplicate",
        "duplicate rule, several items",
        "A request that is refused for what it names twice has its first item applied.",
    ),
    _bug(
        "overlong-leaves-traces",
        "boundary",
        "maximum",
        "A request that is refused as too long has its first item applied.",
    ),
    _bug("overlong-accepted", "boundary", "maximum", "One item more than the maximum is accepted."),
    _bug("maximum-refused", "boundary", "maximum", "A list of exactly the maximum is refused."),
    _bug("empty-accepted", "boundary", "empty rule", "An empty list is accepted."),
    _bug("crash-on-one", "schema", "", "A list of exactly one item is answered with 500."),
    _bug(
        "malformed-dropped",
        "duplicate",
        "malformed rule, several items",
        "Items that cannot be interpreted are silently skipped, and the others applied.",
    ),
    _bug("mode-unchecked", "schema", "mode rule", "An unknown mode is taken for the default one."),
    _bug("active-limit-ignored", "active", "active limit", "A job over the number that may be active is accepted."),
    _bug(
        "idempotency-ignored",
        "idempotent",
        "idempotency",
        "A key that was used already does not keep the request from being carried out again.",
    ),
    # the life of a job
    _bug("job-goes-backwards", "job-moves", "job", "Polled again, a finished job is reported as running."),
    _bug("job-forgotten", "job-moves", "job", "Polled again, a finished job is no longer known."),
    _bug("jobs-mixed-up", "job-progress", "job", "Polled for a job, the server reports on a newer one."),
    _bug("cancel-ignored", "job-moves", "job, cancel", "A job reported as cancelled runs all the same."),
    _bug(
        "processed-short",
        "job-progress",
        "job, processed count",
        "A finished job has processed one item less than were posted.",
    ),
    _bug(
        "processed-over",
        "job-progress",
        "job, processed count",
        "A finished job has processed one item more than were posted.",
    ),
    _bug(
        "processed-falls",
        "job-progress",
        "job, processed count",
        "A running job's number of processed items falls between two polls.",
    ),
    _bug(
        "results-change", "job-progress", "job, job results", "Polled again, a finished job reports one outcome less."
    ),
    _bug(
        "job-errors-hidden",
        "status-class",
        "job, job word for errors",
        "A job that had errors ends in the word for one that had none.",
    ),
    _bug(
        "job-drops-last",
        "async-is-sync",
        "job on request, several items",
        "Run as a job, the last item is reported as done, but not applied.",
    ),
    _bug("job-acts-early", "job-progress", "job", "A job's changes can be seen before it has ended."),
    # several targets
    _bug(
        "target-leaks",
        "fan-out",
        "fan-out",
        "What is done for one target is done for every other that was used before as well.",
    ),
    _bug("target-missing", "fan-out", "fan-out", "The last target of several is not reported."),
    # the form of answers
    _bug("all-failed-crash", "schema", "outcomes at once", "When every item fails the answer is 500."),
    _bug("outcomes-null", "schema", "outcomes at once", "When every item fails the list of outcomes is null."),
    _bug("empty-map-as-list", "schema", "mapped outcomes", "An empty map of outcomes is sent as an empty list."),
    _bug("numbers-as-text", "schema", "job, processed count", "The counters of a finished job are texts."),
    _bug("type-missing", "schema", "outcomes", "An answer in which an item failed does not say that it is JSON."),
    _bug("header-missing", "schema", "required header", "Headers that the contract demands are missing."),
    _bug("retry-after-missing", "conduct", "retry-after", "Retry-After is missing."),
    _bug("list-ends-early", "listing", "list", "The last record of a list of several is missing."),
)
