"""Count how the operations of documents are answered, for `openapi_directory.py --answers`: `answers`, then `report`.

Up to so many operations of each document get one valid request, drawn from their schemas; the answer is judged by the
contract, and by the package jsonschema, which shares no code with it.
"""

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from contracts.errors import ContractError
from contracts.messages import ABSENT, Response
from contracts.openapi.loading import load
from contracts.openapi.model import Operation, is_json
from contracts.openapi.validation import validate_response
from generators.errors import NotApplicableError, UnsatisfiableError
from generators.requests.calls import valid_request
from mockserver.api.model import Api
from mockserver.engine.default_hooks import DEFAULT_HOOKS
from mockserver.engine.pipeline import handle
from mockserver.sandbox.sandboxes import Sandbox, SandboxTemplate, default_settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAX_SHOWN = 150


@dataclass
class Tally:
    """What was counted, and the first case of each kind."""

    kinds: Counter[str] = field(default_factory=Counter)
    cases: dict[str, list[str]] = field(default_factory=dict)
    documents: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)

    def add(self, kind: str, case: str) -> None:
        """Count one answer."""
        self.kinds[kind] += 1
        self.cases.setdefault(kind, []).append(case)


def verdict(operation: Operation, response: Response) -> tuple[str, str]:
    """Return the kind of an answer, and why."""
    why = json.dumps(response.data)[:MAX_SHOWN] if response.data is not ABSENT else ""
    if response.status in {500, 501}:
        return str(response.status), why
    declared = operation.response(response.status)
    found = validate_response(operation, response)
    if response.status // 100 == 2 and not found and not _disagrees(operation, response):
        return "2xx accepted", why
    if response.status // 100 == 2 and not found:
        return "jsonschema disagrees", _disagrees(operation, response)
    first = next(iter(found), None)
    if response.status // 100 == 2:
        warned = response.headers.get("Bulkproof-Answer").partition(";")[0]
        return f"2xx refused ({warned})", f"{response.status} {first and (first.where, first.pointer, first.detail)}"
    if response.status // 100 == 3 and not found and not any(one.startswith(("2", "d")) for one in operation.responses):
        return "2xx accepted", why  # the operation declares nothing but redirections and failures
    known = "declared" if declared is not None else "undeclared"
    return f"{response.status} {known}", why


def _disagrees(operation: Operation, response: Response) -> str:
    """Return what jsonschema has against a body that the contract accepts, "" for nothing."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - slow to import

    declared = operation.response(response.status)
    media = None if declared is None else declared.media(response.headers.get("Content-Type"))
    if media is None or media.schema is None or response.data is ABSENT or not is_json(media.media_range):
        return ""
    try:
        error = next(iter(Draft202012Validator(media.schema.standalone()).iter_errors(response.data)), None)
    except Exception:  # noqa: BLE001 - patterns that Python does not know, references that it loses: no judgement
        return ""
    return "" if error is None else f"{list(error.absolute_path)}: {error.message[:MAX_SHOWN]}"


def answers(path: Path, calls: int, seed: int, tally: Tally) -> None:
    """Count the answers of one document."""
    try:
        api = Api(name="api", contract=load(path), hooks=DEFAULT_HOOKS)
    except ContractError as error:
        tally.documents["refused"] += 1
        tally.cases.setdefault("refused", []).append(f"{path.name}: {str(error)[:MAX_SHOWN]}")
        return
    sandbox = Sandbox("s", SandboxTemplate(apis={"api": api}, settings=default_settings([api], {"auth": "open"})), NOW)
    operations = list(api.contract.operations)
    chosen = operations if len(operations) <= calls else Random(seed).sample(operations, calls)
    kinds = {_asked(sandbox, operation, path, seed, tally) for operation in chosen}
    tally.documents["wholly right" if kinds <= {"2xx accepted", "not asked"} else "partly"] += 1


def _asked(sandbox: Sandbox, operation: Operation, path: Path, seed: int, tally: Tally) -> str:
    """Ask one operation; return the kind of its answer."""
    case = f"{path.name} {operation.method} {operation.path}"
    try:
        request, wrong = valid_request(sandbox.template.apis["api"].contract, operation, seed)
        if wrong:
            tally.add("request not valid", f"{case}: {wrong}")
            return "not asked"
    except (NotApplicableError, UnsatisfiableError, RecursionError) as error:
        tally.add("not asked", f"{case}: {str(error)[:MAX_SHOWN]}")
        return "not asked"
    began = time.perf_counter()
    try:
        response = handle(sandbox, sandbox.template.apis["api"], request, NOW)
    except Exception as error:  # noqa: BLE001 - a crash is counted
        tally.add("crash", f"{case}: {error!r:.150}")
        return "crash"
    tally.milliseconds.append((time.perf_counter() - began) * 1000)
    kind, why = verdict(operation, response)
    tally.add(kind, f"{case}: {why}")
    return kind


def report(tally: Tally, shown: int = 5) -> str:
    """Return the counts as text, with some cases of each kind that is not as it should be."""
    asked = sum(count for kind, count in tally.kinds.items() if kind != "not asked")
    lines: list[str] = []
    for kind, count in tally.kinds.most_common():
        share = "" if kind == "not asked" else f"{count / max(1, asked):8.1%}"
        lines.append(f"{kind:<32}{count:>6}{share}")
        lines += [f"    {case}" for case in tally.cases[kind][: 0 if kind == "2xx accepted" else shown]]
    lines.append(", ".join(f"{count} {kind}" for kind, count in tally.documents.most_common()))
    lines += [f"    {case}" for case in tally.cases.get("refused", ())[:shown]]
    costs = sorted(tally.milliseconds) or [0.0]
    lines.append(f"first answers: median {costs[len(costs) // 2]:.1f} ms, 90 % {costs[len(costs) * 9 // 10]:.1f} ms")
    return "\n".join(lines)
