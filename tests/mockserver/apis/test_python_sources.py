"""APIs named in Python: `FILE.py:name` and `module:name`, and what is said of those that cannot be loaded."""

import sys
from pathlib import Path

import pytest

from contracts.errors import MisuseError
from contracts.openapi.loading import LoadOptions
from generators.check.plan import selection
from mockserver.apis.sources import find_sources

ROOMS = Path(__file__).parents[3] / "examples" / "your-own-api" / "rooms.py"
HEAD = """
from contracts.openapi.loading import load_bundled
from mockserver.api.model import Api
from mockserver.engine.default_hooks import DEFAULT_HOOKS
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Return a function that writes a module of a name of its own."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)

    def write(name, text):
        path = tmp_path / f"{name}.py"
        path.write_text(f"{HEAD}{text}")
        return path

    return write


MADE = 'Api(name="mine", contract=load_bundled("genero"), hooks=DEFAULT_HOOKS)'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a_value", f"api = {MADE}"),
        ("a_function", f"def api():\n    return {MADE}"),
        ("a_class", f"api = lambda: {MADE}"),
    ],
)
@pytest.mark.parametrize("is_file", [True, False])
def test_an_api_is_a_value_or_a_function_in_a_file_or_a_module(module, name, text, is_file):
    path = module(f"{name}_{'file' if is_file else 'module'}", text)
    place = str(path) if is_file else path.stem
    api = find_sources([f"{place}:api"])[0].load()
    assert (api.name, api.contract.name) == ("mine", "genero")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("absent", "", "absent.py:api: it cannot be loaded: AttributeError: module 'absent' has no attribute 'api'"),
        ("broken", "1 / 0", "broken.py:api: it cannot be loaded: ZeroDivisionError: division by zero"),
        ("unclear", "api = (", "unclear.py:api: it cannot be loaded: SyntaxError"),
        ("other", "api = dict", "other.py:api: it is dict, not an Api"),
        (
            "raising",
            "def api():\n    raise RuntimeError('no')",
            "raising.py:api: it cannot be loaded: RuntimeError: no",
        ),
    ],
)
def test_what_is_no_api_is_refused_in_one_sentence(module, name, text, says):
    module(name, text)
    with pytest.raises(MisuseError) as caught:
        find_sources([f"{name}.py:api"])[0].load()
    assert str(caught.value).startswith(says)


def test_a_place_that_does_not_exist_is_refused(module):
    with pytest.raises(MisuseError, match=r"^gone\.py: there is no such file"):
        find_sources(["gone.py:api"])[0].load()
    with pytest.raises(MisuseError, match="No module named 'gone_module'"):
        find_sources(["gone_module:api"])[0].load()
    path = module("with_overlay", f"api = {MADE}")
    with pytest.raises(MisuseError, match="no file is named"):
        find_sources([f"{path}:api"], LoadOptions(presets=("scim-bulk",)))


def test_checks_of_an_api_can_be_chosen_by_name():
    api = find_sources([f"{ROOMS}:api"])[0].load()
    chosen = selection(api.contract, ["explains"], [], api.checks)
    assert [law.name for law in chosen.laws] == ["explains"]
    with pytest.raises(MisuseError, match="'explains' is neither a check nor an operationId"):
        selection(api.contract, ["explains"], [])


def test_scenarios_of_an_api_can_be_chosen_by_name(serving):
    """They are listed beside the bundled ones."""
    listed = serving(f"{ROOMS}:api").send("GET", "/_sandbox/scenarios").data
    assert "tower-closed" in {one["name"] for one in listed["scenarios"]}
