"""The rules of `ARCHITECTURE.md` and `CONTRIBUTING.md` that a machine can check: imports, sizes, names, exports."""

import ast
import importlib
import re
import subprocess
import sys
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from statistics import median

import pytest
from writers import diagrams

ROOT = Path(__file__).parent.parent

LAYERS = {  # packages, and the folders and modules of each, lowest first: each imports only what is before it
    "contracts": ("errors", "messages", "syntax", "bulk", "schemas", "openapi", "drafts", "diff", "exchange"),
    "generators": (
        "errors",
        "data",
        "requests",
        "client",
        "oracles",
        "schemathesis_engine",
        "check",
        "contract_diff",
        "datasets",
        "triage",
        "fuzz",
        "reports",
    ),
    "mockserver": (
        "stores",
        "domain",
        "bugs",
        "scenarios",
        "api",
        "bulk",
        "journal",
        "sandbox",
        "engine",
        "mutants",
        "verdicts",
        "apis",
        "export",
        "dashboard",
        "control",
        "http",
        "mutation_testing",
        "testing",
        "pytest_plugin",
        "cli",
        "__main__",
    ),
}
PACKAGES = tuple(LAYERS)
LOOSE_MODULES = {  # modules beside the folders of a package: its public face
    "contracts": {"errors", "messages"},
    "generators": {"contract_diff", "errors"},
    "mockserver": {"__main__", "pytest_plugin"},
}
MAX_MODULES = (
    401  # 250, and published schemas, schemas by direction, ECMA-262 patterns, overlays,
    # `run`, a folder for what commands share,
    # what a surviving bug did, what became of the items of jobs and targets,
    # the first call that is shown,
    # answers of plain documents (6), items as text, items as HTTP requests, references between items (2),
    # raw items, items written as HTTP requests, idempotency keys (2), limits, members of x-bulk that are not served,
    # presets, words of bulk paths, x-bulk in words, `explain`,
    # replies in a vendor's shape (4: completion, set members, entries, job status),
    # best values, requests in writing, identifiers of schemas, dynamic references, the grammar of OpenAPI,
    # forms, security schemes, conventions of document servers, bodies of requests, CORS,
    # mended documents, mended text, documents from URLs, lint, Swagger 2.0,
    # `init`, drafts of x-bulk (2: evidence, drafts), sources of facts,
    # values spread over all of a schema, objects apart from arrays,
    # lists (7: read as a whole, what they show, filters, as served, as asked for by usual names, as laws (2)),
    # states of jobs, faults of items and of refused requests, facts that findings break,
    # valid requests of any call, malformed requests, files of reports, calls in words and as curl,
    # names of faker.js,
    # laws on jobs as told, what jobs look up,
    # who may do what (3: places apart, isolation, credentials), quotas, normalisation,
    # records written by columns, columns of items, connections of HTTP/1.1,
    # what is kept of a message, long work in slices, turns of calls, who may call the control API, TLS,
    # snapshots (6: the document, an API in it, its journal, typed values, single values, the command),
    # durable servers (3: the file, the log of calls, recovery), structured logs,
    # limits of connections, files of the dashboard (2: the folder, what serves them),
    # live events apart from sandboxes, responses in bytes apart from connections,
    # what clients got of responses, exchanges as scenarios, `wait`, `schema`, `completion`,
    # APIs in words, made-up requests, reports in a browser, signatures apart from scripts,
    # what a put snapshot must let an API tell,
    # lanes in two processes,
    # records that are packed,
    # what a campaign does with jobs,
    # laws on calls (2: the folder, their table), methods of paths, words, reads of several records,
    # places of syntax errors,
    # the order of faults, faults of what others refer to, times of records, keys as text,
    # orders by members of other records, values taken as they are,
    # the law on targets,
    # folders of the laws on errors and on lists (3: the folders, their table), what is written again,
    # isolation of bulk requests, records that are looked up,
    # lists judged by earlier ones, single writes as jobs, wrong members of bodies,
    # items with faults, faults of each member, single writes, refusals of everything,
    # what changes nothing, lists asked in other words, lanes of a check, items that refer to others,
    # the requests of the reference model, records apart from the choice of handlers
)
MAX_MODULES_OF_A_FOLDER = 20
MAX_LINES = 400
MEDIAN_LINES = (100, 250)
HEAVY = {
    "contracts": ("jsonschema", "yaml", "aiohttp", "schemathesis", "faker", "distributed", "rich"),
    "generators": ("schemathesis", "faker", "distributed", "aiohttp", "rich"),
    "mockserver": ("schemathesis", "faker", "distributed", "redis", "aiohttp", "rich"),
    "mockserver.cli": ("aiohttp", "schemathesis", "faker", "distributed", "jsonschema"),
}
SHARED_NAMES = {  # classes of one name in several modules: why
    "Exchange": "`mockserver.testing` shows a recorded exchange to tests by the same word as `contracts`",
    "Report": "`contracts` reports on a validation, `generators.reports` writes reports of a run",
    "Server": "`mockserver.testing` has the word for a server that a test uses, the script of a finding for its target",
}


def _module_name(path):
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


FILES = [path.relative_to(ROOT) for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


TEXTS = {_module_name(path): (ROOT / path).read_text(encoding="utf-8") for path in FILES}
IMPORT = re.compile(
    rf"^[ \t]*(?:from ((?:{'|'.join(PACKAGES)})\b[\w.]*) import (\([^)]*\)|[^\n(#]+)|import ([^\n#]+))", re.MULTILINE
)
CLASS = re.compile(r"^class ([^\W_]\w*)", re.MULTILINE)
BEGINNING = re.compile(r'"""[^"]*?\bBegin with `([\w.]+)', re.DOTALL)
RELATIVE = re.compile(r"^[ \t]*from \.", re.MULTILINE)


def _imported_modules(text):
    """Return the project's modules that a module imports, at its top, inside functions and for type checkers."""
    assert not RELATIVE.search(text), "imports are absolute"
    found = set()
    for module, names, plain in IMPORT.findall(text):
        every = [one.split(" as ")[0].strip() for one in (names or plain).strip("()").split(",")]
        found |= {one if not module else f"{module}.{one}" if f"{module}.{one}" in TEXTS else module for one in every}
    return found & TEXTS.keys()


@cache
def imports():
    """Return the project's modules that each module imports, by name."""
    return {name: _imported_modules(text) for name, text in TEXTS.items()}


def _part(module):
    """Return the folder or module of a package that a module is, or lies in; empty for the package itself."""
    return module.split(".")[1] if "." in module else ""


def test_the_drawings_show_what_the_page_says():
    """Run `python docs/write.py` after a change of the tables or the pipeline of `ARCHITECTURE.md`."""
    drawn = diagrams.pictures()
    assert {path for path, text in drawn.items() if (ROOT / "docs" / path).read_text("utf-8") != text} == set()
    assert all(f"docs/{path}" in (ROOT / "ARCHITECTURE.md").read_text("utf-8") for path in drawn)
    assert all(f">{package}<" in drawn["pictures/packages.svg"] for package in PACKAGES)


def test_imports_are_found():
    """The other tests would hold for an empty graph: here are an import at the top, in a function, for types."""
    assert "contracts.openapi.model" in imports()["contracts.openapi.loading"]
    assert "generators.check.run" in imports()["mockserver.cli.check"]
    assert "mockserver.http.lifecycle" in imports()["mockserver.testing.transports"]
    assert sum(map(len, imports().values())) > len(TEXTS)


@pytest.mark.slow
def test_texts_are_read_as_python_does():
    """What is found in a module's text is what its syntax tree has."""
    for name, text in TEXTS.items():
        tree = ast.parse(text)
        nodes = list(ast.walk(tree))
        froms = [(one.module, other.name) for one in nodes if isinstance(one, ast.ImportFrom) for other in one.names]
        found = {f"{module}.{one}" if f"{module}.{one}" in TEXTS else module for module, one in froms}
        found |= {other.name for one in nodes if isinstance(one, ast.Import) for other in one.names}
        assert imports()[name] == found & TEXTS.keys(), name
        classes = [one.name for one in tree.body if isinstance(one, ast.ClassDef)]
        assert CLASS.findall(text) == [one for one in classes if not one.startswith("_")], name


def test_a_package_imports_only_packages_before_it():
    """Alphabetical order is the order of dependency: contracts, generators, mockserver."""
    offenders = [
        f"{module} imports {name}"
        for module, names in imports().items()
        for name in sorted(names)
        if PACKAGES.index(name.partition(".")[0]) > PACKAGES.index(module.partition(".")[0])
    ]
    assert offenders == []


def test_every_folder_has_its_layer():
    """The layers of a package are its folders and modules, each once."""
    found = {package: sorted({_part(name) for name in TEXTS if name.startswith(f"{package}.")}) for package in PACKAGES}
    assert found == {package: sorted(layers) for package, layers in LAYERS.items()}


def test_a_layer_imports_only_layers_before_it():
    """Inside a package a folder or module imports itself and what is before it in `LAYERS`."""
    offenders = [
        f"{module} imports {name}"
        for module, names in imports().items()
        for name in sorted(names)
        if _is_upward(module, name)
    ]
    assert offenders == []


def _is_upward(module, name):
    package = module.partition(".")[0]
    ranks = {part: rank for rank, part in enumerate(LAYERS[package])}
    if name.partition(".")[0] != package or not {_part(module), _part(name)} <= set(ranks):
        return False  # another package; or a package's own face, which the test of circles covers
    return ranks[_part(name)] > ranks[_part(module)]


def test_no_module_is_in_a_circle_of_imports():
    """No module leads back to itself by imports, those inside functions and for type checkers counted."""
    assert [module for module in imports() if module in _reached_from(module)] == []


def _reached_from(module):
    reached, waiting = set(), [module]
    while waiting:
        news = imports()[waiting.pop()] - reached
        reached |= news
        waiting += news
    return reached


def test_modules_lie_in_folders_that_can_be_surveyed():
    """Beside the folders of a package there is only its public face; no folder has too many modules, nor has all."""
    modules = [path for path in FILES if path.name != "__init__.py"]
    loose = {package: {path.stem for path in modules if path.parts[:-1] == (package,)} for package in PACKAGES}
    assert loose == LOOSE_MODULES
    folders = Counter(str(path.parent) for path in modules)
    assert {folder: count for folder, count in folders.items() if count > MAX_MODULES_OF_A_FOLDER} == {}
    assert len(FILES) <= MAX_MODULES


def test_modules_have_a_readable_length():
    """No module is longer than the ceiling, and half of them neither mere fragments nor long."""
    lines = {path: len(TEXTS[_module_name(path)].splitlines()) for path in FILES}
    assert {str(path): count for path, count in lines.items() if count > MAX_LINES} == {}
    shortest, longest = MEDIAN_LINES
    assert shortest <= median(count for path, count in lines.items() if path.name != "__init__.py") <= longest


def test_a_docstring_begins_a_reader_where_there_is_something():
    """What a module says to begin with is in it, or is a name that it works with."""
    begun = {name: BEGINNING.match(text) for name, text in TEXTS.items()}
    first = {name: one[1].rpartition(".")[2] for name, one in begun.items() if one is not None}
    assert len(first) > len(TEXTS) / 2
    assert {name: word for name, word in first.items() if not _mentions(name, word)} == {}


def _mentions(module, word):
    """Tell whether a module's code has a word, or a package has a module or class of this name."""
    code = TEXTS[module].partition('"""')[2].partition('"""')[2]
    inner = "".join(text for name, text in TEXTS.items() if name.startswith(f"{module}."))
    return bool(re.search(rf"\b{word}\b", code)) or f"{module}.{word}" in TEXTS or f" {word}" in inner


def test_exports_are_sorted():
    """What a package exports is listed and sorted: constants, classes, functions."""
    packages = [_module_name(path) for path in FILES if path.name == "__init__.py"]
    exported = {name: list(getattr(importlib.import_module(name), "__all__", [])) for name in packages}
    assert any(exported.values())
    ordered = {name: sorted(names, key=_place) for name, names in exported.items()}
    assert {name: names for name, names in exported.items() if names != ordered[name]} == {}


def _place(name: str) -> tuple[bool, bool, str]:
    return not name.isupper(), not name[0].isupper(), name


def test_importing_a_package_stays_light():
    """A package's import brings in nothing heavy: commands and functions import what they need."""
    assert {package: brought for package in HEAVY if (brought := _heavy_imports(package))} == {}


def _heavy_imports(package: str) -> list[str]:
    code = f"import sys, {package}; print(*[name for name in {HEAVY[package]!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.split()


def test_a_class_name_means_one_class():
    """No two modules define public classes of one name, but for those that `SHARED_NAMES` gives a reason for."""
    homes = defaultdict(list)
    for module, text in TEXTS.items():
        for name in CLASS.findall(text):
            homes[name].append(module)
    shared = {name: modules for name, modules in homes.items() if len(modules) > 1}
    assert {name: modules for name, modules in shared.items() if name not in SHARED_NAMES} == {}
    assert [name for name in SHARED_NAMES if name not in shared] == []
