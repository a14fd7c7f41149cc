"""Reading YAML and JSON files into plain JSON values; what cannot be read is one Fault."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from contracts.errors import Fault

if TYPE_CHECKING:
    from yaml import Loader, MappingNode

MAX_NODES: Final = 2_000_000  # after aliases are followed; the largest public documents have about 500,000
MAX_DEPTH: Final = 100
BRACKETS: Final = re.compile(r"[\[\]{}]")
DEEP_BLOCKS: Final = re.compile(r"^ {400}|(?:[-?:]\s+(?:[&!]\S*\s+)*){100}", re.MULTILINE)
# YAML 1.2's core schema: 1.1 would take `no`, `12:30` and dates for something else than text
CORE: Final = (
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("tag:yaml.org,2002:int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        list("-+0123456789."),
    ),
    ("tag:yaml.org,2002:merge", r"^<<$", ["<"]),
)


class UnreadableError(Exception):
    """A file that cannot be read; carries its fault."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(str(fault))


def read_document(path: Path, *, shown: str) -> object:
    """Return the JSON value of a YAML or JSON file. `shown` is the file's name in faults.

    Raises UnreadableError: no such file, a directory, not UTF-8, neither YAML nor JSON, or too large with its aliases.
    """
    return parse_document(read_text(path, shown=shown), shown=shown)


def read_text(path: Path, *, shown: str) -> str:
    """Return the text of a UTF-8 file. Raises UnreadableError."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        fact, cure = "there is no such file.", "Check the name and the folder."
    except IsADirectoryError:
        fact, cure = "this is a directory.", "Name the OpenAPI document inside it."
    except UnicodeDecodeError as error:
        fact, cure = f"byte {error.start} is not UTF-8.", "Save the file as UTF-8."
    except (OSError, ValueError) as error:
        fact, cure = f"it cannot be read: {getattr(error, 'strerror', None) or error}.", "Check its permissions."
    raise UnreadableError(Fault(file=shown, pointer="", fact=fact, cure=cure))


def parse_document(text: str, *, shown: str) -> object:
    """Return the JSON value of YAML or JSON text. Raises UnreadableError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if shown.lower().endswith(".json"):
            fact = f"line {error.lineno}, column {error.colno}: {error.msg}."
            raise _unreadable(shown, fact, "Mend the JSON.") from None
    return _Plain(shown).plain(_parse_yaml(text, shown=shown), 0)


def _unreadable(shown: str, fact: str, cure: str) -> UnreadableError:
    return UnreadableError(Fault(file=shown, pointer="", fact=fact, cure=cure))


def _too_deep(text: str) -> bool:
    """Say whether YAML text may be nested too deeply for the parser in C, which would bring the process down."""
    depth = 0
    for bracket in BRACKETS.finditer(text):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MAX_DEPTH:
            return True
    return DEEP_BLOCKS.search(text) is not None


def _parse_yaml(text: str, *, shown: str) -> object:
    import yaml  # noqa: PLC0415 - a JSON document needs none

    if _too_deep(text):
        raise _unreadable(shown, "it is nested too deeply.", f"Nest at most {MAX_DEPTH} levels.")
    try:
        return yaml.load(text, Loader=_loader())  # noqa: S506 - a safe loader with fewer types
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        fact = f"{where}{error.problem or error.context}."
    except yaml.YAMLError as error:
        fact = f"{str(error).splitlines()[0]}."
    except RecursionError:
        fact = "it is nested too deeply."
    except (ValueError, TypeError, OverflowError) as error:
        fact = f"it has a value that cannot be read: {error}."
    raise _unreadable(shown, fact, "Mend the YAML.")


def _loader() -> "type[Loader]":
    """Return the safe YAML loader, written in C where there is one, with 1.2's types and without repeated keys."""
    global _ready  # noqa: PLW0603 - made once, when YAML is first needed
    if _ready is None:
        _ready = _make_loader()
    return _ready


_ready: "type[Loader] | None" = None


def _make_loader() -> "type[Loader]":
    import yaml  # noqa: PLC0415

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Core(base):  # type: ignore[misc] # written in C or in Python, as PyYAML was built
        """YAML 1.2's core schema."""

        yaml_implicit_resolvers: dict[str, list[tuple[str, Any]]] = {}  # noqa: RUF012 - PyYAML's own name and shape

        def construct_mapping(self, node: "MappingNode", deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - PyYAML's signature
            seen = set()
            for key, _ in node.value:
                if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                    problem = f"the key {key.value!r} occurs twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                if isinstance(key, yaml.ScalarNode):
                    seen.add(key.value)
            return super().construct_mapping(node, deep=deep)

        def flatten_mapping(self, node: "MappingNode") -> None:
            super().flatten_mapping(node)
            scalars = {key.value: (key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)}
            others = [pair for pair in node.value if not isinstance(pair[0], yaml.ScalarNode)]
            node.value = [*scalars.values(), *others]  # merges of merges would grow without bound

    for tag, pattern, first in CORE:
        Core.add_implicit_resolver(tag, re.compile(pattern), first)
    return Core


class _Plain:
    """Makes plain JSON values of what YAML gave: names are text, aliases are copies, numbers are finite."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.nodes = 0

    def plain(self, value: object, depth: int) -> object:
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > MAX_DEPTH:
            raise _unreadable(self.shown, "it is too large once its aliases are followed.", "Use fewer YAML aliases.")
        if isinstance(value, Mapping):
            return {_name(key): self.plain(one, depth + 1) for key, one in value.items()}
        if isinstance(value, list):
            return [self.plain(one, depth + 1) for one in value]
        if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
            return value
        fact = f"it has a value that JSON has not: {value!r}."
        raise _unreadable(self.shown, fact, "Write a finite number or quoted text.")


def _name(key: object) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)
