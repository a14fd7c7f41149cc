"""Bugs as patches of a server that is right: functions with the names of bugs, and with what they do wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Patch = Callable[[Any], None]


def around(owner: Any, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate what is called in the place of a method, with the method before its arguments."""
    real = getattr(owner, name)

    def use(new: Callable[..., Any]) -> Callable[..., Any]:
        setattr(owner, name, lambda *given, **named: new(real, *given, **named))
        return new

    return use


def by_name(*patches: Patch) -> dict[str, Patch]:
    """Return patches by the names of their bugs."""
    return {patch.__name__.replace("_", "-"): patch for patch in patches}
