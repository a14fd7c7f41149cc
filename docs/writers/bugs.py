"""`bugs.md` from the table of planted bugs, and for the site a page for each of them."""

from collections.abc import Iterator
from pathlib import Path

from contracts.openapi.loading import BUNDLED, load_bundled
from contracts.openapi.model import Contract
from generators.check.laws.catalogue import ALL_LAWS
from mockserver.bugs.catalogue import BUGS, Bug
from mockserver.bugs.requirements import REQUIREMENTS, bulk_sites

HERE = Path(__file__).parents[1]
NOTE = "<!-- Written by docs/write.py; change bugs.head.md or the table of bugs instead. -->\n\n"
OTHER = {  # what a bug breaks that is no law of bulk semantics
    "conduct": "what a server owes a polite client",
    "listing": "a list has the stored records",
    "schema": "a response conforms to its contract",
    "text": "an error text names the cause",
}


def page() -> str:
    """Return `bugs.md`."""
    head = (HERE / "bugs.head.md").read_text(encoding="utf-8").rstrip()
    rows = [f"| `{bug.name}` | {bug.law} | {bug.description} | {', '.join(bug.needs) or 'nothing'} |" for bug in BUGS]
    return f"{NOTE}{head}\n\n| bug | breaks | what goes wrong | needs |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def pages() -> dict[str, str]:
    """Return the page of each bug by its path below `docs/`."""
    return {f"bugs/{bug.name}.md": _bug(bug) for bug in BUGS}


def _bug(bug: Bug) -> str:
    law = f"[`{bug.law}`](../laws/{bug.law}.md)" if bug.law in {one.name for one in ALL_LAWS} else f"`{bug.law}`"
    broken = f"It breaks {law}{f': {OTHER[bug.law]}' if bug.law in OTHER else ''}."
    needs = f"An operation can have it that declares: {', '.join(bug.needs)}." if bug.needs else "Any operation can."
    places = [*_places(bug)]
    where = "\n".join(places) or "None of the bundled APIs declares all of it."
    return f"""# {bug.name}

{bug.description} {broken}

## Where it can be planted

{needs} Of the bundled APIs:

{where}

## Planting it

In a test:

```python
bulkproof.bug("{bug.name}")
```

In a scenario, for the requests that its rule matches:

```yaml
name: plants-{bug.name}
rules:
  - then: {{bug: {bug.name}}}
```

Whether your tests notice it:

```text
bulkproof mutants --only {bug.name} -- pytest
```

[All bugs](../bugs.md)
"""


def _places(bug: Bug) -> Iterator[str]:
    for name in BUNDLED:
        operations = _operations(bug, load_bundled(name))
        if operations:
            yield f"- `{name}`: {', '.join(f'`{one}`' for one in operations)}"


def _operations(bug: Bug, contract: Contract) -> list[str]:
    return [
        place.operation.id for place in bulk_sites(contract) if all(REQUIREMENTS[need](place) for need in bug.needs)
    ]
