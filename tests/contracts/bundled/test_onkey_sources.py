"""The On Key contract's `SOURCES.md`: complete, and at one with what the descriptions mark as assumed."""

import json
from typing import NamedTuple

import pytest

from contracts.openapi.loading import bundled_path, load_bundled

PATH = bundled_path("onkey")
ONKEY = load_bundled("onkey")
TEXT = PATH.with_name("SOURCES.md").read_text("utf-8")
SOURCES = {"vendor page", "vendor site", "assumption"}
FILES = {path.name: json.loads(path.read_text("utf-8")) for path in sorted(PATH.parent.glob("schemas/*.json"))}


class Row(NamedTuple):
    """One row: the section that it stands in, its cells by heading."""

    section: str
    cells: dict[str, str]

    @property
    def name(self):
        """The first cell without its code marks."""
        return next(iter(self.cells.values())).strip("`")


def read_rows():
    """Yield the rows of all tables."""
    section, headings = "", []
    for line in TEXT.splitlines():
        cells = [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
        if line.startswith("## "):
            section, headings = line.removeprefix("## "), []
        elif line.startswith("| ") and not headings:
            headings = cells
        elif line.startswith("| "):
            yield Row(section, dict(zip(headings, cells, strict=True)))


ROWS = list(read_rows())


def names(section):
    """Return the first cells of a section's rows."""
    return {row.name for row in ROWS if row.section == section}


def properties_in(schema):
    """Yield the names of all properties that a schema file declares itself, at any depth."""
    for keyword, value in schema.items() if isinstance(schema, dict) else ():
        if keyword == "properties":
            yield from value
            for inner in value.values():
                yield from properties_in(inner)
        elif keyword in {"items", "additionalProperties"}:
            yield from properties_in(value)


def media_types():
    """Yield each content type with who sends it."""
    for one in ONKEY.operations:
        yield from ((media.media_range, one.id) for media in (one.body.content if one.body else ()))
        yield from ((media.media_range, "answer") for reply in one.responses.values() for media in reply.content)


def test_every_row_names_its_source():
    """Each row says vendor page, vendor site or assumption, and no row stands twice."""
    assert {row.cells["source"] for row in ROWS} == SOURCES
    texts = [line for line in TEXT.splitlines() if line.startswith("| ") and "source" not in line]
    assert len(texts) == len(set(texts))


def test_every_operation_has_its_row():
    """The table of operations has each operationId with its method and path."""
    calls = {row.name: row.cells["call"].strip("`") for row in ROWS if row.section == "Operations"}
    for one in ONKEY.operations:
        assert calls[one.id] == f"{one.method} {one.path.partition('/modules')[2] or one.path}"


def test_every_parameter_and_header_has_its_row():
    """The tables have each parameter with its place, and each header of an answer."""
    placed = {(row.name, row.cells["of"]) for row in ROWS if row.section == "Parameters"}
    assert {(one.name, one.where) for operation in ONKEY.operations for one in operation.parameters} == placed
    answers = [reply for operation in ONKEY.operations for reply in operation.responses.values()]
    assert {header.name for reply in answers for header in reply.headers} <= names("Headers")


@pytest.mark.parametrize(("media", "sender"), sorted(set(media_types())))
def test_every_content_type_has_its_row(media, sender):
    """A content type has a row for each request that takes it, and one where answers have it."""
    rows = [row for row in ROWS if row.section == "Content types" and row.name == media]
    asked = [row.cells["of"] for row in rows]
    if sender == "answer":
        assert any("request" not in one for one in asked)
    else:
        assert any(f"`{sender}`" in one for one in asked if "request" in one)


def test_every_status_has_its_row():
    """The table of statuses has exactly those that operations declare."""
    assert names("Statuses") == {status for one in ONKEY.operations for status in one.responses}


def test_every_schema_and_member_has_its_row():
    """The table has exactly the schema files and the members that each of them declares."""
    rows = {(row.name, row.cells["member"].strip("`")) for row in ROWS if row.section.startswith("Schemas")}
    declared = {(file, member) for file, one in FILES.items() for member in (set(properties_in(one)) or {""})}
    assert rows == declared


def test_every_message_code_has_its_row():
    """The table has exactly the codes that messages are declared to have; ours are those that begin with Sandbox_."""
    section = "Message codes and texts"
    assert names(section) == set(FILES["message.json"]["properties"]["code"]["examples"])
    assumed = {row.name for row in ROWS if row.section == section and row.cells["source"] == "assumption"}
    assert assumed == {name for name in names(section) if name.startswith("Sandbox_")}


def test_the_vendors_texts_stand_in_the_vendors_examples():
    """The text of each code that the page shows is that of the page's own message."""
    document = json.dumps(ONKEY.document, ensure_ascii=False)
    shown = {
        "AssetImportance->Description": "E->P",
        " 1 and 100 ": " <min> and <max> ",
        " 0 characters": " <n> characters",
    }
    for text, sign in shown.items():
        document = document.replace(text, sign)
    texts = [
        row.cells["text"].strip("`") for row in ROWS if "text" in row.cells and row.cells["source"] == "vendor page"
    ]
    assert len(texts) == 4
    assert [text for text in texts if text not in document] == []


def test_assumptions_are_marked_where_users_see_them():
    """A schema, operation or parameter that a row calls an assumption says so in its description."""
    assumed = {row.name for row in ROWS if row.cells["source"] == "assumption" and row.name not in {"", "access_token"}}
    said = {one.id: one.description for one in ONKEY.operations}
    said |= {one.name: one.description for operation in ONKEY.operations for one in operation.parameters}
    said |= {file: json.dumps(one) for file, one in FILES.items()}
    assert [name for name in sorted(assumed & set(said)) if "Assumption:" not in said[name]] == []
    assert len(assumed & set(said)) > 20


def test_every_contradiction_of_the_page_is_told():
    """The eight places where the vendor's page contradicts itself stand in a table of their own."""
    assert len(names("Where the page contradicts itself")) == 8
