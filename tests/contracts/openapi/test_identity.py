"""References are resolved by the identifiers of schemas, and by the map of URIs to files."""

import json

import pytest

from contracts import ContractError, load
from contracts.openapi.loading import LoadOptions
from contracts.openapi.validation import validate_value
from contracts.schemas.identity import joined, mapped_file


@pytest.fixture
def loaded(tmp_path):
    """Return a function that loads a document whose schemas are these, beside files, and gives its schema `S`."""

    def loaded(schemas, files=(), ref_map=(), version="3.1.0", *, strict=False):
        document = {
            "openapi": version,
            "info": {"title": "T", "version": "1"},
            "paths": {},
            "components": {"schemas": schemas},
        }
        for name, content in {"api.json": document, **dict(files)}.items():
            (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
            (tmp_path / name).write_text(json.dumps(content))
        options = LoadOptions(ref_map={uri: tmp_path / name for uri, name in dict(ref_map).items()}, strict=strict)
        return load(tmp_path / "api.json", options=options).schemas.schema(
            "contract:/api/api.json#/components/schemas/S"
        )

    return loaded


NUMBER = {"type": "integer"}
BASE = "https://schemas.example/"


@pytest.mark.parametrize(
    ("schemas", "files", "ref_map"),
    [
        ({"S": {"$ref": f"{BASE}n"}, "N": {"$id": f"{BASE}n", **NUMBER}}, {}, {}),
        ({"S": {"$ref": f"{BASE}n#"}, "N": {"$id": f"{BASE}n", **NUMBER}}, {}, {}),
        ({"S": {"$id": f"{BASE}s", "$ref": "n"}, "N": {"$id": f"{BASE}n", **NUMBER}}, {}, {}),
        ({"S": {"$id": f"{BASE}a/b", "allOf": [{"$ref": "../n"}]}, "N": {"$id": f"{BASE}n", **NUMBER}}, {}, {}),
        ({"S": {"$id": f"{BASE}s", "$ref": "#/$defs/n", "$defs": {"n": NUMBER}}}, {}, {}),
        ({"S": {"$id": f"{BASE}s", "$ref": "#n", "$defs": {"n": {"$anchor": "n", **NUMBER}}}}, {}, {}),
        ({"S": {"$ref": f"{BASE}s#n"}, "T": {"$id": f"{BASE}s", "$defs": {"n": {"$anchor": "n", **NUMBER}}}}, {}, {}),
        ({"S": {"$ref": "#n"}, "N": {"$anchor": "n", **NUMBER}, "O": {"$id": "urn:o", "$anchor": "n"}}, {}, {}),
        ({"S": {"$ref": "urn:uuid:1#/$defs/n"}, "T": {"$id": "urn:uuid:1", "$defs": {"n": NUMBER}}}, {}, {}),
        ({"S": {"$ref": "#/components/schemas/T/$defs/n"}, "T": {"$id": f"{BASE}t", "$defs": {"n": NUMBER}}}, {}, {}),
        ({"S": {"$id": f"{BASE}s", "$ref": "#/components/schemas/N"}, "N": NUMBER}, {}, {}),
        ({"S": {"$ref": "n.json"}}, {"n.json": {"$id": f"{BASE}n.json", **NUMBER}}, {}),
        ({"S": {"$ref": "s.json"}}, {"s.json": {"$id": f"{BASE}s.json", "$ref": "n.json"}, "n.json": NUMBER}, {}),
        ({"S": {"$ref": "s.json#n"}}, {"s.json": {"$defs": {"n": {"$anchor": "n", **NUMBER}}}}, {}),
        ({"S": {"$ref": "s.json"}}, {"s.json": {"$ref": "x#/n", "$defs": {"x": {"$id": "x", "n": NUMBER}}}}, {}),
        ({"S": {"$ref": f"{BASE}n"}}, {"local.json": NUMBER}, {f"{BASE}n": "local.json"}),
        ({"S": {"$ref": f"{BASE}v1/n"}}, {"v1/n": NUMBER}, {BASE: "."}),
        ({"S": {"$ref": f"{BASE}s"}}, {"s": {"$ref": "n"}, "n": NUMBER}, {f"{BASE}s": "s", f"{BASE}n": "n"}),
        ({"S": {"$id": f"{BASE}s", "$ref": "n"}}, {"local.json": NUMBER}, {f"{BASE}n": "local.json"}),
        ({"S": {"$dynamicRef": "#n"}, "N": {"$anchor": "n", **NUMBER}}, {}, {}),
        ({"S": {"$dynamicRef": "#/components/schemas/N"}, "N": NUMBER}, {}, {}),
    ],
)
def test_a_reference_finds_what_is_identified(loaded, schemas, files, ref_map):
    """Identifiers, anchors, files and mapped URIs all lead to the same number."""
    schema = loaded(schemas, files, ref_map)
    assert (schema.is_valid(1), schema.is_valid("1")) == (True, False)
    assert (schema.are_valid([1, 2]), schema.are_valid([1, "1"])) == (True, False)
    assert [one.rule for one in validate_value(schema, "1")] == ["type"]


TREE = {
    "$id": f"{BASE}tree",
    "$dynamicAnchor": "node",
    "type": "object",
    "properties": {"data": True, "children": {"type": "array", "items": {"$dynamicRef": "#node"}}},
}
STRICT = {"$id": f"{BASE}strict", "$dynamicAnchor": "node", "$ref": "tree", "unevaluatedProperties": False}


def test_a_dynamic_reference_leads_to_the_outermost_anchor(loaded):
    """JSON Schema 2020-12, core, 8.2.3.2 and appendix C: a strict tree is strict at every depth."""
    strict, tree = loaded({"S": STRICT, "T": TREE}), loaded({"S": TREE, "T": STRICT})
    misspelled = {"children": [{"daat": 1}]}
    assert (tree.is_valid(misspelled), strict.is_valid(misspelled)) == (True, False)
    assert (tree.are_valid([misspelled]), strict.are_valid([misspelled])) == (True, False)
    assert strict.is_valid({"children": [{"data": 1}]})
    assert [(one.pointer, one.rule) for one in validate_value(strict, misspelled)]
    assert not validate_value(tree, misspelled)


def test_a_schema_of_another_draft_is_read_as_such(loaded):
    """`$schema` at the root of a file says which draft its schemas are of."""
    pair = {"items": [{"type": "integer"}], "additionalItems": False, "dependencies": {"a": ["b"]}}
    schema = loaded(
        {"S": {"$ref": "s.json"}}, {"s.json": {"$schema": "http://json-schema.org/draft-07/schema#", **pair}}
    )
    values = ([1], [1, 2], ["1"], {"a": 1}, {"a": 1, "b": 1})
    assert [schema.is_valid(one) for one in values] == [True, False, False, False, True]


def test_a_metaschema_without_validation_asserts_nothing(loaded):
    """`$vocabulary` of the metaschema that `$schema` names decides which keywords count."""
    metaschema = {"$id": f"{BASE}meta", "$vocabulary": {"https://json-schema.org/draft/2020-12/vocab/applicator": True}}
    files = {
        "s.json": {"$schema": f"{BASE}meta", "properties": {"a": False, "b": {"type": "integer"}}},
        "m.json": metaschema,
    }
    schema = loaded({"S": {"$ref": "s.json"}}, files, {f"{BASE}meta": "m.json"})
    assert (schema.is_valid({"b": "x"}), schema.is_valid({"a": 1})) == (True, False)


@pytest.mark.parametrize(
    "draft", ["http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"]
)
def test_a_published_metaschema_needs_no_file(loaded, draft):
    """A member that holds a JSON Schema is checked as one, and its mistakes are explained."""
    schema = loaded({"S": {"$ref": draft}})
    assert schema.is_valid({"properties": {"a": {"type": "integer"}}})
    assert not schema.is_valid({"properties": {"a": {"type": "int"}}})
    assert validate_value(schema, {"properties": {"a": {"type": "int"}}})


def test_an_id_of_draft_4_counts_in_a_file_of_its_own(loaded):
    """OpenAPI 3.0 has no `$id`; schemas beside it may be of draft 4, a member of a document named `id` is none."""
    files = {
        "s.json": {"id": f"{BASE}s", "$ref": "ignored"},
        "t.json": {"id": f"{BASE}t", "allOf": [{"$ref": "#n"}], "definitions": {"n": {"id": "#n", **NUMBER}}},
    }
    schema = loaded({"S": {"$ref": "t.json"}, "T": {"id": "t", "properties": {"id": NUMBER}}}, files, version="3.0.3")
    assert (schema.is_valid(1), schema.is_valid("1")) == (True, False)


@pytest.mark.parametrize("uri", [f"{BASE}unknown", "urn:unknown", "urn:unknown#/a"])
def test_an_unknown_uri_is_refused_with_its_cure(loaded, uri):
    """What no identifier, file or map entry names is told, with what to do about it."""
    with pytest.raises(ContractError, match="--ref-map"):
        loaded({"S": {"$ref": uri}}, strict=True)


@pytest.mark.parametrize(
    ("base", "reference", "expected"),
    [
        ("contract:/n/api.yaml", "b.yaml", "contract:/n/b.yaml"),
        ("contract:/n/a/api.yaml", "../b.yaml", "contract:/n/b.yaml"),
        ("contract:/n/api.yaml", "http://h/b", "http://h/b"),
        ("contract:/n/api.yaml", "urn:a:b", "urn:a:b"),
        ("http://h/a/b", "c", "http://h/a/c"),
        ("http://h/a/b", "/c", "http://h/c"),
        ("urn:a:b", "http://h/c", "http://h/c"),
    ],
)
def test_references_are_joined(base, reference, expected):
    """RFC 3986, section 5; files of a contract are relative to the file that names them."""
    assert joined(base, reference) == expected


def test_the_longest_prefix_wins(tmp_path):
    """An entry ending with `/` maps a folder; an exact entry goes first."""
    ref_map = {"http://h/": tmp_path, "http://h/a/": tmp_path / "x", "http://h/a/b": tmp_path / "exact"}
    names = ("http://h/c", "http://h/a/c", "http://h/a/b", "http://other/c")
    assert [mapped_file(ref_map, name) for name in names] == [
        tmp_path / "c",
        tmp_path / "x" / "c",
        tmp_path / "exact",
        None,
    ]


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_a_list_of_items_is_read_as_that_of_the_first_elements(loaded, version):
    """Drafts before 2020-12 have it; OpenAPI has not, so that it is said, and refused where asked."""
    pair = {"type": "array", "items": [NUMBER, {"type": "string"}], "additionalItems": False}
    schema = loaded({"S": pair}, version=version)
    assert [schema.is_valid(one) for one in ([1, "a"], [1], ["a"], [1, "a", 1])] == [True, True, False, False]
    with pytest.raises(ContractError, match="'items' is a list"):
        loaded({"S": pair}, version=version, strict=True)


@pytest.mark.parametrize("name", ["S", "Z"])
def test_a_reference_into_what_a_conversion_moves_is_followed(loaded, name):
    """The pointer is that of the document as it was written, whatever was read first."""
    whole = {"nullable": True, "allOf": [{"type": "object"}], "properties": {"n": NUMBER, "o": {"items": [NUMBER]}}}
    schemas = {
        name: {"$ref": "#/components/schemas/T/properties/n"},
        "M": {"nullable": True, "$ref": "#/components/schemas/T/properties/n"},
        "L": {"$ref": "#/components/schemas/T/properties/o/items/0"},
        "T": whole,
        "S": {"allOf": [{"$ref": f"#/components/schemas/{one}"} for one in ("L", name if name != "S" else "M")]}
        if name != "S"
        else {"$ref": "#/components/schemas/T/properties/n"},
    }
    schema = loaded(schemas, version="3.0.3")
    assert (schema.is_valid(1), schema.is_valid("1")) == (True, False)
    nullable = schema.within.schema("contract:/api/api.json#/components/schemas/M")
    assert [nullable.is_valid(one) for one in (1, None, "1")] == [True, True, False]
