"""The loaded form of a bundled contract, as it is kept beside the bytecode, is the loaded contract and nothing else."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from contracts.openapi import loading
from contracts.openapi.loading import BUNDLED, bundled_path, load, load_bundled


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Return the folder in which loaded forms are kept, empty at first, and a function that loads as a new process."""
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    loads = []
    monkeypatch.setattr(loading, "load", lambda *given, **options: loads.append(given) or load(*given, **options))
    return tmp_path, lambda name: (load_bundled.__wrapped__(name), len(loads))


def described(contract):
    """Return all that a contract holds: schemas compare by identity, so that they are taken by their references.

    A set that was read has another order than one that was made, now and then.
    """
    text = re.sub(r"SchemaSet object at \w+", "SchemaSet", repr(contract))
    ordered = re.sub(r"frozenset\(\{(.*?)\}\)", lambda found: ", ".join(sorted(found[1].split(", "))), text)
    return ordered, contract.schemas.documents


@pytest.mark.parametrize("name", BUNDLED)
def test_what_is_kept_is_what_is_loaded(kept, name):
    """A contract read from its kept form equals one that is loaded, and shares its document with its schemas."""
    _, loaded = kept
    (first, times), (again, still) = loaded(name), loaded(name)
    assert (times, still) == (1, 1)
    fresh = load(bundled_path(name), name=name, check=False)
    assert described(again) == described(fresh) == described(first)
    shared = [uri for uri, one in fresh.schemas.documents.items() if one is fresh.document]
    assert [uri for uri, one in again.schemas.documents.items() if one is again.document] == shared
    assert [one.body.content[0].schema.within is again.schemas for one in again.operations if one.body] == [
        True for one in again.operations if one.body
    ]


@pytest.mark.parametrize(
    "damaged",
    [
        lambda _: b"",
        lambda form: form[:-1],
        lambda form: bytes([form[0] ^ 1]) + form[1:],
        lambda form: b"x" * 32 + form[32:],
    ],
    ids=["emptied", "cut", "a bit", "its digest"],
)
def test_a_damaged_form_is_not_used(kept, damaged):
    """Whatever happened to the file, the contract is loaded again, and kept again."""
    folder, loaded = kept
    loaded("genero")
    (place,) = folder.rglob("*.contract")
    place.write_bytes(damaged(place.read_bytes()))
    assert [loaded("genero")[1], loaded("genero")[1]] == [2, 2]


@pytest.mark.parametrize("changed", ["errors.py", "bundled/genero/openapi.yaml"])
def test_a_changed_file_counts(kept, monkeypatch, tmp_path, changed):
    """When a file of the package is written anew, be it code or contract, the kept form is not used."""
    package = shutil.copytree(Path(loading.BUNDLED_FOLDER).parent, tmp_path / "contracts")
    monkeypatch.setattr(loading, "BUNDLED_FOLDER", package / "bundled")
    _, loaded = kept
    loaded("genero")
    assert loaded("genero")[1] == 1
    os.utime(package / changed, ns=(1, 1))
    assert loaded("genero")[1] == 2


def test_nothing_is_kept_where_python_keeps_no_bytecode(kept, monkeypatch):
    """`PYTHONDONTWRITEBYTECODE` counts here too."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    folder, loaded = kept
    assert [loaded("genero")[1], loaded("genero")[1]] == [1, 2]
    assert [*folder.rglob("*.contract")] == []


def test_a_folder_that_cannot_be_written_does_not_matter(kept, monkeypatch):
    """The contract is loaded each time then."""
    folder, loaded = kept
    monkeypatch.setattr(sys, "pycache_prefix", str(folder / "file"))
    (folder / "file").write_text("no folder")
    assert [loaded("genero")[1], loaded("genero")[1]] == [1, 2]


def test_a_form_that_may_not_be_read_does_not_matter(kept, monkeypatch):
    """Another user's file, say: the contract is loaded each time then, too."""
    _, loaded = kept
    loaded("genero")
    read = Path.read_bytes

    def refused(path):
        if path.suffix == ".contract":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    assert [loaded("genero")[1], loaded("genero")[1]] == [2, 3]
