"""Measure generating data, side by side in one run: `python benchmarks/bench_values.py [--items 20000]`.

Nothing here fails: it reports, with the goal beside each figure.
"""

import argparse
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from random import Random
from string import ascii_uppercase

from contracts.openapi.loading import load_bundled
from generators.data.compile import compile_schema
from generators.data.mutation import invalid_variant
from generators.datasets.write import compact_json
from generators.requests.batch import Composer
from generators.requests.known_records import KnownRecords
from generators.requests.profiles import PROFILES

FLAT = {
    "type": "object",
    "required": ["code", "name", "quantity", "active"],
    "additionalProperties": False,
    "properties": {
        "code": {"type": "string", "minLength": 3, "maxLength": 10},
        "name": {"type": "string", "minLength": 1, "maxLength": 50},
        "quantity": {"type": "integer", "minimum": 0, "maximum": 1000},
        "active": {"type": "boolean"},
    },
}
ORDER = {
    "type": "object",
    "required": ["id", "customer", "placed", "lines"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "customer": {"type": "string", "pattern": "^C[0-9]{6}$"},
        "placed": {"type": "string", "format": "date-time"},
        "note": {"type": "string", "maxLength": 200},
        "status": {"enum": ["new", "paid", "sent"]},
        "total": {"type": "number", "minimum": 0, "maximum": 10000},
        "lines": {
            "type": "array",
            "minItems": 1,
            "maxItems": 5,
            "items": {
                "type": "object",
                "required": ["sku", "quantity", "price"],
                "additionalProperties": False,
                "properties": {
                    "sku": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
                    "quantity": {"type": "integer", "minimum": 1, "maximum": 99},
                    "price": {"type": "number", "minimum": 0, "maximum": 999},
                    "gift": {"type": "boolean"},
                },
            },
        },
    },
}
NAMES = [f"Name {n}" for n in range(1000)]
REPEATS = 5


def by_hand(n: int) -> Iterator[object]:
    """Return the same kind of record by hand-written code, unchecked."""
    rng = Random(1)
    for _ in range(n):
        letters = rng.choice(ascii_uppercase) + rng.choice(ascii_uppercase) + rng.choice(ascii_uppercase)
        yield {
            "code": f"{letters}-{rng.randint(0, 999999):06}",
            "name": rng.choice(NAMES),
            "quantity": rng.randint(0, 1000),
            "active": rng.random() < 0.5,
        }


def microseconds(make: Callable[[int], Iterable[object]], n: int) -> float:
    """Return the fastest of several runs, in microseconds of CPU per item."""
    best = float("inf")
    for _ in range(REPEATS):
        began = time.process_time()
        deque(make(n), maxlen=0)
        best = min(best, time.process_time() - began)
    return best / n * 1e6


def peak(make: Callable[[int], Iterable[object]], n: int) -> float:
    """Return the peak memory, in KiB, while values are made and dropped."""
    tracemalloc.start()
    deque(make(n), maxlen=0)
    top = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return top / 1024


def report(what: str, figure: str, goal: str = "") -> None:
    print(f"{what:<58} {figure:>22}  {goal}")


def flat(n: int) -> None:
    generator = compile_schema(FLAT)
    made, hand = microseconds(lambda k: generator.stream(1, k), n), microseconds(by_hand, n)
    report("a flat record of four properties, by hand, unchecked", f"{hand:.1f} us")
    report("the same from its schema, each value validated", f"{made:.1f} us", "at most 12 us where by hand takes 3")
    report("ratio", f"{made / hand:.1f}", "at most 4")
    lines = microseconds(lambda k: (compact_json(one) for one in generator.stream(1, k)), n)
    report("the same as a line of JSON", f"{lines:.1f} us", "at most 10 us: 100,000 a second")
    wide = compile_schema(FLAT, profile="wide")
    report("the same with wide values", f"{microseconds(lambda k: wide.stream(1, k), n):.1f} us")
    order = compile_schema(ORDER)
    report("an order of one to five lines", f"{microseconds(lambda k: order.stream(1, k), n // 4):.1f} us")
    few, many = (peak(lambda k: generator.stream(1, k), k) for k in (1000, 20_000))
    report("memory for 1000 and for 20000 values", f"{few:.0f} and {many:.0f} KiB", "the same")


def bundled(n: int) -> None:
    genero = load_bundled("genero")
    resource = genero.resources["customer"]
    assert resource.schema is not None
    schema = genero.schemas.schema(resource.schema)
    began = time.perf_counter()
    generator = compile_schema(schema)
    report("compiling the schema of a customer", f"{(time.perf_counter() - began) * 1000:.1f} ms")
    report("a customer", f"{microseconds(lambda k: generator.stream(1, k), n):.1f} us")
    values, rng = list(generator.stream(1, 500)), Random(1)
    broken = microseconds(lambda k: (invalid_variant(schema, value, rng) for value in values[:k]), 500)
    report("an invalid variant of it, proven", f"{broken:.0f} us")


def batches() -> None:
    for api, name in (("genero", "postJob"), ("onkey", "batchCreate"), ("onkey", "import")):
        contract = load_bundled(api)
        operation = contract.operation(name)
        assert operation is not None
        composer, known = Composer(contract, operation), stocked(api)
        for size in (16, 1000):
            made = microseconds(partial(mixed, composer, known, size), max(2, 1600 // size))
            report(f"a mixed batch of {size} for {name}", f"{made / 1000:.2f} ms", f"{made / size:.0f} us an item")


def mixed(composer: Composer, known: KnownRecords, size: int, n: int) -> Iterator[object]:
    for seed in range(n):
        yield composer.compose(seed=seed, size=size, profile=PROFILES["mixed"], known=known)


def stocked(api: str) -> KnownRecords:
    resources = load_bundled(api).resources
    known = KnownRecords(resources)
    for resource in resources.values():
        for n in range(2000):
            key = n + 1 if resource.assigned else f"{resource.name}{n}"
            known.put(resource.name, key, version=1, values={"code": f"C{n}"})
    return known


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=20_000)
    n = parser.parse_args().items
    flat(n)
    bundled(n)
    batches()


if __name__ == "__main__":
    main()
