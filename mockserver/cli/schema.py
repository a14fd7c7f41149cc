"""`bulkproof schema`: the JSON Schemas of the documents that people write, for their editors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from mockserver.cli.shared.options import Command
from mockserver.cli.shared.outputs import OUTPUT_FILE, write_output

EXTENSIONS: Final = ("x-bulk", "x-quota", "x-record")  # of an operation
AT_ROOT: Final = ("x-resources",)
FILES: Final = {  # what is in a catalogue: the files that people keep such documents in
    "scenario": ("*.scenario.yaml", "*.scenario.yml", "*.scenario.json"),
    "overlay": ("*.overlay.yaml", "*.overlay.yml", "*.overlay.json"),
    "openapi": ("openapi.yaml", "openapi.yml", "openapi.json"),
}
SCHEMAS: Final = {
    "scenario": "a scenario: simulated failures",
    "openapi": "what Bulkproof adds to an OpenAPI document: x-bulk, x-record, x-quota, x-resources",
    "overlay": "an OpenAPI Overlay, with what Bulkproof adds in its updates",
    "snapshot": "the state of a sandbox",
    "x-bulk": "x-bulk alone",
    "x-quota": "x-quota alone",
    "x-record": "x-record alone",
    "x-resources": "x-resources alone",
    "x-source": "x-source alone",
}
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
NEEDS: Final = frozenset(("required", "if", "then", "else"))  # keywords that only a whole declaration has to fit
Schema = Mapping[str, Any]


@click.command(cls=Command)
@click.argument("name", required=False, type=click.Choice(tuple(SCHEMAS)), metavar="[NAME]")
@OUTPUT_FILE
@click.option(
    "--all",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write every schema to this folder, and `catalog.json`, in the form of SchemaStore.",
)
def schema(*, name: str | None, output: Path | None, folder: Path | None) -> None:
    """Print the JSON Schema of scenarios, overlays and other documents, for editors; without a name, list them.

    bulkproof schema scenario -o scenario.schema.json
    """
    if folder is not None and (name or output):
        raise click.UsageError("--all writes every schema: give it no name, and no --output.")
    if folder is not None:
        _write_all(folder)
    elif name is None and output is None:
        width = max(map(len, SCHEMAS))
        click.echo("\n".join(f"{one:{width}}  {says}" for one, says in SCHEMAS.items()))
    elif name is None:
        raise click.UsageError("--output needs the name of a schema.")
    else:
        write_output(_text(schema_named(name)), output)


def schema_named(name: str) -> Schema:
    """Return a schema without references to other documents."""
    from contracts.openapi.document_checks import published_schema
    from mockserver.sandbox.snapshot import schema as of_snapshots
    from mockserver.scenarios.loading import schema as of_scenarios

    if name == "scenario":
        return of_scenarios()
    if name == "snapshot":
        return of_snapshots()
    if name == "openapi":
        return _openapi()
    if name == "overlay":
        return _overlay(published_schema("overlay"))
    return published_schema(name)


def _openapi() -> Schema:
    """Return what a document with declarations must fit, its other members being OpenAPI's own."""
    operation = {"properties": {one: {"$ref": f"#/$defs/{one}"} for one in EXTENSIONS}}
    methods = {"additionalProperties": {"$ref": "#/$defs/operation"}}
    paths = {"type": "object", "additionalProperties": methods}
    return {
        "$schema": DIALECT,
        "title": SCHEMAS["openapi"],
        "type": "object",
        "properties": {"paths": paths, **{one: {"$ref": f"#/$defs/{one}"} for one in AT_ROOT}},
        "$defs": {"operation": operation, **_definitions()},
    }


def _overlay(own: Schema) -> Schema:
    """Return the schema of overlays, in which an update may have a part of a declaration, at any depth."""
    named = {one: {"$ref": f"#/$defs/{one}"} for one in (*EXTENSIONS, *AT_ROOT)}
    update = {
        "properties": named,
        "additionalProperties": {"$ref": "#/$defs/update"},
        "items": {"$ref": "#/$defs/update"},
    }
    action = own["$defs"]["action"]
    members = {**action["properties"], "update": {"$ref": "#/$defs/update"}}
    definitions = {**own["$defs"], "action": {**action, "properties": members}, "update": update}
    return {**own, "$defs": {**definitions, **_definitions()}}


def _definitions() -> dict[str, Any]:
    """Return the schemas of all declarations under their names, their own definitions beside them."""
    from contracts.openapi.document_checks import published_schema

    found: dict[str, Any] = {}
    for name in (*EXTENSIONS, *AT_ROOT):
        whole = {key: value for key, value in published_schema(name).items() if key != "$schema"}
        found[name] = _moved({key: value for key, value in whole.items() if key != "$defs"}, name)
        found |= {f"{name}.{key}": _moved(value, name) for key, value in whole.get("$defs", {}).items()}
    return found


def _moved(node: Any, name: str, *, names: bool = False) -> Any:
    """Return a schema in which nothing is required, with a name in front of the definitions that it refers to.

    A preset, and the document that an overlay changes, have what a declaration lacks. `names` says that the members of
    an object are names in a document, not keywords.
    """
    if isinstance(node, list):
        return [_moved(one, name) for one in node]
    if not isinstance(node, dict):
        return node
    made = {}
    for key, value in node.items():
        if not names and key in NEEDS:
            continue
        if key == "$ref" and isinstance(value, str) and not names:
            made[key] = value.replace("#/$defs/", f"#/$defs/{name}.") if value != "#" else f"#/$defs/{name}"
        else:
            inner = not names and key in {"properties", "patternProperties", "$defs", "dependentSchemas"}
            made[key] = _moved(value, name, names=inner)
    return made


def _write_all(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in SCHEMAS:
        write_output(_text(schema_named(name)), folder / f"{name}.schema.json")
    listed = [
        {
            "name": f"Bulkproof {name}",
            "description": SCHEMAS[name],
            "fileMatch": list(files),
            "url": (folder.resolve() / f"{name}.schema.json").as_uri(),
        }
        for name, files in FILES.items()
    ]
    catalogue = {"$schema": "https://json.schemastore.org/schema-catalog.json", "version": 1, "schemas": listed}
    write_output(_text(catalogue), folder / "catalog.json")
    click.echo(f"{len(SCHEMAS)} schemas and catalog.json are in {folder}.")


def _text(value: object) -> bytes:
    import json

    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"
