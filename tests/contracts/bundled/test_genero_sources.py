"""The Genero contract's `SOURCES.md`: complete, and at one with the assumptions that the descriptions mark."""

import json
import re
from collections import defaultdict
from typing import NamedTuple

import pytest
import yaml

from contracts.openapi.loading import bundled_path

PATH = bundled_path("genero")
SOURCES = ("vendor page", "vendor site", "assumption")
LIMITS = ("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems")


class Row(NamedTuple):
    """One fact of the table."""

    kind: str
    name: str
    fact: str
    source: str


def read_rows():
    """Yield the rows of all tables of facts."""
    for line in PATH.with_name("SOURCES.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 4 and cells[0] not in {"kind", "---"}:
            yield Row(cells[0], cells[1].strip("`"), cells[2], cells[3])


ROWS = list(read_rows())
DOCUMENT = yaml.safe_load(PATH.read_text("utf-8"))
SCHEMAS = {path.name: json.loads(path.read_text("utf-8")) for path in sorted(PATH.parent.glob("schemas/*.json"))}
OPERATIONS = {
    one["operationId"]: one for path in DOCUMENT["paths"].values() for word, one in path.items() if word != "parameters"
}
BY_NAME = defaultdict(list)
for _row in ROWS:
    BY_NAME[_row.name].append(_row)


def declared():
    """Yield the kind, name and definition of everything that the contract declares."""
    for name, operation in OPERATIONS.items():
        yield "operation", name, operation
        for status, response in operation["responses"].items():
            yield "status", f"{name} {status}", resolved(response)
    for name, parameter in DOCUMENT["components"]["parameters"].items():
        yield "parameter", f"{{{name}}}" if parameter["in"] == "path" else f"?{name}", parameter
    for name, header in DOCUMENT["components"]["headers"].items():
        yield "header", name, header
    for file, schema in SCHEMAS.items():
        yield "schema", file, schema
        for member, inner in schema.get("properties", {}).items():
            yield "property", f"{file} {member}", inner


def resolved(node):
    for token in node.get("$ref", "#").split("/")[1:]:
        node = DOCUMENT[token] if token == "components" else node[token]
    return node


def assumptions(description):
    """Return the facts that a description lists as assumptions, a line each."""
    return {fact.rstrip(".") for fact in re.findall(r"^- Assumption: (.*)$", description, re.MULTILINE)}


DECLARED = list(declared())


@pytest.mark.parametrize(("kind", "name", "node"), DECLARED, ids=[f"{kind} {name}" for kind, name, _ in DECLARED])
def test_everything_declared_has_its_row(kind, name, node):
    """Each thing has rows, is marked as an assumption exactly when one of them says so, and has its limits said."""
    rows = BY_NAME[name]
    assert any(row.kind in {kind, "limit"} for row in rows)
    assert any(row.source == "assumption" for row in rows) == ("Assumption:" in node["description"])
    shape = node.get("schema", node)
    said = " ".join(row.fact for row in rows)
    assert [word for word in LIMITS if word in shape and not re.search(rf"\b{shape[word]}\b", said)] == []


@pytest.mark.parametrize("name", ["info", *OPERATIONS])
def test_each_assumption_of_an_operation_is_one_row(name):
    """What a description lists as assumptions is what the table has as assumed rules, word for word."""
    description = DOCUMENT["info"]["description"] if name == "info" else OPERATIONS[name]["description"]
    rules = {row.fact.rstrip(".") for row in BY_NAME[name] if (row.kind, row.source) == ("rule", "assumption")}
    assert rules == assumptions(description)
    assert rules


def test_rows_speak_only_of_what_there_is():
    """No row has an unknown source, names something undeclared, or stands twice."""
    known = {(kind, name) for kind, name, _ in DECLARED}
    kinds = {kind for kind, _, _ in DECLARED}
    assert [row for row in ROWS if row.kind in kinds and (row.kind, row.name) not in known] == []
    assert {row.source for row in ROWS} == set(SOURCES)
    assert len(set(ROWS)) == len(ROWS)


def test_texts_stand_where_the_rows_say():
    """Each text in the table is found in the description, the examples or the words of what it is said of."""
    for row in (row for row in ROWS if row.kind == "text" and row.fact.startswith("`")):
        node = next(node for _, name, node in DECLARED if name == row.name)
        assert row.fact.strip("`") in json.dumps(node, ensure_ascii=False)


def test_every_contradiction_of_the_page_is_told():
    """The five places where the vendor's page contradicts itself stand in a table of their own."""
    part = PATH.with_name("SOURCES.md").read_text("utf-8").partition("## Where the vendor's page contradicts itself")[2]
    assert len([line for line in part.splitlines() if line.startswith("| ")]) == 2 + 5
