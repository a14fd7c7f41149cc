"""Write the pages that are made from the program: those in the repository, or with `--site DIR` the whole site.

`python docs/write.py` writes `bugs.md`, `commands.md`, `scenarios.md`, `scenarios/*.md`, `SOURCES.md` of each bundled
contract and the drawings of `ARCHITECTURE.md`, and has all pages install Bulkproof as `writers/installing.py` says;
tests require them to be current.
`python docs/write.py --site build/site` builds the documentation site, which has a page for every command, law and bug,
and the calls of the control API beside them; it needs the extra `docs`. `python docs/write.py --pictures` has Chromium
show the dashboard, and writes `pictures/*.png`; it needs the extra `test`.
"""

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from writers import bugs, commands, diagrams, installing, scenarios, sources

from contracts.openapi.loading import BUNDLED, bundled_path


def main(arguments: list[str]) -> int:
    """Return the exit status: 1 for a site with a fault."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--site", metavar="DIR", type=Path, help="build the documentation site in this folder")
    options.add_argument("--pictures", action="store_true", help="write the pictures of the dashboard")
    given = options.parse_args(arguments)
    where = given.site
    if given.pictures:
        from writers import screenshots  # noqa: PLC0415 - the other pages need no browser

        screenshots.write()
        return 0
    if where is not None:
        from writers import site  # noqa: PLC0415 - the other pages do without the extra `docs`

        return site.build(where)
    write_pages()
    return 0


def write_pages() -> None:
    """Write the pages of the repository, and delete those of removed scenarios."""
    wanted = {**scenarios.pages(), "bugs.md": bugs.page(), "commands.md": commands.page()}
    for old in (HERE / "scenarios").glob("*.md"):
        if old.relative_to(HERE).as_posix() not in wanted:
            old.unlink()
    for path, text in {**wanted, **diagrams.pictures()}.items():
        (HERE / path).parent.mkdir(exist_ok=True)
        (HERE / path).write_text(text, encoding="utf-8")
    for page in [HERE.parent / "README.md", *HERE.rglob("*.md")]:
        text = page.read_text(encoding="utf-8")
        wanted_text = installing.installed_as(text, published=installing.PUBLISHED)
        if wanted_text != text:
            page.write_text(wanted_text, encoding="utf-8")
    for api in BUNDLED:
        bundled_path(api).with_name("SOURCES.md").write_text(sources.page(api), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
