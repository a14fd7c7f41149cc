"""What is written in a case against what came: filling in names, spreading ranges, comparing with patterns."""

import json
import re
from collections.abc import Iterator
from typing import Any

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
PLACEHOLDER = re.compile(r"\{\{(?P<name>" + NAME + r")?(?::(?P<kind>[a-z]+|/.*?/))?\}\}")
REPEATED = re.compile(r"\{\{(?P<text>\S+?)\*(?P<times>\d+)\}\}")
RANGE_MEMBER = re.compile(r'"\{\{' + NAME + r'\}\}"\s*:')
RANGE = re.compile(r"(\d+)\.\.(\d+)$")
REST = "..."
ABSENT = "{{absent}}"

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
KINDS = {
    "any": lambda _: True,
    "boolean": lambda value: isinstance(value, bool),
    "instant": lambda value: isinstance(value, str) and INSTANT.fullmatch(value) is not None,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "uuid": lambda value: isinstance(value, str) and UUID4.fullmatch(value) is not None,
}
Names = dict[str, Any]


def fill(text: str, names: Names) -> str:
    """Return `text` with the names it knows replaced and repetitions written out."""
    known = PLACEHOLDER.sub(lambda found: str(names[found["name"]]) if found["name"] in names else found[0], text)
    return REPEATED.sub(lambda found: found["text"] * int(found["times"]), known)


def body_of_call(text: str, names: Names) -> bytes:
    """Return the bytes to send: `text` itself, or the JSON with its ranges spread."""
    filled = fill(text, names)
    if RANGE_MEMBER.search(filled):
        filled = json.dumps(spread(json.loads(filled)), ensure_ascii=False)
    return filled.encode()


def spread(value: Any) -> Any:
    """Return a JSON value with each range element turned into its copies."""
    if isinstance(value, dict):
        return {key: spread(one) for key, one in value.items()}
    if isinstance(value, list):
        return [copy for one in value for copy in _copies(one)]
    return value


def _copies(element: Any) -> Iterator[Any]:
    ranged = [key for key in element if RANGE_MEMBER.match(f'"{key}":')] if isinstance(element, dict) else []
    if not ranged:
        yield spread(element)
        return
    first, last = map(int, RANGE.match(element[ranged[0]]).groups())
    rest = {key: spread(one) for key, one in element.items() if key != ranged[0]}
    for number in range(first, last + 1):
        yield _numbered(rest, ranged[0], number)


def _numbered(value: Any, mark: str, number: int) -> Any:
    if isinstance(value, dict):
        return {key.replace(mark, str(number)): _numbered(one, mark, number) for key, one in value.items()}
    if isinstance(value, list):
        return [_numbered(one, mark, number) for one in value]
    if isinstance(value, str):
        return number if value == f"{mark[:-2]}:integer}}}}" else value.replace(mark, str(number))
    return value


def differences_of_body(expected: str, got: bytes, names: Names) -> Iterator[str]:
    """Yield what of a reply's body is not as expected; names that appear for the first time are taken down."""
    if expected == REST:
        return
    try:
        wanted = spread(json.loads(REPEATED.sub(lambda found: found["text"] * int(found["times"]), expected)))
    except ValueError:
        yield from differences(expected, got.decode(errors="replace").strip(), names, "body")
        return
    try:
        value = json.loads(got)
    except ValueError:
        yield f"body: expected JSON, got {got[:200]!r}"
        return
    yield from differences(wanted, value, names, "")


def differences(expected: Any, got: Any, names: Names, pointer: str) -> Iterator[str]:
    """Yield one line for each place where `got` does not fit `expected`."""
    if isinstance(expected, str) and PLACEHOLDER.search(expected):
        yield from _pattern(expected, got, names, pointer)
    elif isinstance(expected, dict) and isinstance(got, dict):
        yield from _members(expected, got, names, pointer)
    elif isinstance(expected, list) and isinstance(got, list):
        yield from _elements(expected, got, names, pointer)
    elif expected != got or isinstance(expected, bool) is not isinstance(got, bool):
        yield f"{pointer or 'body'}: expected {_short(expected)}, got {_short(got)}"


def _members(expected: dict[str, Any], got: dict[str, Any], names: Names, pointer: str) -> Iterator[str]:
    for key, value in expected.items():
        name = fill(key, names)
        if name == REST:
            continue
        if value == ABSENT or name not in got:
            if (value == ABSENT) is (name in got):
                yield f"{pointer}/{name}: {'not expected' if name in got else 'missing'}"
            continue
        yield from differences(value, got[name], names, f"{pointer}/{name}")
    known = {fill(key, names) for key in expected}
    for extra in () if REST in expected else [key for key in got if key not in known]:
        yield f"{pointer}/{extra}: not expected, got {_short(got[extra])}"


def _elements(expected: list[Any], got: list[Any], names: Names, pointer: str) -> Iterator[str]:
    is_open = bool(expected) and expected[-1] == REST
    wanted = expected[:-1] if is_open else expected
    if len(got) < len(wanted) or (len(got) > len(wanted) and not is_open):
        least = "at least " if is_open else ""
        yield f"{pointer or 'body'}: expected {least}{len(wanted)} elements, got {len(got)}: {_short(got)}"
    for index, (one, other) in enumerate(zip(wanted, got, strict=False)):
        yield from differences(one, other, names, f"{pointer}/{index}")


def _pattern(expected: str, got: Any, names: Names, pointer: str) -> Iterator[str]:
    whole = PLACEHOLDER.fullmatch(expected)
    if whole:
        yield from _placed(whole, got, names, pointer)
        return
    wanted = fill(expected, names)
    marks = list(PLACEHOLDER.finditer(wanted))
    regex = "(.*?)".join(map(re.escape, _between(wanted, marks)))
    found = re.fullmatch(regex, got, re.DOTALL) if isinstance(got, str) else None
    if found is None:
        yield f"{pointer}: expected {_short(wanted)}, got {_short(got)}"
        return
    for mark, text in zip(marks, found.groups(), strict=True):
        yield from _placed(mark, text, names, pointer)


def _between(text: str, marks: list[re.Match[str]]) -> Iterator[str]:
    end = 0
    for mark in marks:
        yield text[end : mark.start()]
        end = mark.end()
    yield text[end:]


def _placed(mark: re.Match[str], got: Any, names: Names, pointer: str) -> Iterator[str]:
    name, kind = mark["name"], mark["kind"]
    if kind is not None and not _is(kind, got):
        yield f"{pointer}: expected {kind}, got {_short(got)}"
    elif name is not None and names.setdefault(name, got) != got and str(names[name]) != got:
        yield f"{pointer}: expected {name}, which is {_short(names[name])}, got {_short(got)}"


def _is(kind: str, got: Any) -> bool:
    if kind.startswith("/"):
        return isinstance(got, str) and re.fullmatch(kind[1:-1], got) is not None
    return KINDS[kind](got)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:300]}..."
