"""What an API does when it says nothing of its own: the defaults of `mockserver.api.Hooks`."""

from collections.abc import Callable, Mapping, Sequence

from contracts.bulk import Resource
from contracts.keys import key_kind
from contracts.messages import Headers, Reply
from mockserver.domain.jobs import Job
from mockserver.domain.replies import declared_entry
from mockserver.domain.values import Item, Outcome, Target
from mockserver.problems import problem
from mockserver.redaction import fingerprint
from mockserver.stores import Key, Record, View
from mockserver.turn import Refusal, Run, Turn

SCOPE = "default"


def admit(turn: Turn) -> Refusal | None:
    """Let everybody in, as one client; in `--auth strict` a call must carry what its security asks for."""
    credentials = turn.call.headers.get("Authorization")
    turn.client = fingerprint(credentials) if credentials else "anonymous"
    if turn.world.settings["auth"] != "strict" or turn.operation is None or not turn.operation.security:
        return None
    schemes = turn.api.contract.security_schemes
    if any(all(_carried(turn, schemes.get(name, {})) for name in wanted) for wanted in turn.operation.security):
        return None
    headers = Headers((("WWW-Authenticate", "Bearer"),))
    return Refusal(
        status=401, kind="unauthenticated", detail="No credentials that the operation asks for.", headers=headers
    )


def _carried(turn: Turn, scheme: Mapping[str, object]) -> bool:
    if scheme.get("type") == "apiKey":
        name = str(scheme.get("name", ""))
        return name in turn.call.headers if scheme.get("in") == "header" else bool(turn.call.parameter(name))
    return bool(turn.call.headers.get("Authorization"))


def scope(turn: Turn) -> str | Refusal:
    """Keep everything in one data set."""
    del turn
    return SCOPE


def stock(run: Run, view: View) -> None:
    """Begin with nothing."""
    del run, view


def canon(turn: Turn, data: object) -> object:
    """Take names as they are."""
    del turn
    return data


def refuse(turn: Turn, refusal: Refusal) -> Reply:
    """Answer with an RFC 9457 problem document."""
    del turn
    return problem(refusal)


def max_items(turn: Turn) -> int | None:
    """Leave the limit to the contract."""
    del turn
    return None


def target(turn: Turn, name: object) -> Target:
    """Take every target as a data set of its own."""
    del turn
    return Target(scope=str(name))


def unknown_target(name: str) -> str:
    """Say that a target does not exist."""
    return f"There is no {name}."


def conduct(turn: Turn, items: int) -> Refusal | None:
    """Demand nothing of the client."""
    del turn, items
    return None


def sees(turn: Turn, job: Job) -> bool:
    """Show jobs of the call's own data set."""
    return job.scope == turn.scope


def precedence(job: Job) -> int:
    """Run jobs in the order of their arrival."""
    del job
    return 0


def changes(item: Item) -> Mapping[str, object]:
    """Return the payload; a list of `{path, value}` operations sets each path's last token to its value."""
    if isinstance(item.payload, dict):
        return item.payload
    if isinstance(item.payload, list):
        return {str(one["path"]).rpartition("/")[2]: one.get("value") for one in item.payload}
    return {}


def new_keys(run: Run, resource: Resource) -> Callable[[], Key]:
    """Name records by the next UUID, or by a count where the schema wants a number."""
    ids, kind = run.world.ids, f"{run.scope}/{resource.name}"
    if key_kind(run.api.contract, resource).is_number:
        return lambda: ids.count(kind) + 1
    return lambda: ids.uuid(kind)


def job_id(turn: Turn, items: int) -> str:
    """Name a job by the next UUID."""
    del items
    return turn.world.ids.uuid("job")


def render(run: Run, resource: Resource, record: Record) -> object:
    """Show the stored members, with the key, and the version where there is one."""
    del run
    shown: dict[str, object] = {resource.key: record.key, **record.body}
    shown[resource.key] = record.key
    if resource.version is not None:
        shown[resource.version] = record.version
    return shown


def entries(run: Run) -> Callable[[Outcome], Sequence[object]]:
    """Say an outcome as the operation's declaration shapes it: see `mockserver.domain.replies`."""
    return lambda outcome: (declared_entry(run, outcome),)


def finish(turn: Turn, reply: Reply) -> Reply:
    """Send the reply as it is."""
    del turn
    return reply
