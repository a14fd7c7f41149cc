"""The schemas of what one side sends: `readOnly` members are the server's, `writeOnly` members are the client's.

Begin with `Schema.request` and `Schema.response`, which are made of `DirectedSchemas`. OpenAPI Specification 3.0.3,
Schema Object: a `readOnly` member that is required is so in responses only, a `writeOnly` one in requests only. What
the other side sends all the same is accepted and not checked.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote, unquote

from contracts.messages import ABSENT
from contracts.schemas.keywords import children
from contracts.syntax.text import as_list, as_mapping, look_up, split_ref

Direction: TypeAlias = Literal["request", "response"]
ValueAt: TypeAlias = Callable[[str], object]
Names: TypeAlias = frozenset[str]
HIDING_KEYWORDS: Final[Mapping[Direction, str]] = {"request": "readOnly", "response": "writeOnly"}
IN_PLACE_LISTS: Final = ("allOf", "anyOf", "oneOf")
IN_PLACE: Final = ("then", "else")
NEGATED: Final = ("if", "not")  # what they require is not what is sent
NOBODY: Final[Names] = frozenset()


def direction_of(ref: str) -> Direction | None:
    """Return the direction of a reference that `DirectedSchemas` made, None for any other."""
    return next((one for one in HIDING_KEYWORDS if ref.startswith((f"{one}:", f"{one}["))), None)


class DirectedSchemas:
    """The schemas of one direction: copies, made on demand, of those from which a member is hidden.

    Their references are `request:URI#POINTER`, or `request[NAMES]:URI#POINTER` where a schema beside the one at the
    reference hides members of it. Schemas without hidden members keep their own references.
    """

    def __init__(self, direction: Direction, value_at: ValueAt) -> None:
        self.direction = direction
        self._keyword = HIDING_KEYWORDS[direction]
        self._value_at = value_at
        self._made: dict[str, dict[str, object]] = {}
        self._affected: dict[str, bool] = {}

    def reference(self, ref: str, hidden: Names = NOBODY) -> str:
        """Return the reference of the schema at `ref` in this direction, where `hidden` names are hidden around it."""
        names = hidden & self._mentioned(ref) if hidden else hidden
        if not names and not self._is_affected(ref):
            return ref
        return f"{self.direction}{f'[{_written(names)}]' if names else ''}:{ref}"

    def value(self, ref: str) -> object:
        """Return what is at a reference of this direction, ABSENT when nothing is."""
        uri, pointer = split_ref(ref)
        made = self._made.setdefault(uri, {})
        end = len(pointer)
        while end >= 0:
            found = look_up(made[pointer[:end]], pointer[end:]) if pointer[:end] in made else ABSENT
            if found is not ABSENT:
                return found
            end = pointer.rfind("/", 0, end)
        prefix, _, plain = ref.removeprefix(self.direction).partition(":")
        names = frozenset(map(unquote, prefix[1:-1].split(","))) if prefix else NOBODY
        made[pointer] = self._directed(self._value_at(plain), names)
        return made[pointer]

    def _directed(self, schema: object, outer: Names) -> object:
        """Return a copy of a schema in this direction; `outer` are the names that schemas around it hide."""
        if not isinstance(schema, Mapping):
            return schema
        hidden = outer | self._hidden(schema, ("allOf",))
        return {keyword: self._keyword_value(schema, keyword, one, hidden) for keyword, one in schema.items()}

    def _keyword_value(self, schema: Mapping[str, object], keyword: str, value: Any, hidden: Names) -> object:
        if keyword in {"$ref", "dependentRequired", "discriminator", "required"}:
            names = hidden | self._hidden(schema, IN_PLACE_LISTS) if keyword == "required" else hidden
            return self._names(keyword, value, names)
        if keyword == "properties" and isinstance(value, Mapping):
            return {
                name: {self._keyword: True} if name in hidden else self._directed(one, NOBODY)
                for name, one in value.items()
            }
        if keyword in IN_PLACE_LISTS and isinstance(value, list):
            return [one if keyword != "allOf" and _only_requires(one) else self._directed(one, hidden) for one in value]
        return self._directed(value, hidden) if keyword in IN_PLACE else self._other_value(keyword, value)

    def _names(self, keyword: str, value: Any, hidden: Names) -> object:
        """Return the value of a keyword that names members or schemas."""
        if keyword == "$ref" and isinstance(value, str):
            return self.reference(value, hidden)
        if keyword == "required" and isinstance(value, list):
            return [name for name in value if name not in hidden]
        if keyword == "dependentRequired" and isinstance(value, Mapping):
            return {name: [one for one in needed if one not in hidden] for name, needed in value.items()}
        mapping = value.get("mapping") if isinstance(value, Mapping) else None
        if isinstance(mapping, Mapping):
            return {**value, "mapping": {word: self.reference(ref, hidden) for word, ref in mapping.items()}}
        return value

    def _other_value(self, keyword: str, value: object) -> object:
        """Return the value of a keyword whose schemas are those of other values, or of none."""
        if keyword in NEGATED:
            return value
        inner = {tokens[1:]: self._directed(one, NOBODY) for tokens, one in children({keyword: value})}
        if not inner:
            return value
        if () in inner:
            return inner[()]
        return [*inner.values()] if isinstance(value, list) else {name: one for (name,), one in inner.items()}

    def _hidden(self, schema: Mapping[str, object], lists: Iterable[str]) -> Names:
        """Return the hidden members of a schema, those of its parts in the lists counted."""
        return frozenset(
            name
            for form in self._forms(schema, lists)
            for name, one in as_mapping(form.get("properties")).items()
            if self._is_hidden(one)
        )

    def _is_hidden(self, schema: object) -> bool:
        return any(form.get(self._keyword) is True for form in self._forms(schema, ("allOf",)))

    def _mentioned(self, ref: str) -> Names:
        """Return the members that a schema declares or requires, in any of its parts."""
        found: set[str] = set()
        for form in self._forms({"$ref": ref}, IN_PLACE_LISTS):
            found.update(as_list(form.get("required")), as_mapping(form.get("properties")))
        return frozenset(found)

    def _forms(self, schema: object, lists: Iterable[str]) -> Iterator[Mapping[str, object]]:
        """Yield a schema, what its `$ref` leads to, and the parts in these lists, at any depth."""
        waiting, seen = [schema], set[int]()
        while waiting:
            one = waiting.pop()
            if not isinstance(one, Mapping) or id(one) in seen:
                continue
            seen.add(id(one))
            yield one
            if isinstance(one.get("$ref"), str):
                waiting.append(self._target(str(one["$ref"])))
            for keyword in lists:
                waiting += as_list(one.get(keyword))

    def _target(self, ref: str) -> object:
        try:
            return self._value_at(ref)
        except LookupError:
            return ABSENT

    def _is_affected(self, ref: str) -> bool:
        """Say whether a schema, or one that it refers to, has a member that is hidden."""
        known = self._affected.get(ref)
        if known is not None:
            return known
        waiting, seen = [ref], {ref}
        while waiting:
            for one in _nested(self._target(waiting.pop())):
                target = one.get("$ref")
                known = self._affected.get(target) if isinstance(target, str) else None
                if known or one.get(self._keyword) is True:
                    self._affected[ref] = True
                    return True
                if isinstance(target, str) and known is None and target not in seen:
                    seen.add(target)
                    waiting.append(target)
        self._affected.update(dict.fromkeys(seen, False))
        return False


def _nested(schema: object) -> Iterator[Mapping[str, object]]:
    """Yield a schema and all those inside it."""
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            yield one
            waiting += [inner for _, inner in children(one)]


def _only_requires(schema: object) -> bool:
    """Say whether a branch is told from the others by nothing but the members that it requires."""
    return isinstance(schema, Mapping) and set(schema) <= {"required", "type", "title", "description"}


def _written(names: Names) -> str:
    return ",".join(sorted(quote(name, safe="") for name in names))
