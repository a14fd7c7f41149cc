"""`bulkproof wait`: until a server is ready, or in vain."""

import socket

from click.testing import CliRunner

from mockserver.apis.genero import api
from mockserver.cli import main
from mockserver.http.lifecycle import in_thread
from mockserver.http.service import Options
from mockserver.testing import transports


def test_it_asks_until_the_server_is_ready(monkeypatch):
    """The first two times nobody listens; no time passes between them here."""
    answers, ask = [ConnectionRefusedError()] * 2, transports.RemoteTransport._sent  # noqa: SLF001 - the wire's place

    def sent(*call):
        if answers:
            raise answers.pop()
        return ask(*call)

    monkeypatch.setattr(transports.RemoteTransport, "_sent", sent)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with in_thread([api()], Options(control_token="t")) as running:
        done = CliRunner().invoke(main, ["wait", "--url", running.url])
    assert (done.exit_code, done.output, answers) == (0, "", [])


def test_it_says_what_did_not_respond():
    """Misuse, as of all commands: one sentence, and what to do."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{one.getsockname()[1]}"
    done = CliRunner().invoke(main, ["wait", "--url", url, "--timeout", "1ms"], standalone_mode=True)
    assert done.exit_code == 2
    assert f"no server responds at {url}" in done.stderr
