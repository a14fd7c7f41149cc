"""OpenAPI 3.0 and 3.1 documents: loading, checks, routing, validation of requests and responses.

Begin with `loading` (load, load_bundled), `model` (Contract, Operation) and `validation`.
"""
