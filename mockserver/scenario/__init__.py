"""Scenarios: bad days as data. Matching, effects and their player are pure; the engine and the rim carry them out.

Names are imported from their modules when they are first used: most servers play none.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mockserver.scenario.catalogue import Catalogue
    from mockserver.scenario.effects import Effects
    from mockserver.scenario.facts import Facts, Work
    from mockserver.scenario.loading import load, load_file, load_text, schema
    from mockserver.scenario.player import Decision, NearMiss, Player
    from mockserver.scenario.rules import Rule, Scenario

_HOME: Final = {
    "catalogue": ("Catalogue",),
    "effects": ("Effects",),
    "facts": ("Facts", "Work"),
    "loading": ("load", "load_file", "load_text", "schema"),
    "player": ("Decision", "NearMiss", "Player"),
    "rules": ("Rule", "Scenario"),
}
_MODULE_OF: Final = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Catalogue",
    "Decision",
    "Effects",
    "Facts",
    "NearMiss",
    "Player",
    "Rule",
    "Scenario",
    "Work",
    "load",
    "load_file",
    "load_text",
    "schema",
]


def __getattr__(name: str) -> object:
    """Import a public name from its module when it is first asked for."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'mockserver.scenario' has no attribute {name!r}")
    return getattr(import_module(f"mockserver.scenario.{_MODULE_OF[name]}"), name)
