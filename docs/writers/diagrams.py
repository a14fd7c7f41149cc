"""`pictures/packages.svg` and `pictures/request.svg`, drawn from the tables and the pipeline of `ARCHITECTURE.md`."""

import re
import textwrap
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[2]
PACKAGE = re.compile(r"^\| `(\w+)` \| ([^|]+) \|\n\|---\|---\|\n((?:\|.*\n)+)", re.MULTILINE)
PIPELINE = re.compile(r"```text\n(route -> .*)\n```")
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; } .code { font: 600 12px ui-monospace, monospace; }
.title { font: 700 15px ui-monospace, monospace; } .soft { fill: #57606a; font-size: 12px; }
.page { fill: #ffffff; } .card { fill: #f6f8fa; stroke: #d0d7de; } .step { fill: #e7edfc; stroke: #4051b5; }
.line { stroke: #4051b5; stroke-width: 1.5; fill: none; } .head { fill: #4051b5; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .soft { fill: #9198a1; } .page { fill: #0d1117; } .card { fill: #151b23; stroke: #3d444d; }
  .step { fill: #1c2340; stroke: #8c9eff; } .line { stroke: #8c9eff; } .head { fill: #8c9eff; }
}
"""
NOTE = (
    "Grey: mockserver/http, the only asynchronous part. Blue: mockserver/engine. "
    "A stage may refuse; a refusal is finished as any response is."
)
COLUMN, GAP, MARGIN, LINE = 290, 34, 14, 16  # pixels
WIDTH = 3 * COLUMN + 2 * GAP + 2 * MARGIN


def pictures() -> dict[str, str]:
    """Return the drawings by their paths below `docs/`."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    steps = PIPELINE.findall(text)[0].split(" -> ")
    return {"pictures/packages.svg": _packages(PACKAGE.findall(text)), "pictures/request.svg": _request(steps)}


def _packages(packages: Iterable[tuple[str, str, str]]) -> str:
    """Return a column for each package, with what its folders are for, lowest first."""
    parts, heights = [], []
    for n, (name, says, rows) in enumerate(packages):
        x, y = MARGIN + n * (COLUMN + GAP), MARGIN
        lines = [_text(x + 14, y + 26, name, "title"), _text(x + 14, y + 44, says, "soft")]
        y += 70
        for row in rows.splitlines():
            words, meaning = (cell.strip() for cell in row.strip("|").split("|", 1))
            for kind, width, text in (("code", 34, words.replace("`", "")), ("soft", 42, meaning)):
                for line in textwrap.wrap(text.replace("`", ""), width):
                    lines.append(_text(x + 14, y, line, kind))
                    y += LINE
            y += 7
        parts.append((x, lines))
        heights.append(y)
    height = max(heights)
    drawn = []
    for n, (x, lines) in enumerate(parts):
        drawn.append(_box(x, MARGIN, COLUMN, height - MARGIN, "card"))
        drawn += lines
        if n:
            drawn.append(_arrow([(x - GAP + 3, MARGIN + 22), (x - 3, MARGIN + 22)]))
    return _svg("Packages: contracts, then generators, then mockserver", height + MARGIN, drawn)


def _request(steps: list[str]) -> str:
    """Return the stages that a request passes, in rows, between the bytes that come and go."""
    places = ["bytes under limits; the sandbox and the API", *steps, "bytes"]
    columns, width, height = 5, 158, 46
    drawn, rows = [], -(-len(places) // columns)
    step = (WIDTH - 2 * MARGIN - columns * width) / (columns - 1)
    centres = []
    for n, place in enumerate(places):
        row, column = divmod(n, columns)
        column = columns - 1 - column if row % 2 else column
        x, y = MARGIN + column * (width + step), MARGIN + row * (height + 34)
        at_edge = n in {0, len(places) - 1}
        drawn.append(_box(x, y, width, height, "card" if at_edge else "step"))
        lines = textwrap.wrap(place, 24)
        middle = y + height / 2 + 4 - (len(lines) - 1) * LINE / 2
        kind = "soft" if at_edge else ""
        centre = 'text-anchor="middle"'
        drawn += [_text(x + width / 2, middle + k * LINE, line, kind, centre) for k, line in enumerate(lines)]
        centres.append((row, x, y))
    for (row, x, y), (after, other, below) in pairwise(centres):
        if row != after:
            drawn.append(_arrow([(x + width / 2, y + height), (x + width / 2, below)]))
        elif other > x:
            drawn.append(_arrow([(x + width, y + height / 2), (other, y + height / 2)]))
        else:
            drawn.append(_arrow([(x, y + height / 2), (other + width, y + height / 2)]))
    bottom = MARGIN + rows * (height + 34)
    drawn.append(_text(MARGIN, bottom - 8, NOTE, "soft"))
    return _svg("The path of a request through the mock server", bottom + 6, drawn)


def _svg(title: str, height: float, drawn: Iterable[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{title}">'
    page = f'<rect class="page" width="{WIDTH}" height="{height:g}" rx="6"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", page, *drawn, "</svg>"]) + "\n"


def _box(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"/>'


def _text(x: float, y: float, text: str, kind: str = "", more: str = "") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" {more}>{escape(text)}</text>'


def _arrow(points: list[tuple[float, float]]) -> str:
    """Return a line from the first point to the last, along which both are level or plumb, with a head."""
    (x, y), (end, low) = points[0], points[-1]
    dx, dy = _sign(end - x), _sign(low - y)
    head = [(end, low), (end - 7 * dx - 4 * dy, low - 7 * dy - 4 * dx), (end - 7 * dx + 4 * dy, low - 7 * dy + 4 * dx)]
    return f'<path class="line" d="M{x:g} {y:g}L{end:g} {low:g}"/><path class="head" d="M{_joined(head)}Z"/>'


def _joined(points: Iterable[tuple[float, float]]) -> str:
    def pairs() -> Iterator[str]:
        for x, y in points:
            yield f"{x:g} {y:g}"

    return "L".join(pairs())


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
