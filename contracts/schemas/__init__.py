"""JSON Schema 2020-12: compile schemas by reference, validate values, explain each violation.

Begin with `schema_set` (SchemaSet, Schema) and `violations` (Violation).
"""
