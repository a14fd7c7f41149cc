/** Reports of check, fuzz and verdict: findings by cause, laws, coverage. Files are read in the browser, sent nowhere. */

import { Badge, Code, Empty, Folded, PageHead, Table, Tabs, html } from "../ui.js";
import { counted } from "../format.js";
import { useEffect, useMemo, useRef, useState } from "../vendor/htm-preact.js";
import { Coverage } from "./report-coverage.js";
import { KINDS, WORDS, readReports } from "./report-files.js";
import { Finding } from "./report-finding.js";

const FINDINGS = ["failed", "warning", "flaky", "known"];
const STATUSES = [...FINDINGS, "passed", "not-run", "not-applicable"];

let kept = []; // the files that were opened last, for whoever comes back to the page

/** The page; `given` are the files that it begins with. */
export default function Report({ given = [] }) {
  const [files, setFiles] = useState(given.length ? given : kept);
  const [chosen, setChosen] = useState(0);
  const [isOver, setOver] = useState(false);
  const { reports, errors } = useMemo(() => readReports(files), [files]);
  const open = async (list) => {
    const found = await Promise.all([...list].map(async (one) => ({ name: one.webkitRelativePath || one.name, text: await one.text() })));
    if (!found.length) return;
    kept = found;
    setFiles(found);
    setChosen(0);
  };
  const drop = (event) => { event.preventDefault(); setOver(false); open(event.dataTransfer.files); };
  const report = reports[chosen];
  return html`
    <div class=${`report ${isOver ? "is-over" : ""}`} onDragOver=${(event) => { event.preventDefault(); setOver(true); }}
      onDragLeave=${(event) => { if (event.currentTarget === event.target) setOver(false); }} onDrop=${drop}>
      <${PageHead} title="Report">
        ${reports.length > 1 && html`
          <select aria-label="Report" value=${chosen} onChange=${(event) => setChosen(Number(event.currentTarget.value))}>
            ${reports.map((one, n) => html`<option key=${n} value=${n} selected=${n === chosen}>${one.name}</option>`)}
          </select>`}
        <${Chooser} onOpen=${open} isPrimary=${!reports.length} />
      <//>
      ${errors.length > 0 && html`<div class="error" role="alert">${errors.map((one) => html`<p key=${one}>${one}</p>`)}</div>`}
      ${report
        ? html`<${Shown} key=${`${chosen}/${report.name}`} report=${report} />`
        : html`<${Empty} title="Open a report of check, fuzz or verdict, or drop its file here.">
            <p>It is read in this browser, and sent nowhere.</p>
            <${Code} label="How to write a report" value=${"bulkproof check openapi.yaml --url https://staging.example.com --jsonl report.jsonl"} /><//>`}
    </div>`;
}

function Chooser({ onOpen, isPrimary }) {
  const input = useRef(null);
  return html`
    <button type="button" class=${isPrimary ? "primary" : ""} onClick=${() => input.current.click()}>Open files…</button>
    <input ref=${input} type="file" multiple hidden aria-label="Files of reports" accept=".jsonl,.json,.ndjson,.sarif,.xml,.py,.sh"
      onChange=${(event) => { open(event); }} />`;
  function open(event) {
    onOpen(event.currentTarget.files);
    event.currentTarget.value = "";
  }
}

function Shown({ report }) {
  const findings = report.rows.filter((one) => FINDINGS.includes(one.status));
  const causes = useMemo(() => byCause(findings), [report]);
  const tabs = [
    { id: "findings", title: `Findings (${causes.length})`, content: () => html`<${Findings} causes=${causes} />` },
    { id: "laws", title: "Laws", content: () => html`<${Laws} rows=${report.rows} />` },
    { id: "coverage", title: "Coverage", content: () => html`<${Coverage} report=${report} />` },
  ];
  useEffect(() => { document.title = `${report.title} · Bulkproof`; }, [report]);
  return html`
    <h2 class="report-title">${report.title}</h2>
    ${report.error && html`<div class="error"><p>The run ended before its time: ${report.error}</p></div>`}
    <p class="report-counts">${STATUSES.map((one) => {
      const count = report.rows.filter((row) => row.status === one).length;
      return count > 0 && html`<${Badge} key=${one} kind=${KINDS[one]}>${count} ${wordOf(one, count)}<//>`;
    })}</p>
    ${report.summary && html`<p>${breaksOf(report.summary)}</p>`}
    ${report.facts.length > 0 && html`
      <dl class="report-facts">${report.facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`}
    <${Tabs} label="Parts of the report" tabs=${tabs} />`;
}

const wordOf = (status, count) =>
  ({ "not-applicable": "not applicable", warning: count === 1 ? "warning" : "warnings" })[status] ?? WORDS[status] ?? status;

/** What a summary says beside the counts, which stand above it. */
const breaksOf = (summary) => summary.slice(summary.search(/\bBreaks\b/) >= 0 ? summary.search(/\bBreaks\b/) : summary.length);

/** Findings with those of the same cause behind the first of them. */
function byCause(findings) {
  const groups = new Map();
  for (const one of findings) {
    const key = one.cause || one.fingerprint || `${one.group}/${one.law}/${one.shape}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()]
    .map((some) => [...some].sort((one, other) => Boolean(one.cause) - Boolean(other.cause) || STATUSES.indexOf(one.status) - STATUSES.indexOf(other.status)))
    .sort(([one], [other]) => STATUSES.indexOf(one.status) - STATUSES.indexOf(other.status));
}

function Findings({ causes }) {
  if (!causes.length) return html`<${Empty} title="No finding." />`;
  return html`
    <ol class="report-causes">${causes.map(([first, ...more], n) => html`
      <li key=${first.fingerprint || n}>
        <${Finding} row=${first} isOpen=${n === 0} />
        ${more.length > 0 && html`
          <details class="report-more"><summary>${counted(more.length, "more finding")} of this cause</summary>
            ${more.map((one, m) => html`<${Finding} key=${m} row=${one} />`)}
          </details>`}
      </li>`)}
    </ol>`;
}

/** Each law with the number of its results, the worst first, and why it was not run. */
function Laws({ rows }) {
  const laws = useMemo(() => {
    const found = new Map();
    for (const row of rows) {
      const one = found.get(row.law) ?? { law: row.law, says: row.says, counts: {} };
      one.says ||= row.says;
      one.counts[row.status] = (one.counts[row.status] ?? 0) + 1;
      found.set(row.law, one);
    }
    const rank = ({ counts }) => STATUSES.findIndex((one) => counts[one]);
    return [...found.values()].sort((one, other) => rank(one) - rank(other) || one.law.localeCompare(other.law));
  }, [rows]);
  const shown = STATUSES.filter((one) => laws.some(({ counts }) => counts[one]));
  const columns = [
    { title: "Law", render: ({ law }) => html`<code>${law}</code>` },
    { title: "Says", wide: true, render: ({ says }) => says },
    ...shown.map((status) => ({
      title: WORDS[status] ?? status, align: "end",
      render: ({ counts }) => counts[status] ? html`<span class=${`data ${KINDS[status]}`}>${counts[status]}</span>` : "",
    })),
  ];
  const skipped = rows.filter((one) => ["not-run", "not-applicable"].includes(one.status) && one.detail);
  return html`
    <${Table} caption="Laws" columns=${columns} rows=${laws} rowKey=${({ law }) => law} />
    ${skipped.length > 0 && html`
      <${Folded} title="Why laws were not run" count=${skipped.length}>
        <${Table} caption="Why laws were not run" rows=${skipped} columns=${[
          { title: "Law", render: ({ law }) => html`<code>${law}</code>` },
          { title: "Operation", render: ({ group }) => group },
          { title: "Reason", wide: true, render: ({ detail }) => detail },
        ]} />
      <//>`}`;
}
