"""Checking servers that share no code with the sandbox: a law alone is silent on right ones, and finds its bugs.

Some bugs are tried; `BULKPROOF_TEST_ALL=1` tries all.
"""

import pytest
from click.testing import CliRunner
from sampling import some

from mockserver.cli import main

pytestmark = pytest.mark.slow

BUGS = {
    ("genero", "errors"): (
        "bare-pointers",
        "boolean-keys",
        "first-bad-item",
        "first-reference",
        "flag-as-text",
        "good-blamed",
        "group-of-one",
        "joined-by-comma",
        "name-last",
        "names-referrer",
        "one-fault-an-item",
        "pointers-from-one",
        "points-at-last",
        "points-at-twin",
        "reference-alone",
        "references-reversed",
        "repeats-alone",
        "rule-of-first",
        "total-of-groups",
        "total-of-shown",
        "twenty-groups",
        "wrong-word",
    ),
    ("onkey", "errors"): (
        "gone-referrers",
        "conflict-last",
        "deletion-unchecked",
        "duplicate-alone",
        "faults-by-property",
        "first-fault",
        "first-record",
        "good-blamed",
        "import-unchecked",
        "length-of-bytes",
        "limits-swapped",
        "mode-codes",
        "no-properties",
        "one-referrer",
        "path-missing-skipped",
        "pointer-of-next",
        "property-of-first",
        "single-codes",
        "task-codes",
        "value-of-first",
        "null-missing",
        "version-of-sender",
    ),
    ("genero", "malformed"): (
        "any-json-type",
        "form-as-json",
        "one-for-list",
        "one-target-as-text",
        "any-media-type",
        "charset-decoded",
        "constants",
        "crashes-on-depth",
        "crashes-on-syntax",
        "empty-is-object",
        "exact-media-type",
        "column-of-next",
        "first-value",
        "place-swapped",
        "replaced-bytes",
        "salvaged",
        "trailing-comma",
    ),
    ("onkey", "malformed"): (
        "first-media-type",
        "any-media-type",
        "any-vendor-type",
        "bad-bytes-crash",
        "case-of-media-type",
        "closed-for-you",
        "comments",
        "cut-off-applied",
        "empty-is-done",
        "exact-media-type",
        "line-of-next",
        "single-quotes",
        "type-crash",
        "unquoted-names",
        "words-in-any-case",
    ),
    ("genero", "listing"): (
        "last-page-short",
        "order-of-utf16",
        "default-of-fifty",
        "list-cached",
        "list-keeps-deleted",
        "made-unlisted",
        "order-folded",
        "order-natural",
        "order-of-arrival",
        "order-of-letters",
        "page-overlaps",
        "put-unlisted",
        "revived-unlisted",
        "skip-in-pages",
        "total-of-page",
        "total-stale",
        "total-with-deleted",
    ),
    ("genero", "duplicate"): ("repeats-among-hundred", "unknown-tenants-first"),
    ("genero", "exact"): (
        "accents-dropped",
        "dead-unchanged",
        "false-text-denied",
        "null-text-lost",
        "repeats-skipped",
    ),
    ("onkey", "exact"): ("names-of-20", "zero-unchanged"),
    ("genero", "uniform"): (
        "errors-of-first-500",
        "errors-rounded",
        "power-of-two",
        "ten-errors",
        "tenth-bare",
        "twenty-errors",
        "twin-of-64",
    ),
    ("genero", "boundary"): ("largest-page-short", "thousandth-lost"),
    ("onkey", "listing"): ("skip-unsorted", "top-default-ten", "top-zero-all"),
    ("onkey", "filter"): (
        "filter-inside",
        "joined-cached",
        "desc-ignored",
        "filter-any",
        "filter-ascii",
        "filter-first",
        "filter-folded",
        "filter-ge",
        "filter-late",
        "filter-ne-null",
        "filter-null",
        "filter-prefix",
        "filter-quote",
        "joined-by-id",
        "order-as-text",
        "ordered-inner",
        "second-key-ignored",
        "select-first",
    ),
    ("genero", "lookup"): ("any-kind-found", "found-by-text", "found-once", "reference-of-fifty", "references-trimmed"),
    ("onkey", "lookup"): (
        "finds-deleted",
        "finds-failed",
        "insert-changes",
        "merge-of-several",
        "lookup-as-text",
        "lookup-beginning",
        "lookup-custom-last",
        "lookup-early",
        "lookup-first",
        "lookup-folded",
        "lookup-former",
        "lookup-loose",
        "lookup-nothing",
        "matches-two",
    ),
    ("onkey", "stale-version"): ("delete-unlocked", "versions-of-four-bits"),
    ("onkey", "reuse"): ("code-burnt", "deleted-comes-back", "undone-code-kept"),
    ("onkey", "identity"): ("ids-as-floats", "ids-of-32-bits", "merge-takes-id"),
    ("onkey", "grouped"): (
        "groups-of-numbers-first",
        "groups-as-integers",
        "many-groups",
        "task-order-lost",
        "ungrouped-first",
    ),
    ("onkey", "uniform"): ("batch-of-100", "ten-failures", "updates-of-hundred"),
    ("genero", "job-lookup"): ("looked-up-at-post", "merged-at-post"),
    ("genero", "job-moves"): ("errors-fade", "late-errors", "one-id", "status-flips"),
    ("genero", "job-name"): ("any-kind", "any-tenant", "job-at-any-name", "job-of-first-tenant", "unknown-job"),
    ("genero", "counts"): ("swapped-jobs",),
    ("genero", "job-progress"): ("counted-at-once", "head-start", "progress-falls"),
    ("onkey", "job-lookup"): ("looked-up-at-post", "version-at-post"),
    ("onkey", "job-moves"): (
        "cancels-ended",
        "cancel-ignored",
        "cancel-keeps-first",
        "cancel-undone-late",
        "cancels-queued",
        "completed-moves",
        "created-moves",
        "ended-before-start",
        "task-restarts",
    ),
    ("onkey", "job-name"): ("task-anywhere", "unknown-steps"),
    ("onkey", "job-progress"): (
        "cancelled-messages",
        "messages-early",
        "one-step-more",
        "step-valid",
        "steps-fade",
        "steps-fall",
        "steps-of-next",
        "steps-once",
        "valid-though-failed",
    ),
    ("genero", "keys"): ("constructor-lost", "plus-as-blank", "twice-folded"),
    ("genero", "methods"): ("allow-missing",),
    ("onkey", "methods"): ("allow-of-all", "allow-of-first"),
    ("genero", "words"): ("entity-folded", "key-folded", "names-folded", "put-folded"),
    ("onkey", "words"): ("members-exact", "mode-exact", "path-exact", "properties-exact", "set-exact"),
    ("onkey", "stamps"): ("created-with-change", "modified-stays"),
    ("onkey", "reads"): (
        "get-hundred",
        "get-numbers",
        "get-any-set",
        "get-bare",
        "get-former",
        "get-once",
        "get-sorted",
    ),
    ("genero", "credentials"): (
        "any-token",
        "fetched-is-multi",
        "secret-prefix",
        "token-folded",
        "wrong-challenge",
    ),
    ("genero", "fan-out"): ("problem-twice",),
    ("genero", "quota"): ("fetches-uncounted", "refusal-ends-tokens"),
    ("genero", "expiry"): ("one-token",),
    ("genero", "parameters"): ("take-at-most",),
    ("onkey", "parameters"): ("async-any", "order-unknown-skipped", "select-unknown-skipped"),
    ("genero", "isolation"): (
        "lists-customers-too",
        "agency-ignored",
        "any-kind",
        "any-tenant",
        "batch-any-tenant",
        "deletes-any-tenant",
        "fanout-any-tenant",
        "fanout-tells",
        "lists-every-tenant",
        "reads-any-kind",
        "reads-any-tenant",
        "reference-any-tenant",
        "tells-of-others",
    ),
    ("onkey", "isolation"): (
        "codes-of-all-types",
        "deletes-in-all-sets",
        "import-deletes-any",
        "reference-any-type",
        "tasks-at-first",
        "cancels-any",
        "codes-shared",
        "deletes-any-set",
        "lists-every-set",
        "lookup-any-set",
        "reads-any-set",
        "reads-any-type",
        "reference-any-set",
        "set-by-client",
        "steps-shared",
        "task-anywhere",
        "tells-of-others",
        "updates-any-set",
        "updates-any-type",
    ),
}
"""The bugs of each server that one law finds by itself."""


def check(api: str, url: str, law: str) -> tuple[int, str]:
    """Check a server by one law; give the exit code and what is printed."""
    options = ["--url", url, "--only", law, "--max-time", "5m", "--assumptions", "fail"]
    done = CliRunner().invoke(main, ["check", api, *options])
    return done.exit_code, done.output


@pytest.mark.parametrize(("api", "law"), some(BUGS, 3))
def test_a_law_is_silent_on_a_right_server(api, law, start):
    """What was written from the same pages, and is right, is not accused of anything."""
    code, says = check(api, start(api, ""), law)
    assert code == 0, says
    assert "passed" in says or law == "expiry", says  # which would wait for days


@pytest.mark.parametrize(("api", "law", "bug"), some([(*key, bug) for key, bugs in BUGS.items() for bug in bugs], 8))
def test_a_law_finds_its_bugs(api, law, bug, start):
    """A bug of the law's kind is found by it."""
    code, says = check(api, start(api, bug), law)
    assert code == 1, says


def test_a_wrong_refusal_is_shown_by_a_request_with_one_item(start):
    """The trial has several wrong items; a reader needs one that the refusal tells wrongly."""
    code, says = check("onkey", start("onkey", "pointer-of-next"), "errors")
    assert code == 1, says
    assert "but what is wrong is at /0/userObjectId." in " ".join(says.split())
