"""The laws on calls of any operation: `CALL_LAWS`."""

from typing import Final

from generators.check.laws.calls.credentials import credentials, expiry, issues_tokens, needs_credentials
from generators.check.laws.calls.deferred import can_be_deferred, deferred
from generators.check.laws.calls.isolation import is_apart, isolation
from generators.check.laws.calls.malformed import exempt_reason as takes_no_json
from generators.check.laws.calls.malformed import malformed
from generators.check.laws.calls.many_reads import many_reads
from generators.check.laws.calls.methods import is_first_of_path, methods
from generators.check.laws.calls.parameters import has_parameters, parameters
from generators.check.laws.calls.quotas import quota
from generators.check.laws.calls.single_writes import writes, writes_records
from generators.check.laws.calls.stamps import has_stamps, stamps
from generators.check.laws.calls.words import has_words, words
from generators.oracles.findings import Law

CALL_LAWS: Final[tuple[Law, ...]] = (
    Law(
        name="malformed",
        says="A request that is not well formed is refused, and leaves no trace.",
        exempt_reason=takes_no_json,
        call_experiment=malformed,
    ),
    Law(
        name="methods",
        says="A method that a path does not have is refused with a list of the methods that it has.",
        applies_in=is_first_of_path,
        call_experiment=methods,
    ),
    Law(
        name="parameters",
        says="A query parameter is refused or taken as its schema says; what must change nothing changes nothing.",
        applies_in=has_parameters,
        call_experiment=parameters,
    ),
    Law(
        name="words",
        says="A word in another case means the same where case does not count, and nothing where it does.",
        applies_in=has_words,
        call_experiment=words,
    ),
    Law(
        name="reads",
        says="A request for several keys shows the records that single reads show, and no others.",
        applies_in=lambda _, operation: operation.reads is not None,
        call_experiment=many_reads,
    ),
    Law(
        name="deferred",
        says="A single write that runs as a job does what it does at once; what is refused at once makes no job.",
        applies_in=can_be_deferred,
        call_experiment=deferred,
    ),
    Law(
        name="writes",
        says="A write does what it says, whatever has become of its record and of what it refers to.",
        applies_in=writes_records,
        call_experiment=writes,
    ),
    Law(
        name="stamps",
        says="A change moves the time of a record's last write, and leaves that of its first one alone.",
        applies_in=has_stamps,
        call_experiment=stamps,
    ),
    Law(
        name="credentials",
        says="A call without valid credentials is refused as declared, and has no effect.",
        applies_in=needs_credentials,
        call_experiment=credentials,
    ),
    Law(
        name="isolation",
        says="What belongs elsewhere is neither seen nor touched, and no answer tells that it exists.",
        applies_in=is_apart,
        call_experiment=isolation,
    ),
    Law(
        name="expiry",
        says="A token is taken until it expires, and refused afterwards.",
        applies_in=issues_tokens,
        call_experiment=expiry,
    ),
    Law(
        name="quota",
        says="A quota admits so many requests in its window and no more, and says when to come again.",
        applies_in=lambda _, operation: bool(operation.quota),
        call_experiment=quota,
    ),
)
