/** One finding: what is broken and who says so, the calls that show it with their responses, and how to try it. */

import { Badge, Code, CopyButton, html } from "../ui.js";
import { SourceBadge } from "./contract-schema.js";
import { KINDS } from "./report-files.js";

/** A finding that opens; `row` is a row of a report. */
export function Finding({ row, isOpen = false }) {
  return html`
    <details class="report-finding" open=${isOpen}>
      <summary>
        <${Badge} kind=${KINDS[row.status]}>${row.status}<//>
        <code>${row.law}</code> <span class="report-operation">${row.group}</span>
        <span class="report-detail">${row.detail || row.shape || row.says}</span>
      </summary>
      <div class="report-inside">
        ${row.says && html`<p><b>Law</b> ${row.says}</p>`}
        ${row.shape && html`<p><b>Kind</b> ${row.shape}</p>`}
        ${row.breaks.length > 0 && html`
          <p><b>${row.breaks.some((one) => one.says === "assumed" || one.says === "contradicted") ? "Rests on" : "Breaks"}</b></p>
          <ul>${row.breaks.map((one, n) => html`
            <li key=${n}><code>${one.place}</code>${one.note && ` ${one.note}`} <${SourceBadge} source=${one.says ? { title: "", ...one } : null} /></li>`)}
          </ul>`}
        ${row.since && html`<p class="muted">${row.since}</p>`}
        <${Calls} row=${row} />
        <${Actions} row=${row} />
        ${row.fingerprint && html`<p class="muted">Finding <code>${row.fingerprint.slice(0, 8)}</code></p>`}
      </div>
    </details>`;
}

function Actions({ row }) {
  const { pytest, hasShell, folder } = row.scripts;
  if (!row.command && !pytest && !hasShell) return null;
  return html`
    <p class="report-actions">
      ${row.command && html`<${CopyButton} label="Copy as curl" text=${row.command} />`}
      ${pytest && html`<${CopyButton} label="Copy as pytest" text=${pytest} />`}
      ${hasShell && html`<${CopyButton} label="Copy the command" text=${`sh '${(folder || ".").replaceAll("'", "'\\''")}/replay.sh'`} />`}
    </p>
    ${(pytest || hasShell) && html`
      <p class="muted">Test and script need <code>replay.py</code>, which is beside them${folder && html` in <code>${folder}</code>`}.</p>`}`;
}

/** The calls in turn; with their responses where the report has them. */
function Calls({ row }) {
  const exchanges = row.evidence.map(exchangeOf);
  const lines = exchanges.length >= row.calls.length ? [] : row.calls; // else each call is an exchange
  return html`
    ${(lines.length > 0 || exchanges.length > 0) && html`<p><b>${row.calls.length > 1 ? "Steps" : "Call"}</b></p>`}
    ${lines.length > 0 && html`<ol class="report-calls">${lines.map((one, n) => html`<li key=${n}><code>${one.replace(/^\d+\. /, "")}</code></li>`)}</ol>`}
    ${exchanges.map((one, n) => !one.command && !one.rest ? html`<p key=${n} class="report-exchange"><code>${one.title}</code></p>` : html`
      <details key=${n} class="report-exchange">
        <summary><code>${one.title}</code></summary>
        ${one.command && html`<${Code} label="Request" value=${one.command} />`}
        ${one.rest && html`<${Code} label="Response" value=${one.rest} />`}
      </details>`)}`;
}

/** A text of an exchange, as reports have it: a line, the curl command, the response. */
function exchangeOf(evidence) {
  if (typeof evidence === "number") return { title: `exchange ${evidence}`, command: "", rest: "" };
  const [title, ...lines] = evidence.split("\n");
  const place = lines.findIndex((one) => /^HTTP \d/.test(one));
  if (place < 0) return { title, command: "", rest: lines.join("\n") };
  return { title, command: lines.slice(0, place).join("\n"), rest: lines.slice(place).join("\n") };
}
