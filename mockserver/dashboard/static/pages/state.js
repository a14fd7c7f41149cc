/** What is stored: a table for each kind of record and tenant, and what a client believes held against it. */

import { get, ofSandbox } from "../api.js";
import { counted, number } from "../format.js";
import { useFollowed } from "../reload.js";
import { hrefOf } from "../shell.js";
import { Badge, Code, CopyButton, Count, Dialog, Empty, ErrorMessage, Loading, PageHead, Table, Tabs, html } from "../ui.js";
import { useEffect, useState } from "../vendor/htm-preact.js";
import { Reconcile } from "./reconcile.js";

const PAGE = 50;
const MEMBERS = 6; // of a record that are columns

export default function State({ sandbox, rest }) {
  const { data, error, reload } = useFollowed((signal) => get(ofSandbox(sandbox, "entities"), { signal }), [sandbox]);
  if (error) return html`<${ErrorMessage} error=${error} onRetry=${reload} />`;
  if (!data) return html`<${Loading} />`;
  const { collections } = data;
  const [api, kind, tenant] = rest;
  const chosen = rest.length ? collections.find((one) => one.api === api && one.kind === kind && one.tenant === tenant) : collections[0];
  if (!collections.length) {
    return html`<${PageHead} title="State" />
      <${Empty} title="Nothing is stored yet.">Records appear here with the first call that writes or reads some.<//>`;
  }
  return html`
    <${PageHead} title="State"><${Count} count=${collections.length} noun="collection" /><//>
    <div class="state-page">
      <${Collections} sandbox=${sandbox} collections=${collections} chosen=${chosen} />
      ${chosen ? html`<${Collection} key=${keyOf(chosen)} sandbox=${sandbox} of=${chosen} />`
        : html`<${Empty} title=${`No ${kind} of ${tenant} is stored.`} />`}
    </div>`;
}

const keyOf = ({ api, kind, tenant }) => `${api}/${kind}/${tenant}`;

function Collections({ sandbox, collections, chosen }) {
  const apis = [...new Set(collections.map((one) => one.api))];
  return html`
    <nav class="state-collections" aria-label="Collections">
      ${apis.map((api) => html`
        <h2 key=${api}>${api}</h2>
        <ul>${collections.filter((one) => one.api === api).map((one) => html`
          <li key=${keyOf(one)}><a href=${hrefOf(sandbox, "state", one.api, one.kind, one.tenant)} aria-current=${one === chosen ? "true" : null}>
            <span>${one.kind} <span class="muted">${one.tenant}</span></span>
            <span class="data">${number(one.records)}<span class="hidden"> records</span></span></a></li>`)}
        </ul>`)}
    </nav>`;
}

function Collection({ sandbox, of }) {
  const tabs = [
    { id: "records", title: "Records", content: () => html`<${Records} sandbox=${sandbox} of=${of} />` },
    { id: "reconcile", title: "Reconcile", content: () => html`<${Reconcile} sandbox=${sandbox} of=${of} />` },
  ];
  return html`
    <section class="state-collection" aria-label=${`${of.kind} of ${of.tenant}`}>
      <h2>${of.kind} <span class="muted">of ${of.tenant} in ${of.api}</span></h2>
      <${Tabs} label="View" tabs=${tabs} />
    </section>`;
}

function Records({ sandbox, of }) {
  const [typed, setTyped] = useState("");
  const [wanted, setWanted] = useState({ key: "", offset: 0 });
  const [open, setOpen] = useState(null);
  useEffect(() => {
    const timer = setTimeout(() => setWanted((before) => (before.key === typed ? before : { key: typed, offset: 0 })), 200);
    return () => clearTimeout(timer);
  }, [typed]);
  const query = new URLSearchParams({ tenant: of.tenant, limit: PAGE, offset: wanted.offset, ...(wanted.key && { key: wanted.key }) });
  const { data, error, reload } = useFollowed(
    (signal) => get(`${ofSandbox(sandbox, "entities", of.api, of.kind)}?${query}`, { signal }), [sandbox, wanted]);
  if (error) return html`<${ErrorMessage} error=${error} onRetry=${reload} />`;
  if (!data) return html`<${Loading} />`;
  const rows = data.entities;
  const shown = open !== null && rows.find((one) => one.key === open);
  return html`
    <div class="state-tools">
      <input type="search" aria-label=${`Search by ${of.key}`} placeholder=${`Search by ${of.key}`} value=${typed}
        onInput=${(event) => setTyped(event.currentTarget.value)} />
      <${Pager} offset=${wanted.offset} total=${data.total} onMove=${(offset) => setWanted({ ...wanted, offset })} />
    </div>
    <${Table} caption=${`Records of ${of.kind}, by key`} columns=${columnsOf(of, rows, setOpen)} rows=${rows} rowKey=${(one) => one.key}
      onOpen=${(one) => setOpen(one.key)} empty=${html`<${Empty} title="No record has such a key." />`} />
    ${shown && html`
      <${Dialog} title=${`${of.kind} ${shown.key}`} isWide onClose=${() => setOpen(null)}>
        <p><${Marks} of=${shown} /> <span class="muted">version</span> <span class="data">${shown.version}</span></p>
        <${Code} value=${shown.body} label="Record" />
        <p></p><div class="actions"><${CopyButton} text=${JSON.stringify(shown.body, null, 2)} /></div>
      <//>`}`;
}

function Pager({ offset, total, onMove }) {
  return html`
    <span class="state-pager">
      <span class="data" role="status">${total ? `${number(offset + 1)} to ${number(Math.min(offset + PAGE, total))} of ` : ""}${counted(total, "record")}</span>
      <button type="button" disabled=${!offset} onClick=${() => onMove(Math.max(0, offset - PAGE))}>Previous</button>
      <button type="button" disabled=${offset + PAGE >= total} onClick=${() => onMove(offset + PAGE)}>Next</button>
    </span>`;
}

const Marks = ({ of }) => (of.deleted ? html`<${Badge} kind="bad">deleted<//>` : "");

/** The key, the first members that are no groups, those inside of objects too, the version. */
function columnsOf(of, rows, open) {
  const flat = new Map(rows.map((one) => [one, flatOf(one.body)]));
  const names = new Set(rows.flatMap((one) => Object.keys(flat.get(one))).filter((name) => name !== of.key));
  return [
    { title: of.key, render: (one) => html`
      <button type="button" class="more data" onClick=${() => open(one.key)}>${one.key}</button> <${Marks} of=${one} />` },
    ...[...names].slice(0, MEMBERS).map((name) => ({
      title: name, render: (one) => html`<span class=${one.deleted ? "data muted" : "data"}>${short(flat.get(one)[name])}</span>`,
    })),
    { title: "Version", align: "end", render: (one) => html`<span class="data">${one.version}</span>` },
  ];
}

/** Members that are no groups by their paths: `properties.code`. */
function flatOf(body, path = "", depth = 0) {
  const found = {};
  for (const [name, value] of Object.entries(body ?? {})) {
    if (value === null || typeof value !== "object") found[path + name] = value;
    else if (!Array.isArray(value) && depth < 1) Object.assign(found, flatOf(value, `${path}${name}.`, depth + 1));
  }
  return found;
}

const short = (value) => {
  if (value === undefined) return "";
  const text = String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
};
