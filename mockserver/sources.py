"""Where served APIs come from: bundled ones, installed plug-ins, and a user's OpenAPI files."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Final

from contracts.document import load
from contracts.errors import MisuseError
from contracts.model import Contract
from contracts.names import did_you_mean
from contracts.references import SCHEME
from contracts.registry import bundled_path
from mockserver.api import Api

BUNDLED: Final = {"genero": "mockserver.apis.genero:api", "onkey": "mockserver.apis.onkey:api"}
GROUP: Final = "bulkproof.apis"
SUFFIXES: Final = frozenset((".json", ".yaml", ".yml"))
_UNFIT: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where one API comes from. `document` is its OpenAPI file, None for a plug-in that keeps its own to itself."""

    load: Callable[[], Api]
    document: Path | None = None

    def files(self, contract: Contract) -> tuple[Path, ...]:
        """Return the files that the contract was read from."""
        if self.document is None:
            return ()
        prefix = f"{SCHEME}/{contract.name}/"
        return tuple(self.document.parent / uri.removeprefix(prefix) for uri in contract.schemas.documents)

    def reload(self, api: Api) -> Api:
        """Return the API with its contract read and checked anew. Raises ContractError."""
        assert self.document is not None  # noqa: S101 - files() has named nothing to watch
        return replace(api, contract=load(self.document, name=api.contract.name))


def find_sources(names: Iterable[str]) -> list[Source]:
    """Return where these APIs come from; each name is a bundled API, a file, or an installed plug-in's.

    Raises MisuseError for a name that is none of them.
    """
    return [_source(name) for name in names]


def _source(name: str) -> Source:
    if name in BUNDLED:
        return Source(load=lambda: _imported(BUNDLED[name]), document=bundled_path(name))
    path = Path(name)
    if path.suffix.lower() in SUFFIXES or len(path.parts) > 1 or path.is_file():
        return Source(load=lambda: _from_file(path), document=path)
    return Source(load=_plug_in(name))


def _imported(place: str) -> Api:
    module, _, attribute = place.partition(":")
    api: Api = getattr(import_module(module), attribute)()
    return api


def _from_file(path: Path) -> Api:
    if not path.exists():
        raise MisuseError("there is no such file.", where=str(path), cure="Check the name and the folder.")
    name = _UNFIT.sub("-", path.stem).strip("-") or "api"
    return Api(name=name, contract=load(path, name=name))


def _plug_in(name: str) -> Callable[[], Api]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - it reads every installed distribution

    found = entry_points(group=GROUP)
    for entry in found:
        if entry.name == name:
            made: Callable[[], Api] = entry.load()
            return made
    known = sorted({*BUNDLED, *found.names})
    cure = did_you_mean(name, known) or f"Name one of {', '.join(known)}, or an OpenAPI file."
    raise MisuseError(f"there is no API '{name}'.", cure=cure)
