"""Scenarios: bad days as data. Matching, effects and their player are pure; the engine and the rim carry them out."""

from mockserver.scenario.catalogue import Catalogue
from mockserver.scenario.effects import Effects
from mockserver.scenario.facts import Facts, Work
from mockserver.scenario.loading import load, load_file, load_text, schema
from mockserver.scenario.player import Decision, NearMiss, Player
from mockserver.scenario.rules import Rule, Scenario

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
