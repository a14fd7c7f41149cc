"""The documentation site: the pages of the repository where they are, and those that are written for it alone.

`build` copies the pages with all that they link to, adds the pages of commands, laws, bugs and control calls, and has
Zensical build them strictly. Then every link of every built page is followed, and none may load from another host.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlsplit

from writers import bugs, commands, control, laws

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
LINK = re.compile(r"(?<=\]\()([^)#:\s]+)(?=[)#])")
FENCE = re.compile(r"^ *(`{3,}|~{3,}).*?^ *\1", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| (`(?:bulkproof )?([\w-]+)[^`]*`)", re.MULTILINE)
LOADED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}
FIRST = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"]
NAV: Mapping[str, list[str]] = {  # pages below `docs/` that no line names are how-tos
    "Tutorial": ["tutorial.md"],
    "How-to": [],
    "Reference": [
        "commands.md",
        "commands",
        "sandbox.md",
        "control",
        "scenarios.md",
        "x-bulk.md",
        "laws.md",
        "verdicts.md",
        "bugs.md",
        "apis/genero.md",
        "apis/onkey.md",
        "glossary.md",
        "licences.md",
        "../CHANGELOG.md",
    ],
    "Explanation": [
        "what-it-does.md",
        "../ARCHITECTURE.md",
        "decisions",
        "performance.md",
        "threat-model.md",
        "../SECURITY.md",
        "../CONTRIBUTING.md",
    ],
}


FOLDERS = {
    "commands": "Each command",
    "control": "Control API",
}  # what a folder is called beside pages of the same name


def build(where: Path) -> int:
    """Build the site in a folder, and return the exit status: 1 when a link leads nowhere."""
    with TemporaryDirectory() as work:
        pages = Path(work) / "pages"
        stage(pages)
        (Path(work) / "zensical.toml").write_text(configuration(pages), encoding="utf-8")
        program = Path(sys.executable).with_name("zensical")
        ended = subprocess.run([program, "build", "--strict"], cwd=work, check=False)
        if ended.returncode:
            return 1
        shutil.rmtree(where, ignore_errors=True)
        shutil.copytree(Path(work) / "site", where)
    wrong = [*faults(where)]
    for one in wrong:
        sys.stderr.write(f"{one}\n")
    count = sum(1 for _ in where.rglob("*.html"))
    sys.stdout.write(f"Site: {count} pages in {os.path.relpath(where)}, {len(wrong)} faults.\n")
    return 1 if wrong else 0


def stage(folder: Path) -> None:
    """Write all pages of the site into a folder, as the repository has them: links from one to another stay."""
    written = {**bugs.pages(), **laws.pages(), **commands.pages(), **control.pages()}
    for path, text in written.items():
        _write(folder / "docs" / path, text)
    _write(folder / "docs" / "site.css", (HERE / "site.css").read_text(encoding="utf-8"))
    waiting = [ROOT / one for one in FIRST]
    waiting += [one for one in (ROOT / "docs").rglob("*.md") if not one.name.endswith(".head.md")]
    seen = set(waiting)
    while waiting:
        page = waiting.pop()
        target = folder / page.relative_to(ROOT)
        if page.suffix != ".md":
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(page, target)
            continue
        text = page.read_text(encoding="utf-8")
        links = {(page.parent / one).resolve() for one in LINK.findall(FENCE.sub("", text))}
        files = {one for link in links for one in ([*_listed(folder, link)] if link.is_dir() else [link])}
        waiting += sorted(files - seen)
        seen |= files
        _write(target, _linked(page, text, written))


def _listed(folder: Path, place: Path) -> Iterator[Path]:
    """Write the list of a folder that a page links to, and yield its files; a folder of pages has their titles."""
    files = [one for one in sorted(place.rglob("*")) if one.is_file() and "__pycache__" not in one.parts]
    lines = [f"- [{_title(one)}]({one.relative_to(place)})" for one in files]
    target = folder / place.relative_to(ROOT) / "index.md"
    _write(target, f"# {place.relative_to(ROOT)}\n\n" + "\n".join(lines) + "\n")
    yield from files


def _title(file: Path) -> str:
    if file.suffix == ".md" and (found := re.search(r"^# (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)):
        return found[1]
    return file.name


def _linked(page: Path, text: str, written: Mapping[str, str]) -> str:
    """Lead links to folders to their lists, and the first words of tables to the pages of what they name."""
    text = LINK.sub(lambda found: found[0] if not (page.parent / found[0]).is_dir() else _index(found[0]), text)
    kinds = {"commands.md": "commands", "bugs.md": "bugs", "laws.md": "laws", "verdicts.md": "conduct"}
    kind = kinds.get(page.name)
    if kind is None or page.parent != ROOT / "docs":
        return text
    rows = {path.split("/")[1].removesuffix(".md"): path for path in written if path.startswith(f"{kind}/")}
    return ROW.sub(lambda found: f"| [{found[1]}]({rows[found[2]]})" if found[2] in rows else found[0], text)


def _index(link: str) -> str:
    return f"{link.rstrip('/')}/index.md"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def configuration(pages: Path) -> str:
    """Return what Zensical reads: how the site looks, and its navigation."""
    known = {one for each in NAV.values() for one in each}
    others = sorted(one.name for one in (ROOT / "docs").glob("*.md") if not one.name.endswith(".head.md"))
    nav: list[Any] = [{"Start": "README.md"}]
    for title, names in NAV.items():
        every = names or [one for one in others if one not in known]
        paths = [_entry(pages, os.path.normpath(f"docs/{one}")) for one in every]
        nav.append({title: paths[0] if len(paths) == 1 else paths})
    head, _, rest = (HERE / "site.toml").read_text(encoding="utf-8").partition("[project.theme]")
    return f"{head}nav = {_toml(nav)}\n\n[project.theme]{rest}"


def _entry(pages: Path, path: str) -> Any:
    """Return the entry of a page, or of a folder with its pages, the index first."""
    if not (pages / path).is_dir():
        return path
    names = sorted((one.name for one in (pages / path).glob("*.md")), key=lambda name: (name != "index.md", name))
    return {FOLDERS.get(Path(path).name, Path(path).name.capitalize()): [f"{path}/{name}" for name in names]}


def _toml(value: Any) -> str:
    """Return lists, single pairs and texts as TOML."""
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {_toml(one)}" for name, one in value.items()) + "}"
    return json.dumps(value)


class _Page(HTMLParser):
    """What a built page links to, what it loads, and the places in it that a link may name."""

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.places: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places |= {given["id"]} if "id" in given else set()
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        if tag in LOADED and LOADED[tag] in given and given.get("rel") not in {"canonical", "prev", "next"}:
            self.loads.add(given[LOADED[tag]])


def faults(site: Path) -> Iterator[str]:
    """Yield links of built pages that lead nowhere, and what a page loads from another host, in words."""
    pages = {path: _read(path) for path in site.rglob("*.html")}
    for path, page in pages.items():
        shown = path.relative_to(site)
        yield from (f"{shown} loads {one} from another host" for one in page.loads if urlsplit(one).netloc)
        if shown.name == "404.html":
            continue  # its links are those of any place
        for link in sorted(page.links | page.loads):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            anchor = unquote(parts.fragment)
            if not target.is_file() or (anchor and target in pages and anchor not in pages[target].places):
                yield f"{shown} links to {link}, which does not exist"


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page
