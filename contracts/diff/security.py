"""What became of who may call."""

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from contracts.diff.changes import Change
from contracts.model import Contract, Operation
from contracts.texts import listed, short

Alternative: TypeAlias = Mapping[str, tuple[str, ...]]
NONE: Final[tuple[Alternative, ...]] = ({},)
DECIDING: Final = ("type", "in", "name", "scheme", "openIdConnectUrl", "flows")


def compare_security(was: Operation, now: Operation, name: str) -> Iterator[Change]:
    """Yield which credentials do not suffice any more, and which do now."""
    before, after = was.security or NONE, now.security or NONE
    for one in before:
        if not any(_suffices(one, other) for other in after):
            says = f"{_credentials(one)} does not suffice any more: {_all(after)} is asked"
            yield Change(rule="security-tightened", severity="error", operation=name, place="security", says=says)
    for one in after:
        if not any(_suffices(one, other) for other in before):
            says = f"{_credentials(one)} suffices now"
            yield Change(rule="security-relaxed", severity="info", operation=name, place="security", says=says)


def _suffices(held: Alternative, asked: Alternative) -> bool:
    return all(scheme in held and set(scopes) <= set(held[scheme]) for scheme, scopes in asked.items())


def _credentials(one: Alternative) -> str:
    if not one:
        return "no credential"
    return listed(f"{name} ({', '.join(scopes)})" if scopes else name for name, scopes in one.items())


def _all(alternatives: tuple[Alternative, ...]) -> str:
    return listed(map(_credentials, alternatives), "or")


def compare_schemes(old: Contract, new: Contract) -> Iterator[Change]:
    """Yield the security schemes that mean something else now."""
    for name, was in old.security_schemes.items():
        now = new.security_schemes.get(name)
        for member in DECIDING if now is not None else ():
            before, after = was.get(member), (now or {}).get(member)
            if before != after:
                yield _changed(name, member, before, after)


def _changed(name: str, member: str, before: object, after: object) -> Change:
    place = f"security scheme '{name}'"
    if isinstance(before, Mapping) or isinstance(after, Mapping):
        says = f"its {member} are described otherwise"
        return Change(rule="security-scheme-changed", severity="warning", operation="", place=place, says=says)
    says = f"its {member} is {short(after)}, not {short(before)}"
    return Change(rule="security-scheme-changed", severity="error", operation="", place=place, says=says)
