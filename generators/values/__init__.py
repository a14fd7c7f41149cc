"""Values from JSON Schemas: compiled to closures, seeded, streamed, and each found valid before it is handed out."""

from generators.values.generator import EDGES, Generator, compile_schema, generate, generator_of, stream
from generators.values.unsatisfiable import UnsatisfiableError

__all__ = ["EDGES", "Generator", "UnsatisfiableError", "compile_schema", "generate", "generator_of", "stream"]
