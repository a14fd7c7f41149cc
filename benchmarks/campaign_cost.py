"""Measure what a batch of a campaign costs: `python benchmarks/campaign_cost.py genero --tasks 30`.

A fixed number of tasks is played, so that two versions do the same work, which the digest of all requests shows. A
machine that others use changes CPU seconds less than the clock, but by a tenth all the same: run it in turns, and
compare the least of several rounds.
"""

import argparse
import gc
import hashlib
import resource
from functools import partial
from itertools import islice

from load import Sandbox, running

from generators.client.environments import TargetOptions, open_target
from generators.fuzz.shards import CampaignConfig, Shard
from generators.fuzz.worker import FuzzWorker
from mockserver.apis.reference_model import SandboxModel
from mockserver.apis.sources import find_sources
from mockserver.cli.fuzz import COLLECTED_OBJECTS


class Bounded(FuzzWorker):
    """A worker that plays some tasks in each lane, and counts what they send."""

    tasks, batches, items, calls, digests = 0, 0, 0, 0, {}

    def _task_queues(self, targets):
        return [islice(one, Bounded.tasks) for one in super()._task_queues(targets)]

    def _run_all(self, queues, targets):
        self._run_in_threads(queues, targets)

    def _run_tasks(self, tasks, targets, thread):
        for n, task in tasks:
            self._run_task(task, targets, n, thread)

    def _count(self, thread, exchange, oracle):
        super()._count(thread, exchange, oracle)
        sent, view = exchange.request, oracle.last_view
        digest = Bounded.digests.setdefault(thread, hashlib.sha256())
        digest.update(f"{sent.method} {sent.path} {sent.query}".encode() + sent.body)
        Bounded.calls += 1
        if view is not None and view.exchange.n == exchange.n:
            Bounded.batches, Bounded.items = Bounded.batches + 1, Bounded.items + len(view.request.items)


def own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("api", help="genero or onkey")
    parser.add_argument("--tasks", type=int, default=30, help="of each of the two lanes")
    parser.add_argument("--first", action="store_true", help="measure the first shard: every law and every limit once")
    options = parser.parse_args()
    Bounded.tasks = options.tasks
    api = find_sources([options.api])[0].load()
    with running(Sandbox(options.api)) as server:
        place = TargetOptions(url=f"http://127.0.0.1:{server.port}")
        job = CampaignConfig(contract=api.contract, place=place, model_factory=partial(SandboxModel, api))
        shard = Shard(number=0, part="bulk", seconds=1e6, ordinal=0 if options.first else 1)
        target = open_target(api.contract, place, "cost")
        gc.freeze()
        gc.set_threshold(COLLECTED_OBJECTS)
        own, theirs = own_cpu(), server.cpu()
        Bounded(job, shard, target, lambda _: None, lambda: False).run()
        own, theirs = own_cpu() - own, server.cpu() - theirs
        target.close()
    number, size = Bounded.batches, Bounded.items / Bounded.batches
    digests = ", ".join(one.hexdigest()[:10] for _, one in sorted(Bounded.digests.items()))
    print(f"{options.api}: {number} batches of mean size {size:.1f}, {Bounded.calls} calls, sent {digests}")
    print(f"  CPU a batch: {1000 * own / number:.2f} ms of the campaign, {1000 * theirs / number:.2f} ms of the server")


if __name__ == "__main__":
    main()
