"""Values from JSON Schemas, seeded and valid, and mutations that violate exactly one keyword.

Begin with `compile` (compile_schema, Generator) and `mutation` (invalid_variants); `shrink` makes values smaller.
"""
