"""The served contracts as single documents: everything in other files is brought under `components`."""

import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import PurePosixPath
from typing import Any, Final

from contracts.grammar import GRAMMAR, Place, members
from contracts.messages import Reply
from contracts.model import Contract
from contracts.pointers import escape, split_ref, tokens_of
from mockserver.control.desk import Desk
from mockserver.turn import Turn

SECTIONS: Final = {member.kind: name for name, member in GRAMMAR["components"].items()}
_UNFIT: Final = re.compile(r"[^A-Za-z0-9._-]+")


def get_api_document(desk: Desk, turn: Turn) -> Reply:
    """Return the contract of a served API."""
    return Reply.of(200, bundled(desk.api(turn).contract))


def get_control_document(desk: Desk, turn: Turn) -> Reply:
    """Return the control API's own contract."""
    del desk
    return Reply.of(200, bundled(turn.api.contract))


def bundled(contract: Contract) -> dict[str, Any]:
    """Return a contract's document so that it refers to nothing outside itself."""
    return _Bundle(contract).document


class _Bundle:
    """A copy of a document in the making; `moved` tells where the things from other files now are."""

    def __init__(self, contract: Contract) -> None:
        self.documents = contract.schemas.documents
        self.contract = contract
        self.root = next(uri for uri, one in self.documents.items() if one is contract.document)
        self.document: dict[str, Any] = deepcopy(dict(contract.document))
        self.moved: dict[tuple[str, str], str] = {}
        self.waiting = [Place("document", self.root, (), self.document)]
        while self.waiting:
            self._visit(self.waiting.pop())

    def _visit(self, place: Place) -> None:
        node = place.node
        if not isinstance(node, dict):
            return
        if isinstance(node.get("$ref"), str):
            node["$ref"] = self._here(place.kind, node["$ref"])
        discriminator = node.get("discriminator")
        if (
            place.kind == "schema"
            and isinstance(discriminator, dict)
            and isinstance(discriminator.get("mapping"), dict)
        ):
            named = discriminator["mapping"]
            discriminator["mapping"] = {value: self._here("schema", ref) for value, ref in named.items()}
        self.waiting += members(place)

    def _here(self, kind: str, ref: str) -> str:
        """Return a reference inside this document to what `ref` leads to."""
        uri, pointer = split_ref(ref)
        if uri == self.root:
            return f"#{pointer}"
        if uri not in self.documents:
            return ref
        known = self.moved.get((kind, ref))
        return known if known is not None else self._bring(kind, ref)

    def _bring(self, kind: str, ref: str) -> str:
        section = self.document.setdefault("components", {}).setdefault(SECTIONS[kind], {})
        name = _free(_name(ref), section)
        section[name] = value = deepcopy(self.contract.schemas.value(ref))
        self.moved[kind, ref] = f"#/components/{SECTIONS[kind]}/{escape(name)}"
        self.waiting.append(Place(kind, split_ref(ref)[0], (), value))
        return self.moved[kind, ref]


def _name(ref: str) -> str:
    uri, pointer = split_ref(ref)
    parts = (PurePosixPath(uri).stem, *(token for token in tokens_of(pointer) if token not in {"$defs", "properties"}))
    return _UNFIT.sub("_", ".".join(parts)) or "schema"


def _free(name: str, taken: Mapping[str, object]) -> str:
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}{number}", number + 1
    return free
