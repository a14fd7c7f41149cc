"""A report as one self-contained HTML page without scripts. Begin with `html_page`."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Final

from generators.reports.model import (
    STATUS_TEXTS,
    Evidence,
    Report,
    Row,
    Status,
    evidence_text,
    sources_text,
    summary_text,
)

STYLESHEET: Final = Path(__file__).parent / "page.css"
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""No script, no request to anybody, no form (https://www.w3.org/TR/CSP3/); the page's own style is in it."""
STATUS_SYMBOLS: Final[Mapping[Status, str]] = {
    "failed": "✗",
    "warning": "!",
    "flaky": "~",
    "known": "≈",
    "passed": "✓",
    "not-run": "○",
    "not-applicable": "○",
}


def html_page(report: Report) -> bytes:
    """Return the report as an HTML document; its colour scheme follows the reader's setting."""
    style = STYLESHEET.read_text("utf-8")
    title, said = escape(report.title), escape(summary_text(report).capitalize())
    parts = (
        "<!doctype html>",
        '<html lang="en">',
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{said}: {title}</title>",
        '<link rel="icon" href="data:,">',
        f"<style>{style}</style>",
        "<main>",
        f"<h1>{title}</h1>",
        _facts(report),
        f'<p class="failure">The run ended before its time: {escape(report.failure)}</p>' if report.failure else "",
        f"<p>{escape(sources_text(report))}</p>" if sources_text(report) else "",
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
        (f"only-{one}", one, f"{number} {STATUS_TEXTS[one]}", "")
        for one in STATUS_SYMBOLS
        if (number := report.counts.get(one))
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
        f'<li class="{row.status}"><span class="status">{STATUS_SYMBOLS[row.status]} {STATUS_TEXTS[row.status]}</span>',
        f'<div><p class="law"><code>{escape(row.id)}</code> <span class="says">{escape(row.says)}</span></p>',
        f'<p class="detail">{escape(row.detail)}</p>' if row.detail else "",
        _sentences(row),
        _fingerprint(row),
        f"{_evidence(row.evidence)}</div></li>",
    )
    return "".join(parts)


def _sentences(row: Row) -> str:
    """Return what was sent, what came back, what was expected and why, and how to try it."""
    pairs = "".join(
        f"<dt>{label}</dt><dd>{f'<code>{escape(words)}</code>' if label in {'sent', 'try'} else escape(words)}</dd>"
        for label, words in row.sentences
    )
    return f'<dl class="sentences">{pairs}</dl>' if pairs else ""


def _fingerprint(row: Row) -> str:
    """Return a finding's short fingerprint, and that of the finding with the same root cause."""
    same = f", same bug as <code>{escape(row.cause[:8])}</code>" if row.cause else ""
    return f'<p class="detail">Finding <code>{escape(row.fingerprint[:8])}</code>{same}</p>' if row.fingerprint else ""


def _evidence(evidence: tuple[Evidence, ...]) -> str:
    texts = [evidence_text(one) for one in evidence]
    short = "".join(f"<code>{escape(one)}</code>" for one in texts if "\n" not in one)
    long = "".join(
        f"<details><summary>{escape(one.partition(chr(10))[0])}</summary><pre>{escape(one)}</pre></details>"
        for one in texts
        if "\n" in one
    )
    return (f'<p class="evidence">{short}</p>' if short else "") + long
