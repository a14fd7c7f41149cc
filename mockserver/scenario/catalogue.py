"""The scenarios that can be selected by name: the bundled ones, and those loaded from files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from contracts.errors import MisuseError
from contracts.names import did_you_mean

if TYPE_CHECKING:
    from mockserver.scenario.rules import Scenario

BUNDLED: Final = Path(__file__).parent / "bundled"
BASE: Final = "http://127.0.0.1:8080"


@cache
def _files() -> Mapping[str, Path]:
    return {path.stem: path for path in sorted(BUNDLED.glob("*/*.yaml"))}


@cache
def bundled(name: str) -> "Scenario":
    """Return a bundled scenario. Raises KeyError when there is none of that name."""
    from mockserver.scenario.loading import load_trusted  # noqa: PLC0415 - most servers play nothing

    return load_trusted(_files()[name])


def bundled_names() -> tuple[str, ...]:
    """Return the names of the bundled scenarios."""
    return tuple(_files())


@dataclass(slots=True)
class Catalogue:
    """Scenarios by name. `loaded` are those from files, which come before a bundled one of the same name."""

    loaded: "dict[str, Scenario]" = field(default_factory=dict)

    def add(self, scenario: "Scenario") -> None:
        """Take a scenario in, in the place of one of that name."""
        self.loaded[scenario.name] = scenario

    def read(self, path: Path) -> "Scenario":
        """Take in the scenario in a file, and return it. Raises ScenarioError."""
        from mockserver.scenario.loading import load_file  # noqa: PLC0415 - as above

        scenario = load_file(path)
        self.add(scenario)
        return scenario

    def choose(self, word: str) -> "tuple[Scenario, Path | None]":
        """Return the scenario that a word of the command line names, and its file when it is one.

        Raises ScenarioError for a file that has faults, MisuseError for a name that there is not.
        """
        from mockserver.scenario.loading import SUFFIXES  # noqa: PLC0415 - as above

        path = Path(word)
        if path.suffix.lower() in SUFFIXES or len(path.parts) > 1:
            return self.read(path), path
        return self.get(word), None

    def get(self, name: str) -> "Scenario":
        """Return the scenario of that name. Raises MisuseError."""
        if name in self.loaded:
            return self.loaded[name]
        if name in _files():
            return bundled(name)
        cure = did_you_mean(name, self.names()) or "GET /_sandbox/scenarios lists the scenarios."
        raise MisuseError(f"there is no scenario named '{name}'.", cure=cure)

    def names(self) -> tuple[str, ...]:
        """Return every name: the loaded ones first."""
        return (*self.loaded, *(name for name in _files() if name not in self.loaded))

    def __iter__(self) -> "Iterator[Scenario]":
        return map(self.get, self.names())


def ways_to_select(name: str, base: str = BASE) -> dict[str, str]:
    """Return the exact ways to select a scenario: for one call, for a server, for a test, for a sandbox at `base`."""
    body = orjson.dumps({"scenarios": [name]}).decode()
    return {
        "header": f"Prefer: scenario={name}",
        "cli": f"bulkproof serve --scenario {name}",
        "pytest": f'bulkproof.scenario("{name}")',
        "control": f"curl -X PUT {base}/_sandbox/sandboxes/default/scenarios"
        f" -H 'Content-Type: application/json' -d '{body}'",
    }
