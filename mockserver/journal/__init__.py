"""The record of a sandbox's exchanges, bounded in size and without secrets. Begin with `journal` (`Journal`)."""
