"""Counters of a running server, and their text in Prometheus' exposition format 0.0.4. Begin with `exposition`.

See https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

import os
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from mockserver.journal.journal import JournalEntry
from mockserver.sandbox.sandboxes import Sandbox

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
LATENCY_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
Labels: TypeAlias = tuple[tuple[str, str], ...]
Sample: TypeAlias = tuple[str, Labels, float]


class Metrics:
    """Counters since the server's start: requests, items by outcome, and seconds by API."""

    __slots__ = ("items", "latency", "requests", "spent")

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.items: Counter[tuple[str, str]] = Counter()
        self.latency: dict[str, list[int]] = {}
        self.spent: dict[str, float] = {}

    def clear(self) -> None:
        """Begin anew."""
        for counts in (self.requests, self.items, self.latency, self.spent):
            counts.clear()

    def tell(self, entry: JournalEntry) -> None:
        """Count an exchange and its items."""
        self.requests[entry.api, entry.operation or "", entry.status] += 1
        if entry.results:
            for outcome, number in zip(("done", "failed", "not-run"), entry.tally[:3], strict=True):
                self.items[entry.api, outcome] += number

    def observe(self, api: str, seconds: float) -> None:
        """Count the seconds from a complete request to its response."""
        buckets = self.latency.get(api)
        if buckets is None:
            buckets = self.latency[api] = [0] * (len(LATENCY_BUCKETS) + 1)
        buckets[bisect_left(LATENCY_BUCKETS, seconds)] += 1
        self.spent[api] = self.spent.get(api, 0.0) + seconds


def exposition(metrics: Metrics, sandboxes: Iterable[Sandbox]) -> str:
    """Return all metrics as text for Prometheus."""
    every = tuple(sandboxes)
    journals = [one.journal for one in every]
    families = (
        ("bulkproof_requests_total", "counter", "Calls answered.", _requests(metrics)),
        ("bulkproof_items_total", "counter", "Items of bulk calls by outcome.", _items(metrics)),
        ("bulkproof_request_seconds", "histogram", "Time to answer a call.", _latency(metrics)),
        ("bulkproof_sandboxes", "gauge", "Sandboxes that exist.", _gauge("bulkproof_sandboxes", len(every))),
        (
            "bulkproof_journal_exchanges",
            "gauge",
            "Exchanges in all journals.",
            _gauge("bulkproof_journal_exchanges", sum(map(len, journals))),
        ),
        (
            "bulkproof_journal_bytes",
            "gauge",
            "Bytes in all journals.",
            _gauge("bulkproof_journal_bytes", sum(one.bytes for one in journals)),
        ),
        (
            "process_resident_memory_bytes",
            "gauge",
            "Resident memory.",
            _gauge("process_resident_memory_bytes", resident_bytes()),
        ),
    )
    return "".join(_family(*family) for family in families)


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes; without `/proc` its peak, or 0."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return _peak_bytes()


def _peak_bytes() -> int:
    try:
        import resource  # noqa: PLC0415 - not everywhere
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _requests(metrics: Metrics) -> Iterator[Sample]:
    for (api, operation, status), number in sorted(metrics.requests.items()):
        yield "bulkproof_requests_total", (("api", api), ("operation", operation), ("status", str(status))), number


def _items(metrics: Metrics) -> Iterator[Sample]:
    for (api, outcome), number in sorted(metrics.items.items()):
        yield "bulkproof_items_total", (("api", api), ("outcome", outcome)), number


def _latency(metrics: Metrics) -> Iterator[Sample]:
    for api, buckets in sorted(metrics.latency.items()):
        total = 0
        for bound, number in zip((*map(str, LATENCY_BUCKETS), "+Inf"), buckets, strict=True):
            total += number
            yield "bulkproof_request_seconds_bucket", (("api", api), ("le", bound)), total
        yield "bulkproof_request_seconds_sum", (("api", api),), metrics.spent[api]
        yield "bulkproof_request_seconds_count", (("api", api),), total


def _gauge(name: str, value: float) -> Iterator[Sample]:
    yield name, (), value


def _family(name: str, kind: str, says: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {says}", f"# TYPE {name} {kind}"]
    lines += [f"{sample}{_labels(dict(labels))} {value}" for sample, labels, value in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{inner}}}" if inner else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
