"""OpenAPI Overlays 1.0 and 1.1: changes that a document gets before it is loaded. Begin with `apply_overlay`.

https://spec.openapis.org/overlay/v1.1.0.html; targets are JSONPath (RFC 9535), read by the library `python-jsonpath`.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import unquote, urljoin

from contracts.errors import ContractError, Fault
from contracts.messages import ABSENT
from contracts.schemas.patterns import linear_regex
from contracts.syntax.documents import UnreadableError, parse_document, read_text
from contracts.syntax.remote import fetch_text, is_url
from contracts.syntax.text import did_you_mean, look_up, pointer_of, type_name

if TYPE_CHECKING:
    from jsonpath import JSONPathEnvironment

NO_FILES: Final = ("://", "urn:")


def is_overlay(document: object) -> bool:
    """Return whether a document says that it is an overlay."""
    return isinstance(document, Mapping) and "overlay" in document and "openapi" not in document


def unshared(document: Any) -> Any:
    """Return a copy in which no two places share a value, as aliases of YAML do: each is changed by itself."""
    if isinstance(document, dict):
        return {name: unshared(one) for name, one in document.items()}
    return [unshared(one) for one in document] if isinstance(document, list) else document


def read_overlay(source: Path | str, *, allow_remote: bool = False) -> Mapping[str, Any]:
    """Return the overlay in a YAML or JSON file, or at a URL. Raises ContractError: unreadable, or no overlay."""
    from contracts.openapi.document_checks import check_published  # noqa: PLC0415 - only with an overlay

    shown = str(source)
    try:
        text = (
            read_text(source, shown=shown)
            if isinstance(source, Path)
            else fetch_text(source, allow_remote=allow_remote)
        )
        found = parse_document(text, shown=shown)
    except UnreadableError as error:
        raise ContractError((error.fault,)) from None
    faults = [*check_published("overlay", found, shown)]
    if not faults and isinstance(found, Mapping):
        faults = [*_faulty_actions(found["actions"], shown)]
        if not faults:
            return found
    raise ContractError(tuple(faults))


def _faulty_actions(actions: list[Mapping[str, Any]], shown: str) -> Iterator[Fault]:
    for n, action in enumerate(actions):
        kinds = [kind for kind in ("update", "remove", "copy") if action.get(kind, False) is not False]
        at = pointer_of(("actions", n))
        if len(kinds) > 1 and "remove" not in kinds:
            yield Fault(file=shown, pointer=at, fact="it has both 'update' and 'copy'.", cure="Make two actions of it.")
        elif not kinds and "remove" not in action and "update" not in action:
            yield Fault(file=shown, pointer=at, fact="it changes nothing.", cure="Add 'update', 'remove' or 'copy'.")


def _extended(overlay: Mapping[str, Any], source: Path | str) -> Path | str | None:
    """Return the file or the URL that an overlay extends, None where it names none that could be read."""
    target = overlay.get("extends")
    if not isinstance(target, str):
        return None
    if isinstance(source, str) or is_url(target):
        url = urljoin(source if isinstance(source, str) else "", target).partition("#")[0]
        return url if is_url(url) else None
    return None if any(sign in target for sign in NO_FILES) else source.parent / unquote(target.partition("#")[0])


def extended_document(overlay: Mapping[str, Any], source: Path | str) -> Path | str:
    """Return the file or the URL that an overlay extends. Raises ContractError: it names none that can be read."""
    found, target = _extended(overlay, source), overlay.get("extends")
    if found is not None:
        return found
    fact = "it is an overlay, and does not say of what." if target is None else f"'{target}' is not read."
    name = source if isinstance(source, str) else source.name
    cure = f"Name the document, and add this file with '--overlay {name}'; or save it and write its path here."
    raise ContractError((Fault(file=str(source), pointer="/extends" if target else "", fact=fact, cure=cure),))


def meant_for_another(overlay: Mapping[str, Any], source: Path | str, document: Path | str) -> Iterator[Fault]:
    """Yield a Fault where an overlay says that it extends another document than the one that it is applied to."""
    target = overlay.get("extends")
    shown = str(document)
    if not isinstance(target, str) or target == shown:
        return
    meant = _extended(overlay, source)
    if isinstance(meant, Path) and isinstance(document, Path):
        meant, document = meant.resolve(), document.resolve()
    if meant != document:
        fact, cure = f"it extends '{target}', and is applied to {shown}.", "Name the document that it is for."
        yield Fault(file=str(source), pointer="/extends", fact=fact, cure=cure, mended="It is applied all the same.")


def apply_overlay(document: dict[str, Any], overlay: Mapping[str, Any], *, shown: str) -> list[Fault]:
    """Change a document in place by the actions of an overlay, in turn; `shown` is the overlay's file in faults.

    Returns one Fault for each action that cannot be carried out, and a mended one for each that matches nothing.
    """
    environment = _environment()
    nests = str(overlay["overlay"]).startswith("1.0.")
    faults: list[Fault] = []
    for n, action in enumerate(overlay["actions"]):
        change = _Change(document, environment, is_first_version=nests)
        try:
            change.carry_out(action)
        except _ImpossibleError as error:
            at = pointer_of(("actions", n, error.member))
            mended = "The action is left out." if error.is_harmless else ""
            faults.append(Fault(file=shown, pointer=at, fact=error.fact, cure=error.cure, mended=mended))
    return faults


def _environment() -> "JSONPathEnvironment":
    """Return what reads JSONPath, its expressions (RFC 9485) matched in linear time."""
    from jsonpath import JSONPathEnvironment, JSONPathError  # noqa: PLC0415 - only with an overlay
    from jsonpath.function_extensions import ExpressionType, FilterFunction  # noqa: PLC0415 - the same

    class Regex(FilterFunction):
        """`search` or `match`: whether an expression is found in a text, or matches all of it."""

        arg_types: ClassVar = [ExpressionType.VALUE, ExpressionType.VALUE]
        return_type = ExpressionType.LOGICAL

        def __init__(self, form: str) -> None:
            self.form = form

        def __call__(self, value: object, pattern: object) -> bool:
            """Say whether it is so; other values than texts are not. Raises JSONPathError: no such expression."""
            if not isinstance(value, str) or not isinstance(pattern, str):
                return False
            try:
                return linear_regex(self.form.format(pattern))(value)
            except ValueError:
                raise JSONPathError(f"{pattern!r} is no regular expression of RFC 9485", token=None) from None

    environment = JSONPathEnvironment(strict=True)
    environment.function_extensions |= {"search": Regex("{}"), "match": Regex("^(?:{})$")}
    return environment


class _ImpossibleError(Exception):
    """An action that cannot be carried out: its member at fault, the fact and the cure."""

    def __init__(self, member: str, fact: str, cure: str, *, is_harmless: bool = False) -> None:
        self.member, self.fact, self.cure, self.is_harmless = member, fact, cure, is_harmless
        super().__init__(fact)


class _Change:
    """One action on a document. Overlay 1.0 nests an array in an array, 1.1 joins them and changes primitives too."""

    def __init__(self, document: dict[str, Any], environment: "JSONPathEnvironment", *, is_first_version: bool) -> None:
        self.document = document
        self.environment = environment
        self.is_first_version = is_first_version

    def carry_out(self, action: Mapping[str, Any]) -> None:
        """Change the document. Raises _ImpossibleError."""
        found = self.matches("target", action["target"])
        if not found:
            cure = self.nearest(action["target"])
            raise _ImpossibleError("target", "it matches nothing.", cure, is_harmless=True)
        if action.get("remove"):
            for place in reversed(found):  # elements of an array from its end
                self.remove(place)
            return
        member = "copy" if "copy" in action else "update"
        value = self.copied(action["copy"]) if member == "copy" else action.get("update")
        if member in action:
            for place in found:
                self.update(member, place, value)

    def matches(self, member: str, query: str) -> list[tuple[str | int, ...]]:
        """Return the tokens of the nodes that a query selects, in the order of the document."""
        from jsonpath import JSONPathError  # noqa: PLC0415 - only with an overlay

        try:
            return [match.parts for match in self.environment.finditer(query, self.document)]
        except (JSONPathError, RecursionError) as error:
            says = str(error).partition("\n")[0] or "it is too deep"
            raise _ImpossibleError(member, f"it is no JSONPath: {says}.", "Write it as RFC 9535 has it.") from None

    def nearest(self, query: str) -> str:
        """Return a cure for a query that matches nothing: the name most like the first that is missing."""
        value: Any = self.document
        for token in _plain_tokens(query):
            inner = look_up(value, pointer_of([token]))
            if inner is ABSENT:
                hint = did_you_mean(token, value) if isinstance(value, Mapping) else ""
                return hint or f"There is no '{token}' there."
            value = inner
        return "Correct it, or remove the action."

    def remove(self, place: tuple[str | int, ...]) -> None:
        """Remove a node from the object or array that holds it."""
        if not place:
            raise _ImpossibleError("target", "the whole document cannot be removed.", "Name a part of it.")
        holder = self.at(place[:-1])
        if holder is not ABSENT:  # else it went with a node around it
            del holder[place[-1]]

    def copied(self, query: str) -> object:
        """Return the one node that a query selects."""
        found = self.matches("copy", query)
        if len(found) != 1:
            fact = f"it selects {len(found) or 'no'} nodes." if found else "it matches nothing."
            raise _ImpossibleError("copy", fact, "Select one node.")
        return self.at(found[0])

    def update(self, member: str, place: tuple[str | int, ...], value: object) -> None:
        """Merge a value into an object, append it to an array, or put it in the place of a primitive."""
        node = self.at(place)
        if isinstance(node, dict):
            if not isinstance(value, Mapping):
                fact = f"the target '{pointer_of(place) or '$'}' is an object, and this is {_named(value)}."
                raise _ImpossibleError(member, fact, "Write an object with the members to add or replace.")
            _merge(node, value, member, place)
        elif isinstance(node, list):
            node.extend(deepcopy(value) if isinstance(value, list) and not self.is_first_version else [deepcopy(value)])
        elif isinstance(value, dict | list) or self.is_first_version:
            fact = f"the target '{pointer_of(place)}' is {_named(node)}, neither object nor array."
            cure = "Select the object that holds it; or write 'overlay: 1.1.0' and a primitive value."
            raise _ImpossibleError("target", fact, cure)
        else:
            self.at(place[:-1])[place[-1]] = value

    def at(self, place: tuple[str | int, ...]) -> Any:
        """Return the node at those tokens, ABSENT when it was removed."""
        return look_up(self.document, pointer_of(place))


def _merge(node: dict[str, Any], value: Mapping[str, Any], member: str, place: tuple[str | int, ...]) -> None:
    """Merge objects: objects are merged in turn, arrays joined, all else is replaced."""
    for name, one in value.items():
        old = node.get(name)
        if isinstance(old, dict) and isinstance(one, Mapping):
            _merge(old, one, member, (*place, name))
        elif isinstance(old, list) and isinstance(one, list):
            old.extend(deepcopy(one))
        elif old is not None and _is_clash(old, one):
            fact = f"'{pointer_of((*place, name))}' is {_named(old)}, and cannot be merged with {_named(one)}."
            raise _ImpossibleError(member, fact, "Write a value of the same type, or remove the old one first.")
        else:
            node[name] = deepcopy(one)


def _is_clash(old: object, new: object) -> bool:
    """Return whether a value cannot stand in the place of another: an array for none, null for an object."""
    return isinstance(old, list) or isinstance(new, list) or (isinstance(old, dict) and new is None)


def _named(value: object) -> str:
    kind = type_name(value)
    return kind if kind == "null" else f"{'an' if kind[0] in 'aio' else 'a'} {kind}"


def _plain_tokens(query: str) -> Iterator[str]:
    """Yield the names at the beginning of a query, up to the first selector of another kind."""
    import re  # noqa: PLC0415 - only for a cure

    at, name = 1, re.compile(r"""\.([\w-]+)|\[\s*'((?:[^'\\])*)'\s*\]|\[\s*"((?:[^"\\])*)"\s*\]""")
    while found := name.match(query, at):
        yield found[1] or found[2] or found[3] or ""
        at = found.end()
