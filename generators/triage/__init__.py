"""From an observation to a reproducer: replay, shrink, confirm, deduplicate, store.

Begin with `confirm` (`Triager`), `shrink` (`Shrinker`) and `corpus` (`Corpus`).
"""
