"""Loading scenarios: from files, texts and values, one Fault a mistake."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from contracts.errors import Fault, ScenarioError
from contracts.reading import UnreadableError, parse_document, read_text
from contracts.schemas import compiled
from mockserver.scenario.building import build
from mockserver.scenario.checks import mistakes
from mockserver.scenario.rules import Scenario

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema_rs import Draft202012Validator as JsonValidator

SCHEMA_FILE: Final = Path(__file__).parent / "scenario.schema.json"
SUFFIXES: Final = (".yaml", ".yml", ".json")


@cache
def schema() -> Mapping[str, Any]:
    """Return the published JSON Schema of scenario documents."""
    found: Mapping[str, Any] = orjson.loads(SCHEMA_FILE.read_bytes())
    return found


def load(document: object, *, shown: str = "scenario") -> Scenario:
    """Return the scenario that a JSON value says; `shown` names it in faults. Raises ScenarioError."""
    faults = sorted(set(_faults(document, shown)))
    if faults or not isinstance(document, Mapping):
        raise ScenarioError(tuple(faults))
    return build(document)


def load_text(text: str, *, shown: str = "scenario") -> Scenario:
    """Return the scenario that YAML or JSON text says. Raises ScenarioError."""
    try:
        return load(parse_document(text, shown=shown), shown=shown)
    except UnreadableError as error:
        raise ScenarioError((error.fault,)) from None


def load_file(path: Path) -> Scenario:
    """Return the scenario in a file. Raises ScenarioError: it cannot be read, or has faults."""
    try:
        return load_text(read_text(path, shown=str(path)), shown=str(path))
    except UnreadableError as error:
        raise ScenarioError((error.fault,)) from None


def load_trusted(path: Path) -> Scenario:
    """Return the scenario in a file that is known to have no faults: one that came with the package."""
    document: Any = parse_document(path.read_text(encoding="utf-8"), shown=path.name)
    return build(document)


def _faults(document: object, shown: str) -> Iterator[Fault]:
    if _quick().is_valid(document):
        assert isinstance(document, Mapping)  # noqa: S101 - the schema has said so
        yield from (Fault(file=shown, pointer=at, fact=fact, cure=cure) for at, fact, cure in mistakes(document))
        return
    from contracts.faults import facts  # noqa: PLC0415 - it needs jsonschema, which the bundled scenarios do without
    from contracts.pointers import pointer_of  # noqa: PLC0415 - beside it

    for error in _validator().iter_errors(document):
        pointer = pointer_of(error.absolute_path)
        yield from (Fault(file=shown, pointer=pointer, fact=fact, cure=cure) for fact, cure in facts(error))


@cache
def _quick() -> "JsonValidator":
    """Return what only says whether a document fits, a thousand times as fast."""
    return compiled(schema())


@cache
def _validator() -> "Draft202012Validator":
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - heavy, and only documents of users are checked

    return Draft202012Validator(schema())
