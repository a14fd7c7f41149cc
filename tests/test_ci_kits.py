"""The kits for CI and containers call what there is: each is run, or read, as its users' machines do.

The scripts of the action and of the template are run by Bash with the real program; no runner and no Docker is needed.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from children import run

from mockserver.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]
KITS, COMPOSE = ROOT / "kits", ROOT / "examples" / "compose"
ACTION = yaml.safe_load((KITS / "github" / "action.yml").read_text("utf-8"))
TEMPLATE = yaml.safe_load((KITS / "gitlab" / "bulkproof.yml").read_text("utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
JUDGED = ("check", "verdict", "mutants", "diff")
ORDERS = ROOT / "examples" / "orders"
OLD, NEW = ORDERS / "1.yaml", ORDERS / "2.yaml"
RUNS = [  # command, arguments, exit code
    ("diff", f"'{OLD}' '{OLD}'", 0),
    ("diff", f"'{OLD}' '{NEW}'", 1),
    ("diff", f"\"$GONE\" '{NEW}'", 2),
    ("verdict", "--url http://127.0.0.1:9", 2),
    ("check", "genero --url http://127.0.0.1:9", 2),
    ("mutants", "--api missing.yaml -- true", 2),
]


@pytest.fixture
def environment(tmp_path):
    """Return the variables of a job, and put `bulkproof` on its path."""
    program = tmp_path / "bin" / "bulkproof"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mockserver "$@"\n')
    program.chmod(0o755)
    return os.environ | {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def step(name):
    return next(one for one in ACTION["runs"]["steps"] if one["name"] == name)


@pytest.mark.slow
@pytest.mark.parametrize(("command", "arguments", "code"), RUNS, ids=lambda one: str(one)[:12])
def test_the_action_keeps_reports_on_every_exit_code(command, arguments, code, environment, tmp_path):
    """Its exit code is the command's; both reports are where the steps after it look, which always run."""
    variables = {"COMMAND": command, "ARGUMENTS": arguments, "REPORTS": "reports", "GONE": "gone.yaml"}
    done = run(["bash", "-e", "-c", step("Bulkproof")["run"]], env=environment | variables, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert {one.name for one in (tmp_path / "reports").iterdir()} == {f"{command}.xml", f"{command}.sarif"}


@pytest.mark.slow
@pytest.mark.parametrize(("command", "arguments", "code"), RUNS[1:3], ids=lambda one: str(one)[:12])
def test_the_template_keeps_reports_on_every_exit_code(command, arguments, code, environment, tmp_path):
    """The lines of its script, one after the other, as a GitLab runner runs them."""
    variables = {**TEMPLATE[f".bulkproof-{command}"]["variables"], "BULKPROOF_ARGUMENTS": arguments, "GONE": "gone"}
    script = "\n".join(TEMPLATE[".bulkproof"]["script"])
    done = run(["bash", "-e", "-c", script], env=environment | variables, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    reports = {one.name for one in (tmp_path / "bulkproof-reports").iterdir()}
    assert reports == {f"{command}.xml", f"{command}.sarif"}


def test_the_action_is_composed_as_github_wants_it():
    """Steps that run something have a shell, inputs exist, reports are always kept, no script has an input in it."""
    assert ACTION["runs"]["using"] == "composite"
    for one in ACTION["runs"]["steps"]:
        assert ("run" in one) == ("shell" in one)
        assert "${{" not in one.get("run", "")
        if "uses" in one:
            assert one["if"].startswith("always()")
    used = set(re.findall(r"inputs\.([\w-]+)", (KITS / "github" / "action.yml").read_text("utf-8")))
    assert used == set(ACTION["inputs"])


def test_the_kits_have_the_same_commands():
    """Each takes both reports."""
    assert {f".bulkproof-{name}" for name in JUDGED} == set(TEMPLATE) - {".bulkproof"}
    assert f"{' | '.join(JUDGED)})" in step("Bulkproof")["run"]
    assert TEMPLATE[".bulkproof"]["artifacts"]["when"] == "always"
    for name in JUDGED:
        assert {"--junit", "--sarif"} <= options_of(name)


def options_of(name):
    return {word for one in main.get_command(click.Context(main), name).params for word in one.opts}


@pytest.mark.slow
def test_the_hooks_stop_what_they_are_for(environment, tmp_path):
    """In a repository with two documents: a mistake, and a change that breaks clients of the last commit."""
    entries = {one["id"]: one["entry"].split() for one in HOOKS}
    assert all(re.search(one["files"], "contracts/openapi.yaml") for one in HOOKS)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(tmp_path)]
    files = [tmp_path / "one" / "openapi.yaml", tmp_path / "two" / "openapi.yaml"]
    for file in files:
        file.parent.mkdir()
        file.write_bytes(OLD.read_bytes())
    for words in (["init", "-q"], ["add", "one", "two"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    names = [str(file.relative_to(tmp_path)) for file in files]

    def code(hook):
        return run([*entries[hook], *names], env=environment, cwd=tmp_path).returncode

    assert (code("bulkproof-lint"), code("bulkproof-diff")) == (0, 0)
    files[1].write_bytes(NEW.read_bytes())
    assert (code("bulkproof-lint"), code("bulkproof-diff")) == (0, 1)
    files[0].write_text(OLD.read_text("utf-8").replace("description:", "descriptoin:", 1))
    assert code("bulkproof-lint") == 1


def composed():
    """Yield the file and the service of each container that is started from our image."""
    for file in sorted(COMPOSE.glob("*.yaml")):
        for name, service in yaml.safe_load(file.read_text("utf-8"))["services"].items():
            if "build" in service:
                yield pytest.param(file, service, id=f"{file.stem}-{name}")


@pytest.mark.parametrize(("file", "service"), list(composed()))
def test_a_container_runs_a_command_that_there_is(file, service, tmp_path):
    """The image's entry point takes its words, its files exist, and arguments of the build are the Dockerfile's."""
    image = (ROOT / "Dockerfile").read_text("utf-8")
    assert 'ENTRYPOINT ["bulkproof"]' in image
    name, *words = service["command"]
    assert name in COMMANDS
    words = [one.replace("/findings", str(tmp_path)) for one in words]
    main.get_command(click.Context(main), name).make_context(name, words)
    build = service["build"] if isinstance(service["build"], dict) else {"context": service["build"]}
    assert (file.parent / build["context"] / "Dockerfile").is_file()
    assert all(f"ARG {one}" in image for one in build.get("args", {}))
    for volume in service.get("volumes", ()):
        source = volume.partition(":")[0]
        assert not source.startswith("..") or (file.parent / source).is_file()


def test_the_replicas_are_alike_and_their_balancer_has_the_configuration_that_is_tested():
    """What `tests/test_scaling.py` runs, with the names of the services in the place of ports."""
    services = yaml.safe_load((COMPOSE / "replicas.yaml").read_text("utf-8"))["services"]
    assert services["one"] == services["two"]
    script = services["balancer"]["command"][0].partition(" && ")[0].partition(" > ")[0]
    told = run(["sh", "-c", script.replace("/scaled", str(ROOT / "examples" / "scaled"))]).stdout
    assert all(f"server {name}:8080 max_fails=0;" in told for name in ("one", "two"))
    assert "listen 8080;" in told
    assert "127.0.0.1" not in re.sub(r"(?m)^#.*$", "", told)
