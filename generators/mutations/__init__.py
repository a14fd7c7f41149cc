"""Invalid variants of valid values: each breaks exactly one keyword, says which and where, and is proven to."""

from generators.mutations.breaking import Mutation, invalid_variant, invalid_variants

__all__ = ["Mutation", "invalid_variant", "invalid_variants"]
