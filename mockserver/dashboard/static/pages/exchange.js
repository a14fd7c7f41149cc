/** One exchange in full: request and response, items, near misses, what it wrote, and what can be made of it. */

import { get, getText, ofSandbox } from "../api.js";
import { bytes, counted, dateOf, timeOf } from "../format.js";
import { hrefOf } from "../shell.js";
import {
  Badge, Code, CopyButton, Dialog, ErrorMessage, Loading, OutcomeBar, ResultBadge, StatusBadge, Table, download, html, useLoaded,
} from "../ui.js";
import { useEffect, useState } from "../vendor/htm-preact.js";
import { FATES } from "./answer.js";
import { Writes } from "./exchange-writes.js";

const MANY = 20; // items that are listed before more are asked for, of many those alone that were not done
const FORMS = [["curl", "curl"], ["pytest", "pytest"], ["http", "HTTP"], ["har", "HAR"]];

/** Exchange `n`; `update` is what the list has of it, which changes when its answer was sent, or its job ran. */
export default function Exchange({ sandbox, n, last, update }) {
  const path = ofSandbox(sandbox, "exchanges", n);
  const { data, error, reload } = useLoaded((signal) => get(path, { signal }), [path, update?.delivery.fate, update?.items.waiting]);
  useEffect(() => {
    document.getElementById("exchange-title")?.focus();
  }, [n, !data]);
  if (error) return html`<${Head} sandbox=${sandbox} n=${n} last=${last} /><${ErrorMessage} error=${error} onRetry=${reload} />`;
  if (!data) return html`<${Loading} />`;
  return html`
    <article class="exchange" aria-labelledby="exchange-title">
      <${Head} sandbox=${sandbox} n=${n} last=${last} title=${data.operation ?? `${data.method} ${data.path}`}>
        <${Exports} path=${path} />
        <${MakeScenario} path=${path} sandbox=${sandbox} />
      <//>
      <p class="exchange-line">${data.method} ${addressOf(data)}</p>
      <${Facts} one=${data} />
      <${Items} sandbox=${sandbox} results=${data.items} due=${update?.due} />
      <${NearMisses} misses=${data.nearMisses} />
      <${Violations} violations=${data.violations} />
      <div class="exchange-sides">
        <${Side} title="Request" message=${data.call} />
        <${Side} title="Response" message=${data.reply} note=${notWhole(data)} />
      </div>
      <${Writes} sandbox=${sandbox} api=${data.api} writes=${data.writes} written=${data.written} />
    </article>`;
}

function Head({ sandbox, n, last, title = "", children }) {
  return html`
    <div class="exchange-head">
      <a href=${hrefOf(sandbox, "journal")}>Journal</a>
      <span class="steps">
        ${n > 1 && html`<a class="step" href=${hrefOf(sandbox, "journal", n - 1)} aria-label="The exchange before">‹</a>`}
        ${n < last && html`<a class="step" href=${hrefOf(sandbox, "journal", n + 1)} aria-label="The exchange after">›</a>`}
      </span>
      <h1 id="exchange-title" tabindex="-1">${n} ${title}</h1>
      <div class="tools">${children}</div>
    </div>`;
}

function addressOf({ path, call }) {
  const query = call.query.map((pair) => pair.map(encodeURIComponent).join("=")).join("&");
  return query ? `${path}?${query}` : path;
}

function Facts({ one }) {
  const { delivery, wire } = one;
  const got = FATES[delivery.fate];
  const facts = [
    ["Time", html`<time datetime=${one.at}>${dateOf(one.at)} ${timeOf(one.at)}</time>`],
    ["Status", html`<${Status} one=${one} />`],
    ["The client got", got ? html`<${Badge} kind=${got.kind}>${got.says}${partOf(delivery)}<//>` : `all of it, ${bytes(delivery.bytes ?? 0)}`],
    ["Tenant", one.tenant],
    ["Client", one.client],
    ["Scenario", one.rules.join(", ")],
    ["Delay", wire?.delay],
    ["Fault", wire?.fault && `${wire.fault}, ${wire.at.replace("-", " the ")}`],
  ];
  return html`
    <dl class="exchange-facts">
      ${facts.filter(([, value]) => value).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>`;
}

const Status = ({ one: { status, delivery } }) => {
  const badge = html`<${StatusBadge} status=${status} />`;
  return FATES[delivery.fate]?.isLost ? html`<s title=${`${status} was meant`}>${badge}</s>` : badge;
};

const partOf = ({ bytes: sent }) => (sent ? `; ${bytes(sent)} of the body came` : "");

const notWhole = ({ delivery }) =>
  FATES[delivery.fate] ? `The client got ${FATES[delivery.fate].says}. This is what was meant.` : "";

function Side({ title, message, note }) {
  const fields = Object.entries(message.headers);
  return html`
    <section aria-label=${title}>
      <h2>${title}</h2>
      ${note && html`<p class="warn">${note}</p>`}
      <details class="exchange-fields">
        <summary>${counted(fields.length, "header field")}</summary>
        ${fields.map(([name, value]) => html`<div key=${name}>${name}: <span>${value}</span></div>`)}
      </details>
      <${Body} message=${message} label=${`${title} body`} />
    </section>`;
}

function Body({ message, label }) {
  if (message.bodyDigest) {
    const { bytes: size, sha256, head } = message.bodyDigest;
    return html`
      <p class="muted">${bytes(size)}, of which the beginning is kept; SHA-256 <code>${sha256.slice(0, 16)}…</code></p>
      <${Code} value=${head} label=${label} />`;
  }
  if (message.body === undefined) return html`<p class="muted">No body.</p>`;
  return html`<${Code} value=${message.body} label=${label} />`;
}

function Items({ sandbox, results, due }) {
  const [onlyBad, setOnlyBad] = useState(results.length > MANY && results.some(isBad));
  const [most, setMost] = useState(MANY);
  if (!results.length) return null;
  const indexed = numbered(results);
  const bad = indexed.filter(isBad);
  const shown = onlyBad ? bad : indexed;
  const count = (word) => results.filter((one) => one.result === word).length;
  return html`
    <section aria-label="Items">
      <div class="section-head">
        <h2>Items</h2>
        <${OutcomeBar} done=${count("done")} failed=${count("failed")} notRun=${count("not-run")} waiting=${count("waiting")} />
        ${count("waiting") > 0 && html`<span class="muted">${due ? `waiting for their job, due ${dateOf(due)} ${timeOf(due)}` : "waiting for their job"}</span>`}
        ${bad.length > 0 && bad.length < results.length && html`
          <button type="button" aria-pressed=${String(onlyBad)} onClick=${() => setOnlyBad(!onlyBad)}>Only those not done</button>`}
      </div>
      <${Table} caption="Items" rows=${shown.slice(0, most)} rowKey=${(one) => one.place} columns=${columnsOf(sandbox, results)} />
      ${shown.length > most && html`
        <p><button type="button" onClick=${() => setMost(10 * most)}>Show more of ${counted(shown.length, "item")}</button></p>`}
    </section>`;
}

/** Items with their index in the request; those of each target begin anew. */
function numbered(results) {
  let index = 0;
  return results.map((one, place) => {
    index = place && one.target !== results[place - 1].target ? 0 : index;
    return { ...one, place, index: index++ };
  });
}

const isBad = ({ result }) => result === "failed" || result === "not-run";

/** The columns of items; those for target and job only where there are any. */
const columnsOf = (sandbox, results) => [
  { title: "Index", align: "end", render: (one) => html`<span class="data">${one.index}</span>` },
  ...(results.some((one) => one.target) ? [{ title: "Target", render: (one) => html`<span class="data">${one.target}</span>` }] : []),
  { title: "Key", render: (one) => html`<span class="data">${String(one.key)}</span>` },
  { title: "Outcome", render: (one) => html`<${ResultBadge} result=${one.result} />` },
  ...(results.some((one) => one.job) ? [{ title: "Job", render: (one) => one.job && html`<a class="data" href=${hrefOf(sandbox, "jobs", one.job)} title=${one.job}>${one.job.slice(0, 8)}</a>` }] : []),
  { title: "Error", wide: true, render: (one) => one.error },
];

function NearMisses({ misses }) {
  if (!misses.length) return null;
  return html`
    <section aria-label="Near misses">
      <h2>Near misses</h2>
      ${misses.map((miss, place) => html`
        <p key=${place}>Rule ${miss.rule + 1} of <code>${miss.scenario}</code> nearly applied: ${miss.unmet.map((one) => one.says).join("; ")}.</p>`)}
    </section>`;
}

function Violations({ violations }) {
  if (!violations.length) return null;
  return html`
    <section aria-label="Violations of the contract">
      <h2>Violations of the contract</h2>
      <${Table} caption="Violations of the contract" rows=${violations} columns=${VIOLATION_COLUMNS} />
    </section>`;
}

const VIOLATION_COLUMNS = [
  { title: "Side", render: (one) => ({ call: "request", reply: "response" })[one.side] },
  { title: "Place", render: (one) => html`<code>${one.pointer || "/"}</code>` },
  { title: "Rule", render: (one) => html`<code>${one.rule}</code>` },
  { title: "Expected", wide: true, render: (one) => one.expected },
  { title: "Got", wide: true, render: (one) => html`${one.got}${one.hint && html` <span class="muted">Did you mean ${one.hint}?</span>`}` },
  { title: "Items", align: "end", render: (one) => one.items },
];

function Exports({ path }) {
  return html`
    <span role="group" aria-label="Copy as" class="exchange-forms">
      <span class="muted" aria-hidden="true">Copy as</span>
      ${FORMS.map(([form, label]) => html`
        <${CopyButton} key=${form} label=${label} name=${`Copy as ${label}`} load=${() => getText(`${path}/as/${form}`)} />`)}
    </span>`;
}

function MakeScenario({ path, sandbox }) {
  const [isOpen, setOpen] = useState(false);
  return html`
    <button type="button" class="primary" onClick=${() => setOpen(true)}>Make a scenario of this</button>
    ${isOpen && html`<${ScenarioDialog} path=${path} sandbox=${sandbox} onClose=${() => setOpen(false)} />`}`;
}

function ScenarioDialog({ path, sandbox, onClose }) {
  const { data, error } = useLoaded(() => getText(`${path}/as/scenario`), [path]);
  return html`
    <${Dialog} title="A scenario that gives this answer" onClose=${onClose} isWide>
      <p>It answers the same request as this exchange was answered, and stores nothing.
        Keep it as a file for <code>bulkproof serve --scenario FILE</code>, or change and activate it in the editor.</p>
      <${ErrorMessage} error=${error} />
      ${data && html`
        <${Code} value=${data} label="Scenario" />
        <div class="actions">
          <${CopyButton} text=${data} />
          <button type="button" onClick=${() => download(`${/^name: (.*)$/m.exec(data)?.[1] ?? "scenario"}.yaml`, data, "application/yaml")}>
            Download</button>
          <a class="button primary" href=${`${hrefOf(sandbox, "scenarios", "new")}?exchange=${path.split("/").at(-1)}`}>Open it in the editor</a>
        </div>`}
    <//>`;
}
