"""Presets: known ways of bulk requests, written into the operations of a document. Begin with `apply_presets`.

They are data, `contracts/presets.yaml`, whose head says how they are written.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, Final

from contracts.bulk.names import collection_path
from contracts.errors import ContractError
from contracts.openapi.grammar import METHODS, DocumentObject
from contracts.openapi.operations import default_operation_id
from contracts.openapi.references import Documents
from contracts.syntax.documents import read_document
from contracts.syntax.text import as_mapping, listed, look_up, merge_patch, names_hint, pointer_of, split_ref, tokens_of

FILE: Final = Path(__file__).parent.parent / "presets.yaml"
Preset = Mapping[str, Any]


@cache
def presets() -> Mapping[str, Preset]:
    """Return every preset by name."""
    found: Any = read_document(FILE, shown=FILE.name)
    return dict(sorted(found.items()))


def apply_presets(documents: Documents, names: Sequence[str]) -> None:
    """Write `x-bulk` into the operations that the presets fit, and in full wherever a preset is named.

    The documents are linked. Raises ContractError: no such preset, no operation that fits one, or one that it needs.
    """
    before = len(documents.faults)
    for name in names:
        if (preset := _known(documents, name, DocumentObject("document", documents.root, (), None))) is not None:
            _attach(documents, name, preset)
    for place in documents.with_extensions:
        assert isinstance(place.node, dict)  # noqa: S101 - only mappings have extensions
        declared = place.node.get("x-bulk")
        if place.kind == "operation" and isinstance(declared, Mapping) and "preset" in declared:
            place.node["x-bulk"] = _expanded(documents, place, declared)
    if len(documents.faults) > before:
        raise ContractError(tuple(documents.faults[before:]))


def _known(documents: Documents, name: object, place: DocumentObject) -> Preset | None:
    found = presets().get(str(name))
    if found is None:
        cure = names_hint(str(name), presets(), "Presets")
        documents.fault(place, f"there is no preset '{name}'.", cure)
    return found


def _attach(documents: Documents, name: str, preset: Preset) -> None:
    fitting = [place for place in _operations(documents) if _fits(documents, place, preset["fits"])]
    if not fitting:
        fact = f"no operation fits the preset '{name}': {_told(preset['fits'])}."
        root = DocumentObject("document", documents.root, ("paths",), None)
        documents.fault(root, fact, f"Write 'x-bulk: {{preset: {name}}}' on the operation, by an overlay.")
    for place in fitting:
        assert isinstance(place.node, dict)  # noqa: S101 - an operation is a mapping
        if "x-bulk" not in place.node:
            place.node["x-bulk"] = {"preset": name}
            documents.with_extensions += [] if "x-record" in place.node else [place]


def _told(fits: Mapping[str, str]) -> str:
    words = {
        "method": lambda value: f"its method is {value.upper()}",
        "path": lambda value: f"its path matches {value}",
        "member": lambda value: f"its body has '{value}'",
        "status": lambda value: f"it declares {value}",
    }
    return listed(words[member](value) for member, value in fits.items())


def _operations(documents: Documents) -> Iterator[DocumentObject]:
    """Yield the operations of the root document's paths; the last two tokens are path and method as they are there."""
    root: Any = documents.loaded[documents.root]
    for path, item in as_mapping(root.get("paths")).items():
        target = _followed(documents, item)
        for method in METHODS:
            if isinstance(target, Mapping) and isinstance(target.get(method), dict):
                yield DocumentObject("operation", documents.root, ("paths", path, method), target[method])


def _followed(documents: Documents, node: Any) -> Any:
    """Return an object, or what its `$ref` leads to."""
    for _ in range(len(documents.loaded) + 10):
        if not isinstance(node, Mapping) or "$ref" not in node:
            break
        uri, pointer = split_ref(str(node["$ref"]))
        node = look_up(documents.loaded.get(uri), pointer)
    return node


def _fits(documents: Documents, place: DocumentObject, fits: Mapping[str, str]) -> bool:
    _, path, method = place.tokens
    node: Any = place.node
    return (
        method == fits["method"]
        and re.search(fits.get("path", ""), path, re.IGNORECASE) is not None
        and ("status" not in fits or fits["status"] in node.get("responses", ()))
        and ("member" not in fits or fits["member"] in _body_members(documents, node))
    )


def _body_members(documents: Documents, operation: Mapping[str, Any]) -> set[str]:
    body = _followed(documents, operation.get("requestBody"))
    content = body.get("content", {}) if isinstance(body, Mapping) else {}
    schemas = [_followed(documents, one.get("schema")) for one in content.values() if isinstance(one, Mapping)]
    return {name for one in schemas if isinstance(one, Mapping) for name in one.get("properties", ())}


def _expanded(documents: Documents, place: DocumentObject, declared: Mapping[str, Any]) -> Mapping[str, Any]:
    at = place._replace(tokens=(*place.tokens, "x-bulk", "preset"))
    preset = _known(documents, declared["preset"], at)
    own = {name: one for name, one in declared.items() if name != "preset"}
    if preset is None:
        return own
    whole: dict[str, Any] = merge_patch(deepcopy(preset["x-bulk"]), own)
    for member, rule in preset.get("operations", {}).items():
        pointer = member.rstrip("?")
        holder, name = look_up(whole, pointer_of(tokens_of(pointer)[:-1])), tokens_of(pointer)[-1]
        if not isinstance(holder, dict) or name in holder:
            continue
        found = _find_operation(documents, place, rule)
        if found is not None:
            holder[name] = found
        elif member == pointer:
            fact = (
                f"the preset needs the operation of '{pointer}', and none is {rule['method'].upper()} {rule['path']}."
            )
            documents.fault(at, fact, "Write its operationId there.")
    return whole


def _find_operation(documents: Documents, place: DocumentObject, rule: Mapping[str, str]) -> str | None:
    """Return the id of the operation that a rule means, None when there is none or more than one."""
    own = next((one.tokens[1] for one in _operations(documents) if one.node is place.node), "")
    pattern = rule["path"].replace("{collection}", re.escape(collection_path(own)))
    found = [
        str(one.node.get("operationId") or default_operation_id(method, path))
        for one in _operations(documents)
        for _, path, method in [one.tokens]
        if method == rule["method"] and re.search(pattern, path) and one.node is not place.node
        if isinstance(one.node, Mapping)
    ]
    return found[0] if len(found) == 1 else None
