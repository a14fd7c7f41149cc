"""`scenarios.md` and `scenarios/*.md`, from the schema of scenarios, the bundled ones, and their cases."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mockserver.scenarios.loading import BUNDLED, bundled, bundled_names, schema, ways_to_select

HERE = Path(__file__).parents[1]
ROOT = HERE.parent
CASES = ROOT / "tests" / "cases" / "scenarios"
FOLDERS = {"any": "For any API", "genero": "For Genero", "onkey": "For On Key"}
SECTIONS = {
    "rule": "A rule",
    "when": "`when`: conditions on requests",
    "items": "`items`: selection of items",
    "then": "`then`: effects",
    "test": "Tests",
}
WAYS = {
    "header": "for one call, as a header of it",
    "cli": "for a server, when it is started",
    "pytest": "for a test, with the pytest plug-in",
    "control": "for a sandbox of a running server",
}
NOTE = "<!-- Written by docs/write.py; change the scenario, its case or the schema instead. -->\n\n"


def pages() -> dict[str, str]:
    """Return every page by its path below `docs/`."""
    return {
        "scenarios.md": reference(),
        **{f"scenarios/{name}.md": page(name) for name in bundled_names()},
    }


def reference() -> str:
    """Return the reference: every keyword of a scenario, and the list of the bundled ones."""
    whole = schema()
    parts = [NOTE + (HERE / "scenarios.head.md").read_text(encoding="utf-8").rstrip(), _bundled_list()]
    parts.append("## Reference\n\nUnknown members are refused, with the closest known name.")
    parts.append(_table("The document", whole))
    parts += [_table(title, whole["$defs"][name]) for name, title in SECTIONS.items()]
    parts.append(_table("A delay", whole["$defs"]["delay"]["then"], "A delay is a duration, or one of these."))
    return "\n\n".join(parts) + "\n"


def page(name: str) -> str:
    """Return the page of one bundled scenario."""
    scenario, path = bundled(name), _path(name)
    ways = "\n".join(f"- {WAYS[way]}:\n\n  ```\n  {line}\n  ```\n" for way, line in ways_to_select(name).items())
    return (
        f"{NOTE}# {name}\n\n{scenario.summary}\n\n"
        f"It works for {'any API' if not scenario.api else f'the API `{scenario.api}`'}.\n\n"
        f"## Selecting it\n\n{ways}\n"
        f"## The document\n\n```yaml\n{path.read_text(encoding='utf-8').rstrip()}\n```\n\n"
        f"## What a client meets\n\nFrom `{_case_file(name)}`; [how to read it](../../tests/cases/README.md).\n\n"
        f"```\n{_case(name)}\n```\n\n"
        "[All scenarios](../scenarios.md)\n"
    )


def _bundled_list() -> str:
    rows = ["## The bundled scenarios"]
    for folder, title in FOLDERS.items():
        names = [name for name in bundled_names() if _path(name).parent.name == folder]
        rows.append(f"### {title}\n\n| name | what happens |\n|---|---|")
        rows[-1] += "".join(f"\n| [{name}](scenarios/{name}.md) | {bundled(name).summary} |" for name in names)
    return "\n\n".join(rows)


def _path(name: str) -> Path:
    return next(BUNDLED.glob(f"*/{name}.yaml"))


def _blocks() -> Iterator[tuple[Path, str, str]]:
    """Yield the cases: file, title, and text, with the heading of the file before each."""
    for file in sorted(CASES.glob("*.case")):
        opening, *cases = re.split(r"^= ", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        steps = "\n".join(line for line in opening.splitlines() if line.startswith("@"))
        for case in cases:
            title, _, body = case.partition("\n")
            yield file, title, f"{steps}\n\n= {title}\n{body.rstrip()}"


def _found(name: str) -> tuple[Path, str]:
    for file, title, text in _blocks():
        if re.match(rf"{re.escape(name)}(?![A-Za-z0-9-])", title):
            return file, text
    raise SystemExit(f"No case in {CASES} has a title that begins with {name}.")


def _case(name: str) -> str:
    return _found(name)[1]


def _case_file(name: str) -> str:
    return _found(name)[0].relative_to(ROOT).as_posix()


def _table(title: str, part: Mapping[str, Any], says: str = "") -> str:
    head = says or _sentence(part)
    rows = [f"| `{word}` | {_values(one)} | {_sentence(_followed(one))} |" for word, one in part["properties"].items()]
    return f"### {title}\n\n{head}\n\n| word | value | meaning |\n|---|---|---|\n" + "\n".join(rows)


def _followed(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a part of the schema with its reference resolved; its own description comes first."""
    if "$ref" not in part:
        return part
    target: Mapping[str, Any] = schema()["$defs"][part["$ref"].rpartition("/")[2]]
    return {**_followed(target), **{name: value for name, value in part.items() if name != "$ref"}}


def _sentence(part: Mapping[str, Any]) -> str:
    said = _followed(part).get("description", "").replace("|", "\\|")
    return f"{said}." if said and not said.endswith(".") else said


def _values(part: Mapping[str, Any]) -> str:
    """Return the allowed values of a keyword in words."""
    own = _followed(part)
    if part.get("$ref", "").rpartition("/")[2] in SECTIONS:
        return f"as {SECTIONS[part['$ref'].rpartition('/')[2]].partition(':')[0]} below"
    if "const" in own:
        return f"`{str(own['const']).lower() if isinstance(own['const'], bool) else own['const']}`"
    if "enum" in own:
        return ", ".join(f"`{one}`" for one in own["enum"])
    kinds = [own["type"]] if isinstance(own.get("type"), str) else own.get("type", [])
    if kinds == ["object"] and "properties" in own:
        return "{" + ", ".join(f"`{name}`" for name in own["properties"]) + "}"
    return (" or ".join(KINDS[kind] for kind in kinds) or "any value") + _bounds(own)


def _bounds(part: Mapping[str, Any]) -> str:
    least, above = part.get("minimum"), part.get("exclusiveMinimum")
    most, below = part.get("maximum"), part.get("exclusiveMaximum")
    words = [
        f"at least {least}" if least is not None else "",
        f"above {above}" if above is not None else "",
        f"at most {most}" if most is not None else "",
        f"below {below}" if below is not None else "",
    ]
    said = ", ".join(word for word in words if word)
    return f", {said}" if said else ""


KINDS = {
    "array": "list",
    "boolean": "true or false",
    "integer": "whole number",
    "null": "null",
    "number": "number",
    "object": "map",
    "string": "text",
}
