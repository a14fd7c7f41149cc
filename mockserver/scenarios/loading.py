"""Load scenarios from files, texts and values (`load`), one Fault for each mistake; find them by name (`Catalogue`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from contracts.errors import Fault, MisuseError, ScenarioError
from contracts.syntax.documents import UnreadableError, parse_document, read_text
from contracts.syntax.text import names_hint

if TYPE_CHECKING:
    from contracts.schemas.published import PublishedSchema
    from mockserver.scenarios.model import Scenario

SCHEMA_FILE: Final = Path(__file__).parent / "scenario.schema.json"
SCENARIO_SUFFIXES: Final = (".yaml", ".yml", ".json")


@cache
def schema() -> Mapping[str, Any]:
    """Return the published JSON Schema (2020-12) of scenario documents."""
    found: Mapping[str, Any] = orjson.loads(SCHEMA_FILE.read_bytes())
    return found


def load(document: object, *, shown: str = "scenario") -> "Scenario":
    """Return the scenario of a JSON value; `shown` names it in faults. Raises ScenarioError."""
    from mockserver.scenarios.building import build_scenario  # noqa: PLC0415 - most servers play nothing

    faults = sorted(set(_faults(document, shown)))
    if faults or not isinstance(document, Mapping):
        raise ScenarioError(tuple(faults))
    return build_scenario(document)


def load_text(text: str, *, shown: str = "scenario") -> "Scenario":
    """Return the scenario of YAML or JSON text. Raises ScenarioError."""
    try:
        return replace(load(parse_document(text, shown=shown), shown=shown), source=text)
    except UnreadableError as error:
        raise ScenarioError((error.fault,)) from error


def load_file(path: Path) -> "Scenario":
    """Return the scenario of a file. Raises ScenarioError when it cannot be read or is invalid."""
    try:
        return load_text(read_text(path, shown=str(path)), shown=str(path))
    except UnreadableError as error:
        raise ScenarioError((error.fault,)) from None


def load_trusted(path: Path) -> "Scenario":
    """Return the scenario of a bundled file, without validation."""
    from mockserver.scenarios.building import build_scenario  # noqa: PLC0415 - most servers play nothing

    text = path.read_text(encoding="utf-8")
    document: Any = parse_document(text, shown=path.name)
    return replace(build_scenario(document), source=text)


def _faults(document: object, shown: str) -> Iterator[Fault]:
    from mockserver.scenarios.validation import mistakes  # noqa: PLC0415 - most servers play nothing

    published = _published()
    yield from published.faults(document, shown=shown)
    if published.validator.is_valid(document):
        assert isinstance(document, Mapping)  # noqa: S101 - the schema has said so
        yield from (Fault(file=shown, pointer=at, fact=fact, cure=cure) for at, fact, cure in mistakes(document))


@cache
def _published() -> "PublishedSchema":
    from contracts.schemas.published import PublishedSchema  # noqa: PLC0415 - most servers play nothing

    return PublishedSchema(schema())


BUNDLED: Final = Path(__file__).parent / "bundled"
DEFAULT_BASE_URL: Final = "http://127.0.0.1:8080"


@cache
def _files() -> Mapping[str, Path]:
    return {path.stem: path for path in sorted(BUNDLED.glob("*/*.yaml"))}


@cache
def bundled(name: str) -> "Scenario":
    """Return a bundled scenario. Raises KeyError when there is none of that name."""
    return load_trusted(_files()[name])


def bundled_names() -> tuple[str, ...]:
    """Return the names of the bundled scenarios."""
    return tuple(_files())


@dataclass(slots=True)
class Catalogue:
    """Scenarios by name. `loaded` are those from files, which override bundled ones of the same name."""

    loaded: "dict[str, Scenario]" = field(default_factory=dict)

    def add(self, scenario: "Scenario") -> None:
        """Add a scenario, or replace the one of the same name."""
        self.loaded[scenario.name] = scenario

    def read(self, path: Path) -> "Scenario":
        """Add the scenario of a file, and return it. Raises ScenarioError."""
        scenario = load_file(path)
        self.add(scenario)
        return scenario

    def choose(self, word: str) -> "tuple[Scenario, Path | None]":
        """Return the scenario that a word of the command line names, and its file when it is one.

        Raises ScenarioError for an invalid file, MisuseError for an unknown name.
        """
        path = Path(word)
        if path.suffix.lower() in SCENARIO_SUFFIXES or len(path.parts) > 1:
            return self.read(path), path
        return self.get(word), None

    def get(self, name: str) -> "Scenario":
        """Return the scenario of that name. Raises MisuseError."""
        if name in self.loaded:
            return self.loaded[name]
        if name in _files():
            return bundled(name)
        cure = names_hint(name, self.names())
        raise MisuseError(f"there is no scenario named '{name}'.", cure=cure)

    def names(self) -> tuple[str, ...]:
        """Return every name, the loaded ones first."""
        return (*self.loaded, *(name for name in _files() if name not in self.loaded))

    def __iter__(self) -> "Iterator[Scenario]":
        return map(self.get, self.names())


def ways_to_select(name: str, base: str = DEFAULT_BASE_URL) -> dict[str, str]:
    """Return how to select a scenario: for one request, a server, a test, or a sandbox at `base`."""
    body = orjson.dumps({"scenarios": [name]}).decode()
    return {
        "header": f"Prefer: scenario={name}",
        "cli": f"bulkproof serve --scenario {name}",
        "pytest": f'bulkproof.scenario("{name}")',
        "control": f"curl -X PUT {base}/_sandbox/sandboxes/default/scenarios"
        f" -H 'Content-Type: application/json' -d '{body}'",
    }
