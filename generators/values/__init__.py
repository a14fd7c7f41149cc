"""Values from JSON Schemas: compiled to closures, seeded, streamed, and each found valid before it is handed out."""

from generators.values.generator import Generator, compile_schema, generate, stream
from generators.values.unsatisfiable import UnsatisfiableError

__all__ = ["Generator", "UnsatisfiableError", "compile_schema", "generate", "stream"]
