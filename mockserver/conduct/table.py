"""The laws that follow from what a contract declares, and those that hold for every HTTP API."""

from collections.abc import Callable
from typing import Final

from contracts.bulk import Bulk
from contracts.model import Contract
from mockserver.conduct.conflicts import re_read_after_conflict
from mockserver.conduct.law import Law, always
from mockserver.conduct.limits import active_jobs, kept_sizes, quota
from mockserver.conduct.polling import gave_up_early, gave_up_late, poll_interval, polled_to_end, stopped_polling
from mockserver.conduct.resending import no_unchanged_retry, resent_only_failed
from mockserver.conduct.stating import (
    followed_location,
    ordered_stated,
    right_content_type,
    right_target,
    unique_keys,
)
from mockserver.conduct.waiting import backed_off, honoured_retry_after


def _where(says: Callable[[Bulk], object]) -> Callable[[Contract], bool]:
    """Return whether any operation of a contract declares what `says` looks for."""
    return lambda contract: any(one.bulk is not None and says(one.bulk) for one in contract.operations)


_bulk = _where(lambda _: True)
_jobs = _where(lambda bulk: bulk.job)
_limited = _where(lambda bulk: bulk.job and bulk.job.active)
_paced = _where(lambda bulk: bulk.job and bulk.job.every)
_timed = _where(lambda bulk: bulk.job and bulk.job.timeout)
_fanned = _where(lambda bulk: bulk.job and bulk.items.fan_out)
_rationed = _where(lambda bulk: bulk.guard.quota)
_keyed = _where(lambda bulk: bulk.key.by == "client")
_versioned = _where(lambda bulk: bulk.effect.version)
_whole = _where(lambda bulk: bulk.unit.of.source or bulk.unit.of.constant == "whole")
_grouped = _where(lambda bulk: bulk.order.group_by and bulk.order.when)

DECLARED: Final = tuple(
    Law(id=name, says=says, judge=judge, applies=applies)
    for name, says, judge, applies in (
        ("active-jobs", "Has no more unfinished jobs at a time than allowed.", active_jobs, _limited),
        ("kept-quota", "Posts no more often than its quotas allow.", quota, _rationed),
        ("poll-interval", "Waits the advised time between polls of a job.", poll_interval, _paced),
        ("stopped-polling", "Stops polling a job once its status is final.", stopped_polling, _jobs),
        ("polled-to-end", "Polls each job until its status is final.", polled_to_end, _jobs),
        ("gave-up-early", "Does not resend a job's items before its timeout.", gave_up_early, _timed),
        ("gave-up-late", "Gives up a job that has not ended by its timeout.", gave_up_late, _timed),
        ("right-target", "Polls the job of each target by its own id.", right_target, _fanned),
        ("resent-only-failed", "Sends only failed items again, not those that were done.", resent_only_failed, _bulk),
        ("unique-keys", "Gives each item of a call a key of its own.", unique_keys, _keyed),
        ("re-read-after-conflict", "Reads a record after a version conflict.", re_read_after_conflict, _versioned),
        ("no-unchanged-retry", "Does not send again unchanged what failed as a whole.", no_unchanged_retry, _whole),
        ("ordered-stated", "Asks for groups to be kept in order where items name them.", ordered_stated, _grouped),
        ("right-content-type", "Sends bodies of a content type that the operation takes.", right_content_type, always),
    )
)

ANY: Final = (
    Law(id="honoured-retry-after", says="Waits as long as Retry-After says.", judge=honoured_retry_after),
    Law(id="backed-off", says="Waits before trying a failed call again, longer each time.", judge=backed_off),
    Law(id="kept-sizes", says="Sends no more items or bytes than are declared.", judge=kept_sizes),
    Law(id="followed-location", says="Requests the Location of a 202.", judge=followed_location),
)


def declared(contract: Contract) -> tuple[Law, ...]:
    """Return the laws that a contract gives a hold for."""
    return tuple(law for law in DECLARED if law.applies(contract))
