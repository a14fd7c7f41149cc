"""Find served APIs (`find_sources`): bundled ones, plug-ins (entry points, Python files, modules), and OpenAPI files.

Plug-ins are entry points of the group `bulkproof.apis`, https://packaging.python.org/specifications/entry-points/.
"""

import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from contracts.errors import BulkproofError, MisuseError
from contracts.openapi.loading import DEFAULT_OPTIONS, LoadOptions, bundled_path, load
from contracts.openapi.model import Contract
from contracts.syntax.remote import is_url
from contracts.syntax.text import did_you_mean
from mockserver.api.model import Api
from mockserver.engine.default_hooks import DEFAULT_HOOKS

BUNDLED: Final = {"genero": "mockserver.apis.genero:api", "onkey": "mockserver.apis.onkey:api"}
ENTRY_POINT_GROUP: Final = "bulkproof.apis"
DOCUMENT_SUFFIXES: Final = frozenset((".json", ".yaml", ".yml"))
PYTHON_PLACE: Final = re.compile(r"(?:(?P<file>.+\.py)|(?P<module>[A-Za-z_]\w*(?:\.\w+)*)):(?P<name>[A-Za-z_]\w*)")
_UNFIT: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The origin of one API. `document` is its OpenAPI file, None for a plug-in without a file of its own."""

    load: Callable[[], Api]
    document: Path | None = None
    options: LoadOptions = DEFAULT_OPTIONS

    def files(self, contract: Contract) -> tuple[Path, ...]:
        """Return the files that the contract was read from, none for a plug-in."""
        return contract.files if self.document else ()

    def reload(self, api: Api) -> Api:
        """Return the API with its contract read and validated again. Raises ContractError."""
        assert self.document is not None  # noqa: S101 - files() has named nothing to watch
        return replace(api, contract=load(self.document, name=api.contract.name, options=self.options))


def find_sources(names: Iterable[str], options: LoadOptions = DEFAULT_OPTIONS) -> list[Source]:
    """Return the sources of APIs; each name is a bundled API, an OpenAPI file, a URL, or a plug-in.

    A plug-in is installed, or a name in Python: `FILE.py:api`, `module:attr`, an Api or a function that returns one.

    `options` are for the files. Raises MisuseError for an unknown name, and for overlays or presets without a file.
    """
    sources = [_source(name, options) for name in names]
    if (options.overlays or options.presets) and not any(source.options == options for source in sources):
        raise MisuseError("overlays and presets are for OpenAPI files, and no file is named.", cure="Name the file.")
    return [_with_bugs(source) for source in sources]


def _with_bugs(source: Source) -> Source:
    """Return the source of the same API, in which bugs can be planted."""
    return replace(source, load=lambda: replace(source.load(), plant=_planted))


def _planted(api: Api, *names: str) -> Api:
    from mockserver.mutants.planting import planted  # noqa: PLC0415 - only where a bug is

    return planted(api, *names)


def _source(name: str, options: LoadOptions) -> Source:
    if name in BUNDLED:
        return Source(load=lambda: _imported(BUNDLED[name]), document=bundled_path(name))
    if is_url(name):
        return Source(load=lambda: _from_document(name, options), options=options)
    if (place := PYTHON_PLACE.fullmatch(name)) is not None:
        return Source(load=lambda: _from_python(place))
    path = Path(name)
    if path.suffix.lower() in DOCUMENT_SUFFIXES or len(path.parts) > 1 or path.is_file():
        load_document = partial(_from_document, path, options)
        return Source(load=load_document, document=path, options=options)
    return Source(load=_plug_in(name))


def _imported(place: str) -> Api:
    module, _, attribute = place.partition(":")
    api: Api = getattr(import_module(module), attribute)()
    return api


def _from_python(place: re.Match[str]) -> Api:
    """Return the API at a place such as `api.py:api`. Raises MisuseError: it cannot be imported, or is no Api."""
    where, folder = place[0], Path(place["file"]).parent if place["file"] else Path()
    if place["file"] and not Path(place["file"]).is_file():
        raise MisuseError("there is no such file.", where=place["file"], cure="Check the name and the folder.")
    if str(folder.resolve()) not in sys.path:
        sys.path.insert(0, str(folder.resolve()))  # what is beside it can be imported
    try:
        found = getattr(import_module(Path(place["file"]).stem if place["file"] else place["module"]), place["name"])
        api = found if isinstance(found, Api) else found()
    except BulkproofError:
        raise
    except Exception as error:
        fact = f"it cannot be loaded: {type(error).__name__}: {error}."
        raise MisuseError(fact, where=where, cure="Write FILE.py:NAME or module:NAME of an Api.") from error
    if not isinstance(api, Api):
        fact = f"it is {type(api).__name__}, not an Api."
        raise MisuseError(fact, where=where, cure="Name a mockserver.api.model.Api, or a function that returns one.")
    return api


def _from_document(source: Path | str, options: LoadOptions) -> Api:
    path = Path(urlsplit(source).path) if isinstance(source, str) else source
    if source is path and not path.exists():
        raise MisuseError("there is no such file.", where=str(path), cure="Check the name and the folder.")
    name = _UNFIT.sub("-", path.stem).strip("-") or "api"
    return Api(name=name, contract=load(source, name=name, options=options), hooks=DEFAULT_HOOKS)


def _plug_in(name: str) -> Callable[[], Api]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - it reads every installed distribution

    found = entry_points(group=ENTRY_POINT_GROUP)
    for entry in found:
        if entry.name == name:
            made: Callable[[], Api] = entry.load()
            return made
    known = sorted({*BUNDLED, *found.names})
    cure = did_you_mean(name, known) or f"Name one of {', '.join(known)}, or an OpenAPI file."
    raise MisuseError(f"there is no API '{name}'.", cure=cure)
