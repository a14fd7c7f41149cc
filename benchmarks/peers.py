"""Other mock servers, installed from the npm registry and started for a comparison.

Each validates the body of two operations and answers with a constant: a list of blocks, as Genero takes it, and an
object with a list of blocks, as a plain document has it.
"""

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import orjson
from load import HERE, Server

PACKAGES = ("@stoplight/prism-cli", "wiremock", "fastify")  # ajv comes with fastify, the jar with wiremock
BLOCKS, PLAIN = "/genero/api/v1/block/postJob", "/blocks/batch"
BLOCK = {
    "type": "object",
    "required": ["blockId", "name"],
    "additionalProperties": False,
    "properties": {
        "blockId": {"type": "string", "minLength": 1, "maxLength": 50},
        "name": {"type": "string", "minLength": 1, "maxLength": 100},
        "deleted": {"type": "boolean"},
    },
}
LIST = {"type": "array", "minItems": 1, "maxItems": 10_000, "items": BLOCK}
BATCH = {"type": "object", "required": ["items"], "additionalProperties": False, "properties": {"items": LIST}}
ANSWER = {
    "type": "object",
    "required": ["jobId", "status"],
    "properties": {"jobId": {"type": "string"}, "status": {"type": "string"}},
}


def operation(schema: dict[str, object]) -> dict[str, object]:
    example = {"jobId": "5f0c0a3e-7f6b-4a55-8b7d-0f8a2b1c9d10", "status": "accepted"}
    answer = {"description": "Accepted", "content": {"application/json": {"schema": ANSWER, "example": example}}}
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {"post": {"requestBody": body, "responses": {"200": answer}}}


DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "Blocks", "version": "1"},
    "paths": {BLOCKS: operation(LIST), PLAIN: operation(BATCH)},
}


def blocks(count: int, batch: str = "b") -> list[dict[str, object]]:
    """Return valid blocks."""
    return [{"blockId": f"{batch}{n}", "name": f"The name of block {n}", "deleted": False} for n in range(count)]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Installed:
    """The peers in a folder of npm packages, which are installed when they are not there."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder or Path(mkdtemp(prefix="bulkproof-peers-"))
        self.kept = folder is not None
        self.modules = self.folder / "node_modules"
        self.document = self.folder / "document.json"
        if not shutil.which("npm"):
            raise SystemExit("The peers need Node.js and npm: install Debian's packages nodejs and npm.")
        if not all((self.modules / one).is_dir() for one in PACKAGES):
            print(f"Installing {', '.join(PACKAGES)} in {self.folder}.", file=sys.stderr)
            self.folder.mkdir(parents=True, exist_ok=True)
            quiet = ("--no-audit", "--no-fund", "--loglevel", "error")
            subprocess.run(["npm", "install", "--prefix", str(self.folder), *quiet, *PACKAGES], check=True)
        self.document.write_bytes(orjson.dumps(DOCUMENT))

    def versions(self) -> str:
        told = {one: orjson.loads((self.modules / one / "package.json").read_bytes())["version"] for one in PACKAGES}
        return ", ".join(f"{name} {version}" for name, version in told.items())

    def remove(self) -> None:
        """Remove the folder, unless it was given."""
        if not self.kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    def prism(self) -> Server:
        port, program = free_port(), self.modules / "@stoplight/prism-cli/dist/index.js"
        where = ("-h", "127.0.0.1", "-p", str(port), "-v", "silent")
        return Server("node", str(program), "mock", *where, str(self.document), port=port)

    def fastify(self) -> Server:
        port = free_port()
        command = ("node", str(HERE / "fastify_server.js"), str(self.folder), str(self.document), str(port))
        return Server(*command, port=port)

    def wiremock(self) -> Server:
        """Start WireMock as its documentation says for load: no journal, no log of requests, no compression."""
        if not shutil.which("java"):
            raise SystemExit("WireMock needs Java: install Debian's package default-jre-headless, or leave it out.")
        mappings = self.folder / "wiremock" / "mappings"
        mappings.mkdir(parents=True, exist_ok=True)
        for n, (path, item) in enumerate(DOCUMENT["paths"].items()):
            (mappings / f"{n}.json").write_bytes(orjson.dumps(_mapping(path, item["post"])))
        (jar,) = (self.modules / "wiremock" / "build").glob("wiremock-standalone-*.jar")
        port = free_port()
        where = ("--bind-address", "127.0.0.1", "--port", str(port), "--root-dir", str(mappings.parent))
        tuned = ("--no-request-journal", "--disable-request-logging", "--disable-gzip", "--disable-banner")
        return Server("java", "-jar", str(jar), *where, *tuned, port=port)

    def named(self) -> dict[str, Callable[[], Server]]:
        """Return what starts each peer, by its name."""
        return {"Prism": self.prism, "WireMock tuned": self.wiremock, "fastify + ajv": self.fastify}


def _mapping(path: str, post: dict) -> dict[str, object]:
    schema = post["requestBody"]["content"]["application/json"]["schema"]
    answer = post["responses"]["200"]["content"]["application/json"]["example"]
    return {
        "request": {
            "method": "POST",
            "url": path,
            "bodyPatterns": [{"matchesJsonSchema": orjson.dumps(schema).decode(), "schemaVersion": "V202012"}],
        },
        "response": {"status": 200, "jsonBody": answer, "headers": {"Content-Type": "application/json"}},
    }
