"""A Caller that speaks to a sandbox inside this process; its clock moves only when it is told to."""

from datetime import UTC, datetime

from generators.client.http import response_of
from mockserver.engine import pipeline
from mockserver.sandbox import sandboxes
from mockserver.sandbox.sandboxes import Sandbox, SandboxTemplate

START = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)


class InProcess:
    """One served API without sockets; what it answers is read as it would come over the wire."""

    controlled = True

    def __init__(self, api):
        self.api, self.at = api, START
        blank = SandboxTemplate(apis={api.name: api}, settings=sandboxes.default_settings([api]), mode="frozen")
        self.sandbox = Sandbox("checked", blank, START)

    def send(self, call):
        reply = pipeline.handle(self.sandbox, self.api, call, self.at)
        return response_of(reply.status, reply.headers, reply.body)

    def advance(self, by):
        self.at += by

    def now(self):
        return self.at
