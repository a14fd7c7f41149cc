"""What a list shows, as `x-record` declares it: pages, order, selections; and templates of lookups.

Begin with `Pagination` and `ListRules`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

Location: TypeAlias = str

OWN_KEY: Final = "{key}"
UNPAGED_SIZE: Final = 100  # records of which a list without any page parameter certainly shows all
SERVED_SIZE: Final = 100  # records on a page of the sandbox where no default is declared


@dataclass(frozen=True, slots=True, kw_only=True)
class Pagination:
    """Where a list reads which page is wanted, and where its response has the total.

    `skip` is an offset, `number` a page number from 1, `cursor` takes what the page before has at `next`; without
    `next` that is no page any more. `take` is the page size, `default` and `max` its values; None for unknown.
    `otherwise` tells that the list may be paged in ways that are not known, so that only its total tells its end.
    """

    skip: Location | None = None
    take: Location | None = None
    number: Location | None = None
    cursor: Location | None = None
    next: Location | None = None
    default: int | None = None
    max: int | None = None
    total: Location | None = None
    otherwise: bool = False

    @property
    def is_paged(self) -> bool:
        """Whether a request can ask for a part of the list."""
        return self.otherwise or any(one is not None for one in (self.skip, self.take, self.number, self.cursor))

    @property
    def unasked(self) -> int | None:
        """The page size of a request that asks for none; None where it is unknown."""
        if self.otherwise:
            return None
        return self.default if self.default is not None or self.is_paged else UNPAGED_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorting:
    """Where a list reads its order: members, separated by commas; `descending` is how one is written to fall.

    `ascending` how one is written that rises, beside its name alone. `joined` is how a member of a record that is
    referred to is written, with `{reference}` (the name of the reference without an `Id` at its end), `{Reference}`,
    `{member}` and `{Member}`; None where there is no such order.
    """

    at: Location
    descending: str | None = None
    ascending: str | None = None
    joined: str | None = None

    def written(self, member: str, *, falls: bool) -> str:
        """Return how a member is written in an order."""
        return (self.descending or "").replace("{member}", member) if falls else member


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedNames:
    """How filters and selections write a member of a record that is referred to, and selections show it, if they do."""

    written: str
    shown: str | None = None

    def written_as(self, reference: str, member: str) -> str:
        """Return how a member of what a reference names is written."""
        return joined_name(self.written, reference, member)

    def shown_as(self, reference: str, member: str) -> str:
        """Return the name under which it is shown."""
        return joined_name(self.shown or "", reference, member)


def joined_name(template: str, reference: str, member: str) -> str:
    """Return the name of a member of what a reference names, by a template such as `{Reference}_{Member}`."""
    parts = {"reference": reference.removesuffix("Id"), "member": member}
    capital = {name.capitalize(): text[:1].upper() + text[1:] for name, text in parts.items()}
    return template.format_map({**parts, **capital})


def written_name(template: str, resource: str, member: str) -> str:
    """Return another way to write a member of a resource, by a template such as `{Resource}->{Member}`."""
    parts = {"member": member, "Member": member[:1].upper() + member[1:], "MEMBER": member.upper()}
    return template.format_map({"Resource": resource, **parts})


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterLanguage:
    """Where a list reads a filter, and the words of its language: comparisons `member operator value`, joined.

    `operators` maps `eq`, `ne`, `lt`, `le`, `gt`, `ge`, `startswith` to words. `and_`, `or_` and `not_` are None where
    the language has them not; `and` binds more closely than `or`, and `not` than both. Texts stand in quotes; a quote
    in one is doubled, or has a backslash before it.
    """

    at: Location
    operators: Mapping[str, str] = field(default_factory=dict)
    and_: str | None = None
    or_: str | None = None
    not_: str | None = None
    null: str | None = None
    parentheses: bool = False
    quote: str = "'"
    escape: Literal["double", "backslash"] = "double"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRules:
    """What a list shows beside its page: `order` are the members it is ordered by, `-member` for a falling one.

    `{key}` in an order is the key of the resource. `where` maps members to parameters that select the records with that
    value. Texts are ordered by code point and compared exactly. `select` reads which members are shown. `names` are
    other ways to write a member, in lists of changes too, with `{Resource}`, `{member}`, `{Member}` and `{MEMBER}`.
    """

    order: tuple[str, ...] = ()
    sort: Sorting | None = None
    where: Mapping[str, Location] = field(default_factory=dict)
    filter: FilterLanguage | None = None
    select: Location | None = None
    joined: JoinedNames | None = None
    names: tuple[str, ...] = ()

    def written_names(self, resource: str, member: str) -> list[str]:
        """Return the other ways to write a member of a resource."""
        return [written_name(one, resource, member) for one in self.names]

    def ordered_by(self, key: str) -> list[tuple[str, bool]]:
        """Return the members of the declared order of records with this key, each with whether it falls."""
        steps = [(one.removeprefix("-"), one.startswith("-")) for one in self.order]
        return [(key if name == OWN_KEY else name, falls) for name, falls in steps]


def placeholder_of(template: object) -> str | None:
    """Return the member whose value a part of a lookup template stands for, None for a part that is as it is."""
    is_blank = isinstance(template, str) and template.startswith("{") and template.endswith("}")
    return template[1:-1] if is_blank and isinstance(template, str) else None


def placeholders_of(template: object) -> list[str]:
    """Return the members that a lookup template needs."""
    name = placeholder_of(template)
    if name is not None:
        return [name]
    return [one for inner in template.values() for one in placeholders_of(inner)] if isinstance(template, dict) else []
