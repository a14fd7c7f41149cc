"""Requests under a key that keeps them from being carried out twice."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from contracts.messages import ABSENT, Exchange
from generators.checks.findings import Finding
from generators.checks.jobs import OK
from generators.checks.outcome_laws import found
from generators.checks.views import View
from generators.locations import locate


@dataclass(slots=True)
class Repeats:
    """The calls made under each key. What was done once is not reckoned with again."""

    _calls: dict[tuple[str, str], Exchange] = field(default_factory=dict)

    def before(self, view: View) -> Exchange | None:
        """Return the earlier call under the same key, None when there is none."""
        name = _name(view)
        return None if name is None else self._calls.get(name)

    def note(self, view: View) -> None:
        """Note a call that was answered under its key."""
        name = _name(view)
        if name is not None and view.exchange.reply.status in OK:
            self._calls.setdefault(name, view.exchange)

    def findings(self, view: View, earlier: Exchange) -> Iterator[Finding]:
        """Yield where a repeated request is not answered as it was, or other content is taken under a used key."""
        declared = view.bulk.guard.idempotency
        if declared is None:
            return
        same, status = earlier.call.body == view.exchange.call.body, view.exchange.reply.status
        if same and declared.replay == "same-reply" and declared.concurrent is None:
            if (status, view.exchange.reply.data) != (earlier.reply.status, earlier.reply.data):
                says = "a request that was repeated with its idempotency key got a different response"
                yield found("idempotent", view, "repeat answered otherwise", says, earlier)
        elif not same and isinstance(declared.mismatch, int) and status in OK:
            says = (
                f"other content under a used idempotency key was answered with {status} instead of {declared.mismatch}"
            )
            yield found("idempotent", view, "other content accepted", says, earlier)


def _name(view: View) -> tuple[str, str] | None:
    declared = view.bulk.guard.idempotency
    if declared is None or declared.scope != "request":
        return None
    given = locate(view.call.sent, declared.key)
    return None if given is ABSENT else (view.operation.id, str(given))
