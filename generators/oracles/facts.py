"""Which facts of a contract a finding breaks, and who says them. Begin with `FactFinder`.

A law rests on what `x-bulk` declares, a response on the schema that it must fit, the stored state on the rules of its
resource. The weakest fact counts: a finding that rests on an assumption may be due to that assumption.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from contracts.bulk.model import Choice
from contracts.messages import ABSENT, Exchange
from contracts.openapi.model import Contract, DeclaredResponse, Operation, Route
from contracts.openapi.provenance import FactSource
from contracts.openapi.routing import Router
from contracts.schemas.directions import direction_of
from contracts.schemas.schema_set import Schema, compiled
from contracts.syntax.text import as_mapping, look_up, pointer_of, split_ref, tokens_of
from generators.oracles.findings import Finding, general_shape, member_at

Assumptions: TypeAlias = Literal["fail", "warn", "ignore"]
"""What becomes of a finding that departs from an assumption alone: it fails the run, is a warning, or is left out."""
HTTP: Final = "https://www.rfc-editor.org/rfc/rfc9110"
SERVER_ERROR_PLACE: Final = f"{HTTP}#section-15.6"
NOT_ALLOWED_PLACE: Final = f"{HTTP}#section-15.5.6"
HTTP_NOTES: Final = {
    SERVER_ERROR_PLACE: "a status of 5xx, or no answer, is the server's fault",
    NOT_ALLOWED_PLACE: "a refusal with 405 lists the methods of its path in Allow",
}
HTTP_LAWS: Final = {"methods": NOT_ALLOWED_PLACE}
BEHAVIOUR: Final = "behaviour:"  # the place of what the reference model does beyond the contract
HTTP_SHAPES: Final = re.compile(r"no answer|status 5\d\d|not_a_server_error.*|unsupported_method.*")
OPEN_SHAPES: Final = re.compile(r"groups (?:\d+\.|\d+ and none)")  # of which no contract says how they are ordered
RESPONSE_SHAPE: Final = re.compile(
    r"(?P<status>\d+) (?P<where>body|content-type|status|header:\S+) (?:(?P<pointer>.*) )?(?P<rule>\S+)", re.DOTALL
)
LAW_PLACES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "active": (("job/active",), ("job/active",)),
    "async-is-sync": (("job",), ("job",)),
    "atomic": (("unit",), ("unit",)),
    "boundary": (("items/max",), ("items/max",)),
    "broken-reference": (("order",), ("order",)),
    "count": (("reply/outcomes",), ("job/outcomes",)),
    "counts": (("reply/counts",), ("job/progress",)),
    "duplicate": (("guard/refuse",), ("guard/refuse",)),
    "errors": (("reply/outcomes/every",), ("job/outcomes/every",)),
    "fan-out": (("items/fanOut",), ("items/fanOut",)),
    "grouped": (("order",), ("order",)),
    "idempotent": (("guard/idempotency",), ("guard/idempotency",)),
    "isolated": (("unit",), ("unit",)),
    "job-moves": (("job/state",), ("job/state",)),
    "job-progress": (("job/progress",), ("job/progress",)),
    "key": (("key", "reply/outcomes"), ("key", "job/outcomes")),
    "malformed": (("guard/refuse",), ("guard/refuse",)),
    "outcome-order": (("reply/outcomes/inOrder",), ("job/outcomes/inOrder",)),
    "keys": (("key",), ("key",)),
    "permuted": (("order",), ("order",)),
    "singular": (("effect/like",), ("effect/like",)),
    "split": (("order", "unit"), ("order", "unit")),
    "stale-version": (("effect/version",), ("effect/version",)),
    "status-class": (("reply/status",), ("reply/status",)),
    "uniform": (("items/max",), ("items/max",)),
    "unprocessed": (("guard/unprocessed",), ("guard/unprocessed",)),
}
"""The places in `x-bulk` that a law rests on: for what the reply says, and for what a job says."""
ROOT_PLACES: Final = {
    "credentials": "/security",
    "expiry": "/components/securitySchemes",
    "isolation": "/x-scopes",
}
"""The members of the document that a law rests on."""
OPERATION_PLACES: Final = {
    "deferred": "/responses/202",
    "malformed": "/responses",
    "quota": "/x-quota",
    "reads": "/x-reads",
}
"""The members of an operation that a law rests on where its `x-bulk` says nothing of it."""
ACCEPTED_SHAPE: Final = re.compile(r"(?P<word>\w+) (?:is )?accepted")
REFUSED_SHAPE: Final = re.compile(r"(?P<word>\w+) refused (?:otherwise|with \d+)")
SHAPE_PLACES: Final = (
    (re.compile(r"job ended as "), ("job/state",)),
    (re.compile(r"(?P<word>\w+) answered \d+"), ("reply/status/{word}",)),
    (ACCEPTED_SHAPE, ("guard/refuse",)),
    (REFUSED_SHAPE, ("guard/refuse/{word}",)),
    (re.compile(r"a refused request leaves a trace"), ("guard/refuse",)),
    (re.compile(r"most are refused"), ("items/max",)),
    (re.compile(r"most bytes are refused"), ("items/maxBytes",)),
    (re.compile(r"posted (?:changes|is wrong)"), ("job/progress/posted",)),
    (re.compile(r"processed |ends before all is processed"), ("job/progress/processed",)),
    (re.compile(r"results change"), ("job/outcomes",)),
    (re.compile(r"job is not known"), ("job/poll",)),
)
"""Shapes that rest on less, or on something else, than their law."""
ERROR_SHAPES: Final = (
    (re.compile(r"refusal "), "guard/faults"),
    (re.compile(r"another type of"), "guard/refuse/malformedItem"),
    (re.compile(r"(?:alone: )?(?P<word>[\w-]+) has another code"), "{outcomes}/codes/{word}"),
    (re.compile(r"(?:alone: )?text of (?P<word>[\w-]+) without"), "{outcomes}/names/{word}"),
    (re.compile(r"(?:alone: )?faults in another order"), "{outcomes}/faultOrder"),
    (re.compile(r"(?:alone: )?[\w-]+ names another member|a good member"), "{outcomes}/members"),
    (re.compile(r"a good item"), "unit"),
)
"""What the shapes of the law `errors` rest on."""
ROOT_SHAPES: Final = {  # the members of the document that some shapes rest on
    "a syntax error is told": "/x-syntax-errors",
    "Accept of the contract": "/x-accept",
    "ignored credentials": "/components/securitySchemes",
    "a reserved word": "/x-reserved",
}
WORD_SHAPE: Final = re.compile(r"(?:the word at \w+:|another case of |ignored )(?P<name>\S+) (?:refused|means|ac|has)")
OTHER_STATUS: Final = re.compile(r"^single .* is refused with \d+$")
OTHER_KEY: Final = "another key accepted"
LARGEST_PAGE: Final = "largest page is short"
LIMIT_WORDS: Final = {"tooMany": "items/max", "empty": "items/min"}
STATE_LAWS: Final = frozenset(("effect", "exact", "read-back", "verdict", "writes"))
REASON_MEMBERS: Final = (  # of an item that must fail, and the member of its resource's rules that says so
    (re.compile(r"that refers to nothing|dangling"), "references"),
    (re.compile(r"in use|taken"), "unique"),
    (re.compile(r"there already"), "key"),
    (re.compile(r"not there|unknown"), "key"),
    (re.compile(r"others refer to"), "restrict"),
    (re.compile(r"without a member|incomplete"), "required"),
)
SCHEMA_SHAPES: Final = re.compile(r"(?:single )?good |.*(?:fit its schema|invalid)")
"""Shapes that rest on all limits of an item's schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenFact:
    """A fact that a finding breaks: its place in words, and who says it; no source: the document itself."""

    place: str
    source: FactSource | None = None

    @property
    def assumed(self) -> bool:
        """Whether nobody but the contract says it."""
        return self.source is not None and self.source.assumed

    @property
    def is_of_http(self) -> bool:
        """Whether it is no fact of the contract, but one of HTTP."""
        return self.source is not None and self.source.page.startswith(HTTP)

    def __str__(self) -> str:
        """Return the fact as a sentence."""
        if self.source is None:
            return f"Breaks {self.place}."
        note = f" ({self.source.note})" if self.source.note else ""
        if self.source.says == "assumed":
            return f"Departs from an assumption of the contract, {self.place}{note}."
        if self.source.says == "contradicted":
            return f"Departs from {self.place}, where {self.source.page} says two things{note}."
        return f"Breaks {self.place}, stated at {self.source.page}{note}."


def fact_sentences(facts: Sequence[BrokenFact]) -> tuple[str, ...]:
    """Return the facts of one finding as sentences.

    Beside an assumption, what is stated need not be broken: the assumption may be what is wrong.
    """
    if not any(one.assumed for one in facts):
        return tuple(map(str, facts))
    return tuple(re.sub("^Breaks ", "Rests on ", str(one)) for one in facts)


class FactFinder:
    """Finds the facts that findings of one contract break."""

    def __init__(self, contract: Contract, router: Router | None = None) -> None:
        self.contract, self.router = contract, router or Router(contract)
        self._root = next(
            (uri for uri, one in contract.schemas.documents.items() if one is contract.document),
            contract.provenance.root,
        )

    def places(self, finding: Finding) -> tuple[str, ...]:
        """Return the references (`uri#pointer`) of what a finding breaks; its evidence is needed."""
        if finding.shape == LARGEST_PAGE and finding.evidence:
            listing = self.contract.operation(finding.evidence[0].operation or "")
            return (self._at(listing, "/x-record/page"),) if listing is not None else ()
        return tuple(dict.fromkeys(self._places(finding)))

    def facts(self, places: Iterable[str]) -> tuple[BrokenFact, ...]:
        """Return the facts at places, each once."""
        return tuple(dict.fromkeys(map(self._fact, places)))

    def _fact(self, place: str) -> BrokenFact:
        told = self.contract.provenance
        if place.startswith(HTTP):
            source = FactSource(says="stated", page=place, note=HTTP_NOTES[place])
            return BrokenFact(place="a rule of HTTP", source=source)
        if place == BEHAVIOUR:
            note = "the contract does not say it; the sandbox does it so"
            source = FactSource(says="assumed", note=note)
            return BrokenFact(place="what the reference model does", source=source if told else None)
        return BrokenFact(place=self.place_text(place), source=told.source_of(place))

    def place_text(self, place: str) -> str:
        """Return a reference for people: `x-bulk/unit of createBooks`, `schemas/book.json#/properties/id`."""
        uri, pointer = split_ref(_plain(place))
        if uri != self._root:
            folder = self._root.rpartition("/")[0]
            return f"{uri.removeprefix(f'{folder}/')}#{pointer}"
        for one in self.contract.operations:
            if pointer == one.pointer or pointer.startswith(f"{one.pointer}/"):
                inner = "/".join(tokens_of(pointer.removeprefix(one.pointer)))
                return f"{inner} of {one.id}" if inner else one.id
        return "/".join(tokens_of(pointer)) or "the document"

    def _places(self, finding: Finding) -> Iterator[str]:
        operation = self.contract.operation(finding.operation)
        is_response = finding.law == "response" or RESPONSE_SHAPE.fullmatch(finding.shape)
        rule = None if is_response or finding.shape.startswith(tuple(ROOT_SHAPES)) else HTTP_LAWS.get(finding.law)
        if HTTP_SHAPES.fullmatch(finding.shape) or rule is not None:
            yield rule or SERVER_ERROR_PLACE
        elif finding.law == "model" or OPEN_SHAPES.match(finding.shape):
            yield BEHAVIOUR
        elif operation is None:
            yield f"{self._root}#"
        elif is_response:
            yield from self._response_places(operation, finding)
        elif finding.law in ROOT_PLACES:
            yield f"{self._root}#{ROOT_PLACES[finding.law]}"
        elif finding.law == "coverage":
            yield from self._coverage_places(operation, finding.shape)
        elif finding.law in STATE_LAWS:
            yield from self._state_places(operation, finding)
        else:
            yield from self._declared_places(operation, finding)

    def _declared_places(self, operation: Operation, finding: Finding) -> Iterator[str]:
        """Yield what the operation declares that a law rests on."""
        word = WORD_SHAPE.match(finding.shape)
        root = next((place for shape, place in ROOT_SHAPES.items() if finding.shape.startswith(shape)), None)
        if root is not None:
            yield f"{self._root}#{root}"
        elif word is not None and (parameter := _parameter(operation, word["name"])):
            yield parameter
        elif finding.law == "stamps":
            rules = self._rules(self._resource_name(operation, finding.evidence))
            yield f"{rules}/{finding.shape.partition(' ')[0]}"
        elif finding.law in LAW_PLACES and operation.bulk is not None:
            yield from (self._at(operation, f"/x-bulk/{one}") for one in _law_places(operation, finding))
        elif finding.shape == OTHER_KEY:
            yield self._at(operation, "/x-record/sameKey")
        elif finding.law in OPERATION_PLACES:
            yield self._at(operation, OPERATION_PLACES[finding.law])
        else:
            yield self._at(operation, "/x-bulk" if operation.bulk else "/x-record" if operation.record else "")

    def _at(self, operation: Operation, pointer: str) -> str:
        return f"{self._root}#{operation.pointer}{pointer}"

    def _response_places(self, operation: Operation, finding: Finding) -> Iterator[str]:
        shape = RESPONSE_SHAPE.fullmatch(finding.shape)
        declared = operation.response(int(shape["status"])) if shape is not None else None
        if shape is None or declared is None:
            yield self._at(operation, "/responses")
            return
        kind, _, name = shape["where"].partition(":")
        own = self._at(operation, f"/responses/{declared.status}")
        header = next((one for one in declared.headers if one.name == name), None) if kind == "header" else None
        if header is not None and header.schema is not None:
            yield header.schema.ref
        elif kind == "body" and finding.evidence:
            found = _broken_schema(declared, finding.evidence[0], shape["pointer"] or "", shape["rule"])
            yield found or own
        else:
            yield own

    def _coverage_places(self, operation: Operation, shape: str) -> Iterator[str]:
        check, _, status = shape.partition(" ")
        if "conformance" in check:
            declared = operation.response(int(status)) if status.isdigit() else None
            yield self._at(operation, "/responses" if declared is None else f"/responses/{declared.status}")
            return
        media = operation.body.content if operation.body is not None else ()
        schema = next((one.schema for one in media if one.schema is not None), None)
        yield self._at(operation, "/requestBody" if operation.body is not None else "/parameters")
        yield from self._assumed_inside(schema)

    def _state_places(self, operation: Operation, finding: Finding) -> Iterator[str]:
        shape, member = general_shape(finding.shape), member_at(finding.shape)
        if operation.bulk is not None:
            refused = ACCEPTED_SHAPE.fullmatch(shape) or REFUSED_SHAPE.fullmatch(shape)
            if refused is not None and refused["word"] in operation.bulk.guard.refuse:
                yield from (self._at(operation, f"/x-bulk/{one}") for one in _law_places(operation, finding))
                return
        elif OTHER_STATUS.search(shape):
            yield self._at(operation, "/x-record/invalid")
            return
        yield self._at(operation, "/x-bulk/effect" if operation.bulk is not None else "")
        name = self._resource_name(operation, finding.evidence)
        if (resource := self.contract.resources.get(name)) is None:
            return
        reason = next((f"/{one}" for pattern, one in REASON_MEMBERS if pattern.search(shape)), "")
        if name in as_mapping(self.contract.document.get("x-resources")):  # others are inferred
            yield f"{self._rules(name)}{reason}"
        schema = None if resource.schema is None else self.contract.schemas.schema(resource.schema)
        if schema is not None and member:
            yield from [inner.ref] if (inner := schema.at(member)) is not None else []
        elif SCHEMA_SHAPES.match(shape):
            yield from self._assumed_inside(schema)

    def _rules(self, name: str) -> str:
        return f"{self._root}#/x-resources/{pointer_of((name,))[1:]}"

    def _resource_name(self, operation: Operation, evidence: Sequence[Exchange]) -> str:
        for one in (operation, *filter(None, (self.contract.operation(seen.operation or "") for seen in evidence))):
            choice = one.bulk.effect.resource if one.bulk is not None else one.record and one.record.resource
            if choice:
                request = next((seen for seen in evidence if seen.operation == one.id), None)
                found = self._chosen(choice, request)
                if found:
                    return found
        return ""

    def _chosen(self, choice: Choice, seen: Exchange | None) -> str:
        """Return the resource that a choice names, where the path of a request says it."""
        where, _, name = choice.source.partition(":")
        if choice.constant or where != "path" or seen is None:
            return choice.constant
        route = self.router.match(seen.request.method, seen.request.path, seen.request)
        word = route.variables.get(name, "") if isinstance(route, Route) else ""
        if not choice.ignore_case:
            return choice.words.get(word, word)
        return next((one for key, one in choice.words.items() if key.lower() == word.lower()), word)

    def _assumed_inside(self, schema: Schema | None) -> Iterator[str]:
        """Yield a schema and the first assumed place inside it: any limit in it may be what is broken."""
        if schema is None:
            return
        yield schema.ref
        uri, pointer = split_ref(_plain(schema.ref))
        inside = (split_ref(one.place) for one in self.contract.provenance.facts if one.assumed and one.place)
        found = next((one for file, one in inside if file == uri and one.startswith(pointer)), None)
        yield from [] if found is None else [f"{uri}#{found}"]


def _parameter(operation: Operation, name: str) -> str:
    """Return the reference of what a parameter says of case or effect, "" when it has no place of its own."""
    known = [
        one for one in operation.parameters if one.name == name and (one.is_ignored or one.ignore_case is not None)
    ]
    schema = known[0].schema if known else None
    word = "x-ignored" if known and known[0].is_ignored else "x-ignore-case"
    return f"{schema.ref.rpartition('/')[0]}/{word}" if schema is not None else ""


def _plain(ref: str) -> str:
    """Return the reference of a schema without its direction."""
    return ref.partition(":")[2] if direction_of(ref) else ref


def _law_places(operation: Operation, finding: Finding) -> tuple[str, ...]:
    """Return the places in `x-bulk` that a finding of a law rests on."""
    shape, (reply, job) = general_shape(finding.shape), LAW_PLACES.get(finding.law, ((), ()))
    chosen = job if _is_about_job(operation, finding.evidence) else reply
    if finding.law == "errors":
        for pattern, place in ERROR_SHAPES:
            if (found := pattern.match(shape)) is not None:
                return (place.format(outcomes=chosen[0].rpartition("/")[0], word=found.groupdict().get("word", "")),)
        return chosen
    for pattern, places in SHAPE_PLACES:
        found = pattern.match(shape)
        if found is not None:
            word = found.groupdict().get("word", "")
            limit = [LIMIT_WORDS[word]] if word in LIMIT_WORDS and "refuse" in places[0] else []
            return (*(one.format(word=word) for one in places), *limit)
    return chosen


def _is_about_job(operation: Operation, evidence: Iterable[Exchange]) -> bool:
    job = operation.bulk.job if operation.bulk is not None else None
    polls = {job.poll, *job.results} if job is not None else set()
    return any(one.operation in polls for one in evidence)


def _broken_schema(declared: DeclaredResponse, exchange: Exchange, pointer: str, rule: str) -> str:
    """Return the reference of the keyword that a value in a response breaks, "" when it cannot be told."""
    media = declared.media(exchange.response.headers.get("content-type")) or next(iter(declared.content), None)
    if media is None or media.schema is None:
        return ""
    tokens = tokens_of(pointer)
    at = pointer_of(tokens[:-1]) if rule in {"additionalProperties", "unevaluatedProperties"} else pointer
    schema = media.schema.response.at(at)
    if schema is None:
        return media.schema.ref
    forms = [one for one in schema.forms() if rule in one.raw]
    value = look_up(exchange.response.data, pointer_of("0" if one == "*" else one for one in tokens_of(at)))
    broken = [one for one in forms if value is ABSENT or not _fits(one, rule, value)] if len(forms) > 1 else forms
    found: Schema = (broken or forms or [schema])[0]
    return f"{found.ref}/{rule}" if rule in found.raw else found.ref


def _fits(schema: Schema, rule: str, value: Any) -> bool:
    return compiled(schema.within.enclosed({rule: schema.raw[rule]})).is_valid(value)
