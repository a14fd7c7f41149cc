"""A server that speaks TLS answers as one that does not, by https URLs; what it cannot use is one sentence."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme
from children import module, run
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization as form

from mockserver.apis.sources import find_sources
from mockserver.cli import main
from mockserver.http import server as http_server
from mockserver.http.lifecycle import in_thread
from mockserver.http.service import Options
from mockserver.http.tls import server_context
from mockserver.testing.bulkproof import connected

CURL = shutil.which("curl")
CREATE = '[{"blockId": "b1", "name": "One"}]'


class Certificates:
    """The files of an authority and of two servers of loopback that it signed."""

    def __init__(self, folder):
        authority = trustme.CA()
        self.authority = folder / "authority.pem"
        authority.cert_pem.write_to_path(self.authority)
        self.certificate, self.key = self._written(folder, "server", authority)
        _, self.other_key = self._written(folder, "other", authority)

    def _written(self, folder, name, authority):
        issued = authority.issue_cert("127.0.0.1", "localhost")
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        for blob in issued.cert_chain_pems:
            blob.write_to_path(certificate, append=True)
        issued.private_key_pem.write_to_path(key)
        return certificate, key


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """Return the files of certificates."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def urls(certificates):
    """Yield two running servers that differ in TLS alone."""
    apis = [source.load() for source in find_sources(("genero",))]
    tls = server_context(certificates.certificate, certificates.key)
    with in_thread(apis, Options(mode="frozen", tls=tls)) as one, in_thread(apis, Options(mode="frozen")) as other:
        yield one, other


@contextmanager
def wire(running, authority):
    """Yield a socket to a server."""
    with socket.create_connection(("127.0.0.1", running.port), 30) as plain:
        if running.service.options.tls is None:
            yield plain
            return
        context = ssl.create_default_context(cafile=authority)
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
            assert secure.version() in {"TLSv1.2", "TLSv1.3"}
            yield secure


def exchanged(running, authority, message):
    """Return all that a server sends for bytes, until it closes the connection; what differs by nature is cut."""
    received = b""
    with wire(running, authority) as link:
        link.sendall(message)
        with suppress(ConnectionError, ssl.SSLError):  # by TLS, Python does not tell a reset from an end
            while chunk := link.recv(65536):
                received += chunk
    return re.sub(rb"Date: [^\r]*", b"", received)


def post(path, body, *fields):
    """Return the bytes of a POST."""
    head = [f"POST {path} HTTP/1.1", "Host: a", "Content-Type: application/json", *fields]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", body]).encode()


def scenario(name, **then):
    """Return the bytes of a call that activates a scenario in a sandbox."""
    body = json.dumps({"scenarios": [{"name": "s", "rules": [{"then": then}]}]})
    return (
        post(f"/_sandbox/sandboxes/{name}/scenarios", body)
        .replace(b"POST", b"PUT")
        .replace(b"Host: a", b"Host: 127.0.0.1")
    )


LAST = b"GET /@%s/genero/api/v1/block HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
LARGE = "[" + ",".join(f'{{"blockId": "b{n}", "name": "{"x" * 100}"}}' for n in range(3000)) + "]"
MESSAGES = {
    "one": LAST,
    "pipelined": post("/@%s/genero/api/v1/block/postJob", CREATE) * 3 + LAST,
    "a large body": post("/@%s/genero/api/v1/block/postJob", LARGE) + LAST,
    "no HTTP": b"\x16\x03\x01 GET\r\n\r\n",
    "chunked": b"POST /@%s/genero/api/v1/block/postJob HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Type: application/json\r\n\r\n2\r\n[]\r\n0\r\n\r\n" + LAST,
    "expect": b"POST /@%s/genero/api/v1/block/postJob HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
    b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n[]" + LAST,
    "too large": b"POST /@%s/genero/api/v1/block/postJob HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n",
}
FAULTS = ("EMPTY_RESPONSE", "MALFORMED_RESPONSE_CHUNK", "CONNECTION_RESET_BY_PEER")


@pytest.mark.parametrize("kind", MESSAGES)
def test_the_same_bytes_come_by_tls(urls, certificates, kind, monkeypatch):
    """Each answer is the same to the byte, whatever carries it."""
    monkeypatch.setattr(http_server, "LINGER_SECONDS", 0.2)
    message = MESSAGES[kind].replace(b"%s", kind.replace(" ", "-").encode())
    one, other = (exchanged(running, certificates.authority, message) for running in urls)
    assert one == other != b""


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_the_wire_break_tls_too(urls, certificates, fault):
    """What a scenario breaks ends the connection; nothing is sent after it."""
    asked = post("/@%s/genero/api/v1/block/postJob", CREATE).replace(b"%s", fault.encode())
    for running in urls:
        told = exchanged(running, certificates.authority, scenario(fault, fault=fault) + LAST.replace(b"%s", b"x"))
        assert told.startswith(b"HTTP/1.1 200")
    one, other = (exchanged(running, certificates.authority, asked) for running in urls)
    assert one == other


def test_urls_that_are_sent_are_https(urls, certificates):
    """Exports and ways to select a scenario name the server as it is called."""
    with wire(urls[0], certificates.authority) as link:
        link.sendall(MESSAGES["pipelined"].replace(b"%s", b"exported").replace(b"Host: a", b"Host: 127.0.0.1:1"))
        while link.recv(65536):
            pass
    for path in ("sandboxes/exported/exchanges/1/as/curl", "sandboxes/exported/exchanges/1/as/http", "scenarios"):
        asked = f"GET /_sandbox/{path} HTTP/1.1\r\nHost: 127.0.0.1:1\r\nConnection: close\r\n\r\n".encode()
        told = exchanged(urls[0], certificates.authority, asked)
        assert b"https://127.0.0.1:1" in told
        assert b"http://127.0.0.1" not in told


def test_the_plug_in_of_pytest_reaches_a_server_by_tls(urls, certificates, monkeypatch):
    """A server whose authority is named by SSL_CERT_FILE is used like any other, and no other is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    server = connected(urls[0].url)
    bulkproof = server.sandbox("by-tls")
    assert bulkproof.url.startswith("https://127.0.0.1:")
    assert bulkproof.clock.now is not None


def test_what_is_not_tls_gets_no_answer(urls):
    """Plain HTTP is closed, and so is a version before 1.2; others are served on."""
    with socket.create_connection(("127.0.0.1", urls[0].port), 30) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with suppress(ConnectionError):
            assert not plain.recv(65536).startswith(b"HTTP")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", urls[0].port), 30) as plain, pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(plain)


SERVE = ("serve", "genero", "--port", "0")


def _damaged(path, target):
    text = Path(path).read_text().splitlines()
    target.write_text("\n".join([text[0], *(line[::-1] for line in text[1:-1]), text[-1]]) + "\n")
    return target


UNUSABLE = {
    "no key": (lambda one, _: ["--tls-cert", one.certificate], "--tls-cert is without --tls-key."),
    "no certificate": (lambda one, _: ["--tls-key", one.key], "--tls-key is without --tls-cert."),
    "no file": (lambda one, at: ["--tls-cert", at / "none", "--tls-key", one.key], "cannot be read"),
    "a folder": (lambda one, at: ["--tls-cert", at, "--tls-key", one.key], "cannot be read"),
    "exchanged": (lambda one, _: ["--tls-cert", one.key, "--tls-key", one.certificate], "has no certificate in PEM"),
    "no PEM": (lambda one, _: ["--tls-cert", one.certificate, "--tls-key", __file__ + "x"], "cannot be read"),
    "of another": (
        lambda one, _: ["--tls-cert", one.certificate, "--tls-key", one.other_key],
        "is not that of the certificate",
    ),
    "damaged": (
        lambda one, at: ["--tls-cert", _damaged(one.certificate, at / "d.pem"), "--tls-key", one.key],
        "cannot be used for TLS",
    ),
    "a passphrase": (lambda one, at: ["--tls-cert", one.certificate, "--tls-key", _locked(one.key, at)], "passphrase"),
}


def _locked(key, folder):
    """Return a copy of a key with a passphrase."""
    found = form.load_pem_private_key(key.read_bytes(), None)
    locked = form.BestAvailableEncryption(b"secret")
    path = folder / "locked.key"
    path.write_bytes(found.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, locked))
    return path


@pytest.mark.parametrize("kind", UNUSABLE)
def test_what_tls_cannot_use_is_one_sentence(certificates, tmp_path, kind):
    """A file that is missing, or does not fit, is said before anything is served; the exit code is 2."""
    words, told = UNUSABLE[kind]
    ended = CliRunner().invoke(main, [*SERVE, *map(str, words(certificates, tmp_path))])
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert told in ended.stderr
    assert len(ended.stderr.strip().splitlines()) <= 2


@pytest.mark.slow
def test_a_process_says_the_same_of_what_tls_cannot_use(certificates):
    """It ends by itself, with that sentence and exit code."""
    words = [*SERVE, "--tls-cert", str(certificates.certificate), "--tls-key", str(certificates.other_key)]
    ended, here = run([sys.executable, "-m", "mockserver", *words]), CliRunner().invoke(main, words)
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", here.stderr)


@pytest.mark.slow
@pytest.mark.skipif(CURL is None, reason="there is no curl")
def test_curl_and_check_use_a_server_by_tls(certificates):
    """The URLs that are printed work, for clients that know the authority; others are told what to do."""
    words = ("serve", "genero", "--port", "0", "--tls-cert", certificates.certificate, "--tls-key", certificates.key)
    with module("mockserver", *words, stdout=subprocess.PIPE) as server:
        printed = ""
        while "Try:" not in printed:
            printed += server.stdout.readline()
        url = re.search(r"control +(https://\S+)/_sandbox", printed)[1]
        assert "http://" not in printed
        got = run([CURL, "-sS", "--cacert", str(certificates.authority), f"{url}/_sandbox/health"])
        assert '"status":"ok"' in got.stdout, got.stderr
        line = server.stdout.readline().strip()
        got = run(["sh", "-c", line.replace("curl ", f"curl --cacert {certificates.authority} -f ", 1)])
        assert got.returncode == 0, got.stderr
        check = [
            sys.executable,
            "-m",
            "mockserver",
            "check",
            "genero",
            "--url",
            url,
            "--only",
            "coverage",
            "--max-time",
            "20s",
        ]
        plain = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
        refused = run(check, env=plain)
        assert refused.returncode == 2
        assert "is not trusted" in refused.stderr
        assert "SSL_CERT_FILE" in refused.stderr
        judged = run(check, env={**plain, "SSL_CERT_FILE": str(certificates.authority)})
        assert judged.returncode == 0, judged.stdout
        assert re.search(r"^calls: [1-9]", judged.stdout, re.MULTILINE)
