"""The configurations of `examples/scaled`, told in `docs/scaling.md`, keep each sandbox at one of two servers."""

import http.client
import json
import re
import shutil
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml
from children import child, eventually, module, run

pytestmark = pytest.mark.slow

SCALED = Path(__file__).parent.parent / "examples" / "scaled"
NAMES = [f"team-{n}" for n in range(24)]
DOWN = {"nginx.conf": 502, "haproxy.cfg": 503}  # what a balancer answers for a server that is down
COMMANDS = {"nginx.conf": ["nginx", "-p", ".", "-c", "nginx.conf"], "haproxy.cfg": ["haproxy", "-f", "haproxy.cfg"]}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def installed(name):
    program = COMMANDS[name][0]
    found = shutil.which(program) or shutil.which(f"/usr/sbin/{program}")
    if found is None:
        pytest.skip(f"{program} is not installed: apt-get install {program} (Debian) lets this test run.")
    return found


def call(port, method, path, body=None, **fields):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, {"Content-Type": "application/json", **fields})
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"null")
    finally:
        connection.close()


def status(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@contextmanager
def balanced(name, folder):
    """Yield the port of a balancer with the configuration, and its two servers: their processes by their ports."""
    program, ports = installed(name), {old: free_port() for old in ("8080", "8081", "8082")}
    text = re.sub(r"\b808[012]\b", lambda found: str(ports[found[0]]), (SCALED / name).read_text())
    (folder / name).write_text(text)
    (folder / "temp").mkdir()
    balancer, *others = ports.values()
    with ExitStack() as stack:
        command, quiet = ("mockserver", "serve", "genero", "--clock", "frozen", "--port"), subprocess.DEVNULL
        servers = {port: stack.enter_context(module(*command, port, stdout=quiet)) for port in others}
        process = stack.enter_context(child([program, *COMMANDS[name][1:]], cwd=folder, stderr=subprocess.DEVNULL))
        stack.callback(end, process)
        assert all(eventually(lambda port=port: listens(port)) for port in (balancer, *servers))
        yield balancer, servers


def end(process):
    """End a balancer in good order: killed, nginx would leave its worker behind."""
    process.terminate()
    process.wait()


def sandboxes(port):
    return {one["name"] for one in call(port, "GET", "/_sandbox/sandboxes")[1]["sandboxes"]}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_sandbox_stays_with_its_server(name, tmp_path):
    """By path, by header field and in control requests a name leads to one server; the names are spread over both."""
    with balanced(name, tmp_path) as (balancer, servers):
        for one in NAMES:
            block = [{"blockId": one, "name": "A block"}]
            assert call(balancer, "POST", f"/@{one}/genero/api/v1/block/postJob", block)[0] == 200
            assert call(balancer, "POST", f"/_sandbox/sandboxes/{one}/clock/advance", {"to": "idle"})[0] == 200
            for path, fields in ((f"/@{one}", {}), ("", {"Sandbox": one}), (f"/@{one}", {"Sandbox": one})):
                status, found = call(balancer, "GET", f"{path}/genero/api/v1/block/{one}", **fields)
                assert (status, found["blockId"]) == (200, one)
        held = [sandboxes(port) & set(NAMES) for port in servers]
        assert held[0] | held[1] == set(NAMES)
        assert not held[0] & held[1]
        assert min(map(len, held)) >= 2


@pytest.mark.parametrize("name", COMMANDS)
def test_requests_without_a_name_are_the_default_sandboxs(name, tmp_path):
    """They go where those that name the sandbox `default` go, and two names in one request are refused."""
    with balanced(name, tmp_path) as (balancer, servers):
        block = [{"blockId": "b1", "name": "A block"}]
        assert call(balancer, "POST", "/genero/api/v1/block/postJob", block)[0] == 200
        assert call(balancer, "POST", "/_sandbox/sandboxes/default/clock/advance", {"to": "idle"})[0] == 200
        assert call(balancer, "GET", "/@default/genero/api/v1/block/b1")[0] == 200
        assert call(balancer, "GET", "/genero/api/v1/block/b1", Sandbox="default")[0] == 200
        assert call(balancer, "GET", "/@one/genero/api/v1/block", Sandbox="other")[0] == 400
        assert sum("default" in sandboxes(port) for port in servers) == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_a_server_that_is_down_is_not_replaced(name, tmp_path):
    """A request for its sandboxes fails: at another server it would find an empty one."""
    with balanced(name, tmp_path) as (balancer, servers):
        for one in NAMES:
            assert call(balancer, "GET", f"/@{one}/genero/api/v1/block")[0] == 200
        (kept, _), (ended, process) = servers.items()
        lost = sandboxes(ended)
        process.terminate()
        process.wait()
        answers = {one: status(balancer, f"/@{one}/genero/api/v1/block") for one in NAMES}
        assert answers == {one: DOWN[name] if one in lost else 200 for one in NAMES}
        assert not sandboxes(kept) & lost


def test_the_balancer_of_compose_has_the_configuration_that_is_tested():
    """It mounts `haproxy.cfg`, which is valid with the variables that it sets, and names a service."""
    services = yaml.safe_load((SCALED / "compose.yaml").read_text())["services"]
    balancer = services["balancer"]
    assert balancer["volumes"][0].startswith("./haproxy.cfg:")
    assert balancer["environment"]["SERVERS"].partition(":")[0] in services
    told = run([installed("haproxy.cfg"), "-c", "-f", SCALED / "haproxy.cfg"], env=balancer["environment"])
    assert told.returncode == 0, told.stderr
