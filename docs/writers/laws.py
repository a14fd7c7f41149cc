"""For the site a page for each law: of bulk semantics (`laws/`), and of the conduct of clients (`conduct/`)."""

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from contracts.openapi.loading import BUNDLED, load_bundled
from contracts.openapi.model import Contract, Operation
from generators.check.laws.catalogue import laws_for
from generators.oracles.findings import Law
from mockserver.apis.sources import BUNDLED as BUNDLED_APIS
from mockserver.apis.sources import find_sources
from mockserver.bugs.catalogue import BUGS
from mockserver.verdicts.conduct_law import ConductLaw
from mockserver.verdicts.verdict import DECLARED_LAWS, SHARED_LAWS, laws_of

HERE = Path(__file__).parents[1]
EVERY = "every API"
DECLARED = "any API that declares it"


def pages() -> dict[str, str]:
    """Return the page of each law by its path below `docs/`."""
    return {**_laws(), **{f"conduct/{name}.md": text for name, text in _conduct()}}


def _laws() -> dict[str, str]:
    known = {law.name: law for law in laws_for(load_bundled(BUNDLED[0]))}
    return {f"laws/{name}.md": _law(law) for name, law in known.items()}


def _law(law: Law) -> str:
    needs = _cell(HERE / "laws.md", law.name, 2)
    experiment = law.judge_exchange or law.experiment or law.call_experiment
    bugs = [f"- [{bug.name}](../bugs/{bug.name}.md): {bug.description}" for bug in BUGS if bug.law == law.name]
    broken = "\n".join(["## Planted bugs that break it", "", *bugs, ""]) if bugs else ""
    way = "It judges every exchange, whoever sent it." if law.judge_exchange else "It sends requests of its own."
    told = [f"It needs {needs} in the document." if needs else "", way, _first_paragraph(experiment)]
    return f"""# {law.name}

{law.says}

{" ".join(filter(None, told))}

## Where it applies

{_where(law.name)}

## Checking it alone

```text
bulkproof check FILE --url URL --only {law.name}
```

{broken}
[How laws are tested](../laws.md#how-a-law-is-tested), [all laws](../laws.md)
"""


def _where(name: str) -> str:
    rows = []
    for api in BUNDLED:
        contract = load_bundled(api)
        (law,) = [one for one in laws_for(contract) if one.name == name]
        found = [f"`{one.id}`" for one in contract.operations if _applies(law, contract, one)]
        rows.append(f"- `{api}`: {', '.join(found) or 'nowhere'}")
    return "Among the bundled APIs:\n\n" + "\n".join(rows)


def _applies(law: Law, contract: Contract, operation: Operation) -> bool:
    return law.calls(contract, operation) if law.call_experiment else law.exempt_reason(operation) is None


def _conduct() -> Iterator[tuple[str, str]]:
    owners: dict[str, list[str]] = {}
    laws: dict[str, ConductLaw] = {}
    served = [source.load() for source in find_sources(BUNDLED_APIS)]
    groups = [(DECLARED, DECLARED_LAWS), *((api.name, laws_of(api)) for api in served), (EVERY, SHARED_LAWS)]
    for owner, every in groups:
        for law in every:
            owners.setdefault(law.id, []).append(owner)
            laws[law.id] = law
    for name, law in laws.items():
        yield name, _law_of_conduct(law, owners[name])


def _law_of_conduct(law: ConductLaw, owners: list[str]) -> str:
    row = _cell(HERE / "verdicts.md", law.id, 1)
    names = ", ".join(one if one in {EVERY, DECLARED} else f"`{one}`" for one in owners)
    return f"""# {law.id}

{law.says}{f" It passes when the client {row.rstrip('.')}." if row else ""}

It applies to the clients of: {names}.

In a test, `assert_passed` fails when the client broke it, and when nothing exercised it:

```python
bulkproof.verdict().assert_passed("{law.id}")
```

[All laws of conduct](../verdicts.md)
"""


def _cell(page: Path, name: str, column: int) -> str:
    """Return a cell of the row of a law in a page's tables, without its links; empty where there is none."""
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if cells[0] == f"`{name}`" and len(cells) > column:
            return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", cells[column])
    return ""


def _first_paragraph(function: Callable[..., Any] | None) -> str:
    return "" if function is None else " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())
