"""What a compiled schema can do: one value, or any slice of the endless row of values that a seed stands for."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from random import Random
from typing import Final, TypeAlias

from jsonschema_rs import ValidationError

from contracts.pointers import pointer_of
from contracts.schemas import Schema, SchemaSet
from generators.values.compiling import Compiler
from generators.values.node import Draw, settle_heights
from generators.values.pools import kind_of
from generators.values.unsatisfiable import UnsatisfiableError

Given: TypeAlias = Schema | Mapping[str, object] | bool
"""A schema of a contract, or a plain one."""

BLOCK: Final = 64  # values from one seeding, which costs as much as drawing one of them
FUEL: Final = 1000  # about as many objects and arrays are in one value at most, beside those that it must have
TRIES: Final = 50
SAMPLE: Final = 16  # values drawn when compiling, so that what cannot be is said at once
EDGES: Final = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """A schema compiled to closures. Every value that leaves it was found valid by jsonschema-rs."""

    schema: Schema
    _draw: Draw = field(repr=False)
    _is_valid: Callable[[object], bool] = field(repr=False)

    def draw(self, rng: Random) -> object:
        """Return one value. Raises UnsatisfiableError when no candidate is valid."""
        for _ in range(TRIES):
            value = self._draw(rng, FUEL)
            if self._is_valid(value):
                return value
        raise UnsatisfiableError(self.schema.ref, "schema", f"none of {TRIES} candidates is valid")

    def generate(self, seed: int) -> object:
        """Return the first value of a seed."""
        return next(self.stream(seed, 1))

    def stream(self, seed: int, n: int, *, start: int = 0) -> Iterator[object]:
        """Yield `n` values of the seed's row, from number `start`; each depends on the seed and its number alone."""
        skipped = start % BLOCK
        return islice(self._row(seed, start // BLOCK), skipped, skipped + n)

    def _row(self, seed: int, block: int) -> Iterator[object]:
        rng = Random()
        while True:
            rng.seed(f"{seed}/{block}")
            for _ in range(BLOCK):
                yield self.draw(rng)
            block += 1


def compile_schema(
    schema: Given,
    *,
    name: str = "",
    edges: float = EDGES,
    realistic: bool = True,
) -> Generator:
    """Compile a schema of a contract, or a plain one whose `$ref`s stay inside it.

    `name` is that of the property whose value it is, if any. `edges` is the share of strings and numbers drawn from the
    ends of their range. `realistic` takes text from Faker where a property's name says what it holds; without Faker
    the text is plain. Raises UnsatisfiableError.
    """
    bound = _checked(schema)
    compiler = Compiler(schemas=bound.within, edges=edges, realistic=realistic)
    root = compiler.plan(bound.raw, bound.ref, kind_of(name))
    settle_heights(compiler.order)
    for node in compiler.order:
        if node.build is not None and node.height < float("inf"):
            node.draw = node.build()
    if not root.finite:
        raise UnsatisfiableError(bound.ref, "$ref", "every value would have to hold another one without end")
    return _tried(Generator(schema=bound, _draw=root.link(), _is_valid=bound.is_valid))


@lru_cache(maxsize=1000)
def generator_of(schema: Schema, name: str = "", edges: float = EDGES) -> Generator:
    """Return the compiled schema, the same for the same arguments. Raises UnsatisfiableError."""
    return compile_schema(schema, name=name, edges=edges)


def _checked(schema: Given) -> Schema:
    """Bind a plain schema to a set of its own; refuse one that is broken."""
    try:
        bound = schema if isinstance(schema, Schema) else SchemaSet({"": schema}).schema("#")
        bound.validator  # noqa: B018 - compiles it
    except LookupError as error:
        raise UnsatisfiableError("#", "$ref", f"{error.args[0]} leads to no schema") from None
    except ValidationError as error:
        *tokens, keyword = error.instance_path or ["schema"]
        raise UnsatisfiableError(
            f"#{pointer_of(tokens)}", str(keyword), f"this is no JSON Schema that can be used, {error.message}"
        ) from None
    return bound


def _tried(generator: Generator) -> Generator:
    for _ in generator.stream(0, SAMPLE):
        pass
    return generator


def generate(schema: Given, seed: int) -> object:
    """Return the first value of a seed."""
    return compile_schema(schema).generate(seed)


def stream(schema: Given, seed: int, n: int, *, start: int = 0) -> Iterator[object]:
    """Yield `n` values of a seed from number `start`, holding one at a time."""
    return compile_schema(schema).stream(seed, n, start=start)
