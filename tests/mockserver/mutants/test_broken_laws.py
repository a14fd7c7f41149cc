"""The law that a bug's row names is the law that an impartial judge finds broken, and none where no bug is."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

import pytest
import yaml

from contracts.messages import Headers
from contracts.syntax.text import format_duration
from generators.check.laws.catalogue import LAWS
from generators.check.run import FindingFound, run_checks
from mockserver.apis.sources import find_sources
from mockserver.bugs.catalogue import BUGS
from mockserver.http.service import Options, Service
from mockserver.mutants.planting import planted

TESTS = Path(__file__).parents[2]
REAL = datetime(2026, 1, 1, tzinfo=UTC)
JSON = Headers((("Content-Type", "application/json"),))
NAMES = (str(TESTS / "cases/contract_only/books.yaml"), str(TESTS / "mockserver/data/parcels.yaml"), "genero")
LAW_NAMES = tuple(law.name for law in LAWS)
JUDGED = [bug for bug in BUGS if bug.law in LAW_NAMES]


class Inside:
    """A caller of a sandbox in this process, whose clock it moves."""

    controlled = True

    def __init__(self, api):
        self.api, self.service = api, Service([api], Options(mode="frozen"), REAL)

    def send(self, call):
        query = f"?{urlencode(call.query)}" if call.query else ""
        return self.service.handle(call.method, f"{self.api.mount}{call.path}{query}", call.headers, call.body, REAL)

    def advance(self, by):
        body = f'{{"by": "{format_duration(by)}"}}'.encode()
        self.service.handle("POST", "/_sandbox/sandboxes/default/clock/advance", JSON, body, REAL)

    def now(self):
        return self.service.sandboxes.use("default", REAL).now(REAL)


@cache
def api_of(name):
    return find_sources((name,))[0].load()


def broken(api, *laws):
    """Return the laws that a judge finds broken."""
    events = run_checks(api.contract, Inside(api), seed=1, name_prefix="aaaaa", only=laws)
    return {event.finding.law for event in events if isinstance(event, FindingFound)}


@pytest.mark.slow
def test_no_law_is_broken_where_no_bug_is():
    """The judge finds nothing in a healthy sandbox; `tests/generators/check` says so of the other APIs."""
    assert broken(api_of(NAMES[1]), *LAW_NAMES) == set()


@pytest.mark.slow
@pytest.mark.parametrize("bug", JUDGED, ids=lambda bug: bug.name)
def test_a_bug_breaks_the_law_of_its_row(bug):
    """On an API that declares what the bug needs, the judge finds that law broken."""
    apis = (api for api in map(api_of, NAMES) if bug.fits(api.contract))
    assert any(bug.law in broken(planted(api, bug.name), bug.law) for api in apis)


def test_targets_that_no_single_call_can_name_are_not_looked_at(tmp_path):
    """What one call stores for a target cannot be held against calls that speak of no target, or of another one."""
    document = yaml.safe_load(Path(NAMES[0]).read_text(encoding="utf-8"))
    operation = next(one["post"] for one in document["paths"].values() if _is_everywhere(one))
    example = {"libraries": ["north"], "books": [{"isbn": "1", "title": "One"}]}
    operation["requestBody"]["content"]["application/json"]["examples"] = {"north": {"value": example}}
    file = tmp_path / "books.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    assert broken(api_of(str(file)), "createEverywhere", "singular", "effect", "isolated", "permuted") == set()


def _is_everywhere(path):
    return path.get("post", {}).get("operationId") == "createEverywhere"
