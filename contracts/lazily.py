"""Packages whose names are imported from their modules when they are first used, so that importing them stays light."""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module


def names_of(package: str, homes: Mapping[str, Iterable[str]]) -> Callable[[str], object]:
    """Return a package's `__getattr__`; `homes` maps its modules to the public names that are defined there."""
    module_of = {name: module for module, names in homes.items() for name in names}

    def find(name: str) -> object:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{module_of[name]}"), name)

    return find
