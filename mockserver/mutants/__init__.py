"""Planted bugs as code (mutants): variants of an API that each break one law in one way. Begin with `planting`."""
