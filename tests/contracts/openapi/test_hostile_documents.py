"""Documents of strangers: what expands, leads away or breaks lines is refused or left out, in words."""

import json

import pytest

from contracts.errors import ContractError
from contracts.openapi.loading import LoadOptions, load

FIELD = {"schema": {"type": "string"}, "example": "v"}
SECRET = {"type": "string", "const": "hunter2"}


def written(path, document):
    """Write a document, as JSON or as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def referring(ref, **response):
    """Return a document whose only schema is elsewhere."""
    content = {"application/json": {"schema": {"$ref": ref}}}
    operation = {"responses": {"200": {"description": "", "content": content, **response}}}
    return {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/a": {"get": operation}}}


def bomb(kind):
    """Return YAML of a kilobyte whose aliases stand for 9 ** 9 values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for n in range(1, 9):
        parts = [f"k{m}: *a{n - 1}" if kind == "maps" else f"*a{n - 1}" for m in range(9)]
        begin, end = "{}" if kind == "maps" else "[]"
        lines.append(f"a{n}: &a{n} {begin}{', '.join(parts)}{end}")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (bomb("lists"), "too large once its aliases are written out"),
        (bomb("maps"), "too large once its aliases are written out"),
        ("a: &a [*a]", "names no anchor"),
        ("[" * 5_000 + "]" * 5_000, "nested more than 100 deep"),
        ("{a: " * 5_000 + "}" * 5_000, "nested more than 100 deep"),
        ("x-a: " + "[" * 200 + "]" * 200, "nested more than 100 deep"),
        (json.dumps({"a": None}).replace("null", "[" * 50_000 + "]" * 50_000), "nested more than 100 deep"),
    ],
)
def test_what_expands_or_is_deep_is_refused(tmp_path, text, told):
    """A small text is no large document."""
    with pytest.raises(ContractError, match=told):
        load(written(tmp_path / "api.yaml", text))


OUTSIDE = [
    "../secret.json",
    "./../secret.json",
    "%2e%2e/secret.json",
    "sub/../../secret.json",
    "{absolute}",
    "{encoded}",
]


@pytest.mark.parametrize("ref", OUTSIDE)
def test_references_stay_in_the_folder_of_the_document(tmp_path, ref):
    """A file beside the document is read, one elsewhere only in a folder that was named."""
    secret = written(tmp_path / "secret.json", SECRET)
    written(tmp_path / "api" / "sub" / "inner.json", SECRET)
    encoded = "%2F" + str(secret).lstrip("/")
    document = referring(ref.format(absolute=secret, encoded=encoded))
    contract = load(written(tmp_path / "api" / "api.json", document))
    (fault,) = [one for one in contract.repairs if "cannot be followed" in one.fact]
    assert "--ref-root" in fault.cure or "relative to this file" in fault.cure
    assert secret not in contract.files
    assert "hunter2" not in json.dumps(contract.document)
    allowed = load(tmp_path / "api" / "api.json", options=LoadOptions(ref_root=tmp_path))
    assert [one.fact for one in allowed.repairs] == [] or "relative to this file" in fault.cure
    with pytest.raises(ContractError):
        load(tmp_path / "api" / "api.json", options=LoadOptions(strict=True))
    beside = load(written(tmp_path / "api" / "api.json", referring("sub/inner.json")))
    assert beside.repairs == ()


def test_files_refer_to_their_own_folder_in_turn(tmp_path):
    """A file in a folder below may lead back up, but not out."""
    written(tmp_path / "api" / "sub" / "inner.json", {"$ref": "../shared.json"})
    written(tmp_path / "api" / "shared.json", {"$ref": "../secret.json"})
    written(tmp_path / "secret.json", SECRET)
    contract = load(written(tmp_path / "api" / "api.json", referring("sub/inner.json")))
    assert [(one.file, "--ref-root" in one.cure) for one in contract.repairs] == [("shared.json", True)]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/a.json", "https://192.0.2.1/a", "file:///etc/passwd", "//h/a", "ftp://h/a"]
)
def test_urls_in_a_file_are_not_asked(tmp_path, url):
    """Nothing is fetched that nobody has allowed."""
    contract = load(written(tmp_path / "api.json", referring(url)))
    assert ["cannot be followed" in one.fact for one in contract.repairs] == [True]


def test_values_of_examples_stay_in_the_folder(tmp_path):
    """An external value is no way out."""
    secret = written(tmp_path / "secret.txt", "hunter2")
    document = referring("#/components/schemas/A")
    document["components"] = {"schemas": {"A": {}}}
    media = document["paths"]["/a"]["get"]["responses"]["200"]["content"]["application/json"]
    media["examples"] = {"one": {"externalValue": "../secret.txt"}}
    contract = load(written(tmp_path / "api" / "api.json", document))
    assert ["--ref-root" in one.cure for one in contract.repairs] == [True]
    assert secret not in contract.files


@pytest.mark.parametrize("name", ["X-A\r\nEvil: 1", "X A", "", "X-\u00e9", "X:", "X-\0"])
def test_names_that_http_cannot_carry_are_left_out(tmp_path, name):
    """A header field is declared by a token; the others are served."""
    document = referring("#/components/schemas/A", headers={name: FIELD, "X-Good": FIELD})
    document["components"] = {"schemas": {"A": {}}}
    contract = load(written(tmp_path / "api.json", document))
    assert [one.fact for one in contract.repairs] == [f"{name!r} is no name of a header field."]
    assert [one.name for one in contract.operations[0].response(200).headers] == ["X-Good"]
