"""Read YAML and JSON files into JSON values; a file that cannot be read raises UnreadableError with one Fault.

Begin with `read_document`. YAML is read by the core schema of YAML 1.2 (chapter 10.3): `no`, `12:30` and dates are
strings. `<<` merges mappings, as in YAML 1.1.
"""

import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from contracts.errors import Fault
from contracts.syntax.flaws import MAX_DIGITS, Notes, parse_flawed_json, settle_numbers
from contracts.syntax.json_text import MAX_INTEGER, MIN_INTEGER, JsonFault, read_json
from contracts.syntax.text import tokens_of

if TYPE_CHECKING:
    from yaml import Event, Mark


MAX_NODES: Final = 2_000_000  # with aliases expanded; the largest public documents have about 500,000
MAX_DEPTH: Final = 100
UNPRINTABLE: Final = re.compile("[\\0-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x84\\x86-\\x9f\\ud800-\\udfff\\ufffe\\uffff]")
CORE: Final = "tag:yaml.org,2002:"
CORE_LITERALS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
NUMERIC: Final = frozenset("-+.0123456789")
INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT: Final = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
UNSET: Final = object()


class _Position(NamedTuple):
    """Line and column, counted from 0."""

    line: int
    column: int


class YamlError(ValueError):
    """Text that is not YAML, or not a JSON value: line, column and problem."""

    def __init__(self, mark: "Mark | _Position | None", problem: str) -> None:
        self.place = (mark.line + 1, mark.column + 1) if mark else None
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        super().__init__(f"{where}{problem}.")


class _DeepError(YamlError):
    """Nesting beyond MAX_DEPTH."""


def parse_yaml(text: str, notes: Notes | None = None) -> Any:
    """Return the JSON value of YAML text. Raises YamlError; what can be mended goes to `notes`, when they are given."""
    import yaml  # noqa: PLC0415 - only YAML needs it

    try:
        return _built(text, notes)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _check_depth(text[: mark.index] if mark else text)
        raise YamlError(mark, error.problem or error.context or "bad") from None
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise _unprintable(text) or YamlError(None, str(error).splitlines()[0]) from None


def _unprintable(text: str) -> YamlError | None:
    """Return the error for the first character that YAML 1.2 does not allow, None without one."""
    found = UNPRINTABLE.search(text)
    if found is None:
        return None
    before = text[: found.start()]
    place = _Position(before.count("\n"), len(before) - before.rfind("\n") - 1)
    return YamlError(place, f"control characters are not allowed, such as U+{ord(found[0]):04X}")


def _built(text: str, notes: Notes | None = None) -> Any:
    import yaml  # noqa: PLC0415 - only YAML needs it

    return _Builder(getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text).get_event, notes).value()


def _check_depth(before: str) -> None:
    """Raise YamlError when the text before a parser's error is by itself nested beyond MAX_DEPTH.

    The parser reads ahead of its events, and may meet a nesting limit of its own first.
    """
    import yaml  # noqa: PLC0415 - only YAML needs it

    with suppress(yaml.YAMLError):
        try:
            _built(before)
        except _DeepError:
            raise
        except YamlError:  # may be due to the truncation
            return


class _OpenNode:
    """A mapping or sequence whose end event has not come."""

    __slots__ = ("anchor", "key", "merged", "value")

    def __init__(self, value: "dict[str, Any] | list[Any]", anchor: str | None) -> None:
        self.value, self.anchor = value, anchor
        self.key: Any = UNSET
        self.merged: list[Any] = []


class _Builder:
    """Builds a value from a parser's events."""

    def __init__(self, next_event: "Callable[[], Event | None]", notes: Notes | None) -> None:
        self._next = next_event
        self._notes = notes
        self._open: list[_OpenNode] = []
        self._anchors: dict[str, Any] = {}
        self._root: Any = UNSET
        self._nodes = 0
        self._handlers: Mapping[str, Callable[[Any], None]] = {
            "ScalarEvent": self._scalar,
            "AliasEvent": self._alias,
            "MappingStartEvent": lambda event: self._begin({}, event),
            "MappingEndEvent": self._end,
            "SequenceStartEvent": lambda event: self._begin([], event),
            "SequenceEndEvent": self._end,
        }

    def value(self) -> Any:
        while (event := self._next()) is not None:
            handler = self._handlers.get(type(event).__name__)
            if handler is not None:
                handler(event)
        return None if self._root is UNSET else self._root

    def _scalar(self, event: Any) -> None:
        top = self._open[-1] if self._open else None
        if top is not None and top.key is UNSET and type(top.value) is dict:
            self._key(top, event)
            return
        value = self._value(event)
        if event.anchor:
            self._anchors[event.anchor] = value
        self._put(value, event)

    def _value(self, event: Any) -> Any:
        try:
            value = _resolved(event)
        except YamlError as error:
            self._mend(error, "It is taken as text.")
            return event.value
        if self._notes is not None and type(value) is int and not MIN_INTEGER <= value <= MAX_INTEGER:
            return self._notes.big_integer(event.value)
        return value

    def _mend(self, error: YamlError, done: str) -> None:
        """Note a mistake. Raises it where nothing is mended."""
        if self._notes is None:
            raise error
        self._notes.facts.append((str(error), done))

    def _key(self, top: _OpenNode, event: Any) -> None:
        if event.value in top.value:
            self._mend(YamlError(event.start_mark, f"the key {event.value!r} occurs twice"), "The last one counts.")
        top.key = event.value
        if event.anchor:
            self._anchors[event.anchor] = event.value

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            raise YamlError(event.start_mark, f"the alias '*{event.anchor}' names no anchor before it")
        self._put(self._copied(self._anchors[event.anchor], len(self._open), event), event)

    def _begin(self, value: "dict[str, Any] | list[Any]", event: Any) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise _DeepError(event.start_mark, f"it is nested more than {MAX_DEPTH} deep")
        self._open.append(_OpenNode(value, event.anchor))

    def _end(self, event: Any) -> None:
        done = self._open.pop()
        for other in done.merged:
            for key, one in other.items():
                done.value.setdefault(key, self._copied(one, len(self._open), event))  # type: ignore[union-attr] # only mappings merge
        if done.anchor:
            self._anchors[done.anchor] = done.value
        self._put(done.value, event)

    def _put(self, value: Any, event: Any) -> None:
        self._count(event)
        if not self._open:
            if self._root is not UNSET:
                raise YamlError(event.start_mark, "a second document begins")
            self._root = value
            return
        top = self._open[-1]
        if type(top.value) is list:
            top.value.append(value)
        elif top.key is UNSET:
            raise YamlError(event.start_mark, "a key is no text")
        else:
            self._member(top, value, event)

    def _member(self, top: _OpenNode, value: Any, event: Any) -> None:
        key, top.key = top.key, UNSET
        if key != "<<":
            top.value[key] = value
            return
        top.merged = value if isinstance(value, list) else [value]
        if not all(isinstance(one, dict) for one in top.merged):
            raise YamlError(event.start_mark, "'<<' takes a mapping, or a sequence of them")

    def _copied(self, value: Any, depth: int, event: Any) -> Any:
        self._count(event)
        if depth > MAX_DEPTH:
            raise YamlError(
                event.start_mark, f"it is nested more than {MAX_DEPTH} deep once its aliases are written out"
            )
        if isinstance(value, dict):
            return {key: self._copied(one, depth + 1, event) for key, one in value.items()}
        return [self._copied(one, depth + 1, event) for one in value] if isinstance(value, list) else value

    def _count(self, event: Any) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise YamlError(event.start_mark, "it is too large once its aliases are written out")


def _resolved(event: Any) -> Any:
    """Return the value of a scalar; quoted scalars are strings."""
    text: str = event.value
    if event.tag not in {None, "!"}:
        return _tagged(event, text)
    if not event.implicit[0]:
        return text
    if text[:1] in NUMERIC and text:
        return _number(event, text)
    return CORE_LITERALS.get(text, text)


def _tagged(event: Any, text: str) -> Any:
    if event.tag == f"{CORE}str":
        return text
    value = _number(event, text) if text[:1] in NUMERIC and text else CORE_LITERALS.get(text, text)
    kinds = {f"{CORE}int": int, f"{CORE}float": float, f"{CORE}bool": bool, f"{CORE}null": type(None)}
    if event.tag in kinds and isinstance(value, kinds[event.tag]):
        return value
    raise YamlError(event.start_mark, f"the tag '{event.tag}' does not fit {text[:40]!r}")


def _number(event: Any, text: str) -> Any:
    if INTEGER.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise YamlError(event.start_mark, "a number has too many digits")
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    if not FLOAT.fullmatch(text):
        return text
    number = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if not math.isfinite(number):
        raise YamlError(event.start_mark, f"JSON has no number {text[:40]}")
    return number


class UnreadableError(Exception):
    """A file that cannot be read; `fault` says why, `place` in which line and column, where that is known."""

    def __init__(self, fault: Fault, place: tuple[int, int] | None = None) -> None:
        self.fault, self.place = fault, place
        super().__init__(str(fault))


def read_document(path: Path, *, shown: str) -> object:
    """Return the JSON value of a YAML or JSON file; `shown` is the file's name in faults.

    Raises UnreadableError: no such file, a directory, not UTF-8, neither YAML nor JSON, or too large with its aliases
    expanded.
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
    raise _unreadable(shown, fact, cure)


def parse_document(text: str, *, shown: str, mended: list[Fault] | None = None) -> object:
    """Return the JSON value of YAML or JSON text; the name's suffix `.json` requires JSON.

    Raises UnreadableError. `mended` gets a fault for each integer beyond 64 bits, key that occurs twice, and YAML in a
    file of JSON; None refuses these.
    """
    notes = None if mended is None else Notes()
    value = _parsed(text, shown, notes)
    if mended is not None:
        mended += [
            Fault(file=shown, pointer="", fact=fact, cure="Correct it.", mended=done)
            for fact, done in (notes.facts if notes else ())
        ]
    if mended is not None and notes and notes.has_big_integers:
        mended += [
            Fault(file=shown, pointer=pointer, fact=BIG_INTEGER, cure="Write a smaller one.", mended=done)
            for pointer, done in settle_numbers(value)
        ]
    return value


BIG_INTEGER: Final = "an integer does not fit 64 bits."


def _parsed(text: str, shown: str, notes: Notes | None) -> object:
    is_json = shown.lower().endswith(".json")
    if is_json or text.lstrip()[:1] in {"{", "["}:
        value = read_json(text.encode("utf-8", "surrogatepass"), max_depth=MAX_DEPTH)
        if not isinstance(value, JsonFault):
            return value
        place = f"line {value.line}, column {value.column}: {value.detail}"
        if notes is not None and value.kind in {"number", "duplicate"}:
            mended = parse_flawed_json(text, notes)
            if value.kind == "duplicate":  # the first one's place is known
                notes.facts[0] = (place, notes.facts[0][1])
            return mended
        if is_json and notes is None:
            raise _unreadable(shown, place, "Mend the JSON.", (value.line, value.column))
    try:
        value = parse_yaml(text, notes)
    except YamlError as error:
        fact, at = (place, None) if is_json else (str(error), error.place)
        raise _unreadable(shown, fact, f"Mend the {'JSON' if is_json else 'YAML'}.", at) from None
    if is_json and notes is not None:
        notes.facts.append((place, "It is read as YAML."))
    return value


def _unreadable(shown: str, fact: str, cure: str, place: tuple[int, int] | None = None) -> UnreadableError:
    return UnreadableError(Fault(file=shown, pointer="", fact=fact, cure=cure), place)


def place_in(text: str, pointer: str) -> tuple[int, int] | None:
    """Return line and column, from 1, of what a JSON Pointer names in YAML or JSON text; None for any other text.

    A member begins with its name. What is not there has the place of what lacks it.
    """
    import yaml  # noqa: PLC0415 - only YAML needs it

    try:
        node = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return None
    mark = None if node is None else node.start_mark
    for token in tokens_of(pointer):
        if isinstance(node, yaml.MappingNode):
            members = {key.value: (key.start_mark, value) for key, value in node.value if isinstance(key.value, str)}
        elif isinstance(node, yaml.SequenceNode):
            members = {str(n): (value.start_mark, value) for n, value in enumerate(node.value)}
        else:
            members = {}
        if token not in members:
            break
        mark, node = members[token]
    return None if mark is None else (mark.line + 1, mark.column + 1)
