"""A report as one HTML page that needs nothing else: no script, no picture, no other file."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Final

from generators.reports.model import WORDS, Evidence, Report, Row, Status, shown, summary

STYLE: Final = Path(__file__).parent / "page.css"
SIGNS: Final[Mapping[Status, str]] = {
    "failed": "✗",
    "flaky": "~",
    "known": "≈",
    "passed": "✓",
    "not-run": "○",
    "not-applicable": "○",
}


def html_page(report: Report) -> bytes:
    """Return the report as an HTML document, in the reader's choice of light or dark."""
    title, said = escape(report.title), escape(summary(report).capitalize())
    parts = (
        "<!doctype html>",
        '<html lang="en">',
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{said}: {title}</title>",
        '<link rel="icon" href="data:,">',
        f"<style>\n{STYLE.read_text('utf-8')}</style>",
        "<main>",
        f"<h1>{title}</h1>",
        _facts(report),
        _filter(report),
        *(_section(group, rows) for group, rows in report.groups.items()),
        f"<footer>{said}. Bulkproof {escape(report.version)}.</footer>",
        "</main>",
        "</html>",
    )
    return ("\n".join(part for part in parts if part) + "\n").encode("utf-8", "replace")


def _facts(report: Report) -> str:
    pairs = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in report.facts)
    return f"<dl>{pairs}</dl>" if pairs else ""


def _filter(report: Report) -> str:
    choices = [("all", "", f"All {len(report.rows)}", " checked")]
    choices += [
        (f"only-{one}", one, f"{number} {WORDS[one]}", "") for one in SIGNS if (number := report.counts.get(one))
    ]
    labels = "".join(
        f'<label class="{kind}"><input type="radio" name="show" id="{name}"{checked}>{text}</label>'
        for name, kind, text, checked in choices
    )
    return f"<fieldset><legend>Show</legend>{labels}</fieldset>"


def _section(group: str, rows: tuple[Row, ...]) -> str:
    broken = sum(row.status == "failed" for row in rows)
    told = f"{broken} of {len(rows)} failed" if broken else f"none of {len(rows)} failed"
    return f"<section><h2>{escape(group)}<small>{told}</small></h2><ul>{''.join(map(_row, rows))}</ul></section>"


def _row(row: Row) -> str:
    parts = (
        f'<li class="{row.status}"><span class="status">{SIGNS[row.status]} {WORDS[row.status]}</span>',
        f'<div><p class="law"><code>{escape(row.id)}</code> <span class="says">{escape(row.says)}</span></p>',
        f'<p class="detail">{escape(row.detail)}</p>' if row.detail else "",
        _named(row),
        f"{_evidence(row.evidence)}</div></li>",
    )
    return "".join(parts)


def _named(row: Row) -> str:
    """Return by what name a finding is known, and which one has the same root cause."""
    same = f", same bug as <code>{escape(row.cause[:8])}</code>" if row.cause else ""
    return f'<p class="detail">Finding <code>{escape(row.fingerprint[:8])}</code>{same}</p>' if row.fingerprint else ""


def _evidence(evidence: tuple[Evidence, ...]) -> str:
    texts = [shown(one) for one in evidence]
    short = "".join(f"<code>{escape(one)}</code>" for one in texts if "\n" not in one)
    long = "".join(
        f"<details><summary>{escape(one.partition(chr(10))[0])}</summary><pre>{escape(one)}</pre></details>"
        for one in texts
        if "\n" in one
    )
    return (f'<p class="evidence">{short}</p>' if short else "") + long
