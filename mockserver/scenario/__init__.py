"""Scenarios: bad days as data. Matching, effects and their player are pure; the engine and the rim carry them out.

Names are imported from their modules when they are first used: most servers play none.
"""

from typing import TYPE_CHECKING, Final

from contracts.lazily import names_of

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

__getattr__ = names_of(__name__, _HOME)
