/** What a client believes, held against what is stored: records that are lost, doubled, phantoms, or different. */

import { ofSandbox, post } from "../api.js";
import { counted, number } from "../format.js";
import { Badge, ErrorMessage, Field, Table, html } from "../ui.js";
import { useState } from "../vendor/htm-preact.js";
import { looselyCompared, readBelief } from "./belief.js";

const SHOWN = 500;
const KINDS = {
  lost: { word: "lost", kind: "bad", says: "The client has it, the server has not." },
  doubled: { word: "doubled", kind: "bad", says: "The client has it more than once." },
  phantom: { word: "phantom", kind: "warn", says: "The server has it, the client has not." },
  different: { word: "different", kind: "warn", says: "" },
};

export function Reconcile({ sandbox, of }) {
  const [text, setText] = useState("");
  const [outcome, setOutcome] = useState({});
  const compare = async (event) => {
    event.preventDefault();
    try {
      const { records, doubled, isText } = readBelief(text, of.key);
      const found = await post(ofSandbox(sandbox, "reconcile"), { api: of.api, kind: of.kind, tenant: of.tenant, records });
      setOutcome({ found: { ...(isText ? looselyCompared(found) : found), doubled } });
    } catch (error) {
      setOutcome({ error });
    }
  };
  const read = async (event) => {
    const file = event.currentTarget.files[0];
    if (file) { setText(await file.text()); setOutcome({}); }
  };
  return html`
    <form class="state-belief" onSubmit=${compare}>
      <${Field} label="What the client believes" hint=${`Records as JSON, lines of JSON, or CSV with names in its first row. Each has its key, ${of.key}; of each only the members that are there are compared.`}>
        <textarea rows="8" spellcheck=${false} value=${text} onInput=${(event) => { setText(event.currentTarget.value); setOutcome({}); }}></textarea>
      <//>
      <div class="state-tools">
        <button type="submit" class="primary">Compare</button>
        <label class="state-file">or a file <input type="file" accept=".json,.ndjson,.jsonl,.csv,.txt" onChange=${read} /></label>
      </div>
    </form>
    ${outcome.error && html`<${ErrorMessage} error=${outcome.error} />`}
    <div role="status">${outcome.found && html`<${Found} found=${outcome.found} />`}</div>`;
}

function Found({ found }) {
  const rows = [
    ...["lost", "doubled", "phantom"].flatMap((kind) => found[kind].map((key) => ({ kind, key }))),
    ...found.different.map((one) => ({ kind: "different", ...one })),
  ];
  const differing = new Set(found.different.map((one) => one.key)).size;
  const counts = [["same", found.same], ["lost", found.lost.length], ["doubled", found.doubled.length],
    ["phantom", found.phantom.length], ["different", differing]];
  const columns = [
    { title: "Record", render: (one) => html`<span class="data">${one.key}</span>` },
    { title: "Finding", render: (one) => html`<${Badge} kind=${KINDS[one.kind].kind}>${KINDS[one.kind].word}<//>` },
    { title: "Where", wide: true, render: (one) => (one.pointer ? html`<code>${one.pointer}</code>` : KINDS[one.kind].says) },
    { title: "The client believes", wide: true, render: (one) => (one.pointer ? html`<code>${JSON.stringify(one.believed)}</code>` : "") },
    { title: "The server has", wide: true, render: (one) => (one.pointer ? html`<code>${JSON.stringify(one.stored)}</code>` : "") },
  ];
  return html`
    <p class="state-counts">${counts.map(([word, count]) => html`
      <span key=${word} class=${count && word !== "same" ? KINDS[word].kind : "muted"}><span class="data">${number(count)}</span> ${word}</span>`)}</p>
    ${rows.length ? html`<${Table} caption="Differences" columns=${columns} rows=${rows.slice(0, SHOWN)} />`
      : html`<p class="good">The client and the server agree.</p>`}
    ${rows.length > SHOWN && html`<p class="muted">… and ${counted(rows.length - SHOWN, "more row", "more rows")}</p>`}`;
}
