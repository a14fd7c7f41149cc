"""Bulk requests composed by `x-bulk`: good and bad items mixed, each knowing what it is meant to be."""

from generators.batches.composing import Composer, compose
from generators.batches.known import Known, Live
from generators.batches.planned import PlannedBatch, PlannedItem
from generators.batches.profiles import PROFILES, Intent, Profile, draw_profile, draw_size, sizes

__all__ = [
    "PROFILES",
    "Composer",
    "Intent",
    "Known",
    "Live",
    "PlannedBatch",
    "PlannedItem",
    "Profile",
    "compose",
    "draw_profile",
    "draw_size",
    "sizes",
]
