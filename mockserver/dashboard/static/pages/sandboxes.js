/** The sandboxes of the server: make, reset, drop, keep as a file; `#/sandboxes/settings` has the settings of this one. */

import { del, get, ofSandbox, post } from "../api.js";
import { counted, number } from "../format.js";
import { useFollowed } from "../reload.js";
import { hrefOf, useLive } from "../shell.js";
import { Count, Dialog, ErrorMessage, Field, Instant, Loading, PageHead, Table, html } from "../ui.js";
import { useEffect, useState } from "../vendor/htm-preact.js";
import { Settings } from "./settings.js";
import { Snapshot } from "./snapshot.js";

const REFRESH_MS = 3000; // events tell what happens in one sandbox alone

export default function Sandboxes({ sandbox, rest, go }) {
  return rest[0] === "settings"
    ? html`<${Settings} sandbox=${sandbox} back=${hrefOf(sandbox, "sandboxes")} />`
    : html`<${List} sandbox=${sandbox} go=${go} />`;
}

function List({ sandbox }) {
  const { data, error, reload } = useFollowed((signal) => get("sandboxes", { signal }), [sandbox]);
  const [open, setOpen] = useState(null); // {kind, name}
  useLive((events) => { if (events.some((one) => one.name === "sandboxes")) reload(); });
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) reload(); }, REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  if (!data) return error ? html`<${ErrorMessage} error=${error} onRetry=${reload} />` : html`<${Loading} />`;
  const rows = [...data.sandboxes].sort((one, other) => (one.name < other.name ? -1 : 1));
  const close = () => { setOpen(null); reload(); };
  return html`
    <${PageHead} title="Sandboxes">
      <${Count} count=${rows.length} noun="sandbox" several="sandboxes" />
      <button type="button" class="primary" onClick=${() => setOpen({ kind: "new" })}>New sandbox</button>
    <//>
    ${error && html`<${ErrorMessage} error=${error} onRetry=${reload} />`}
    <${Table} caption="Sandboxes by name" columns=${columnsOf(setOpen)} rows=${rows} rowKey=${(one) => one.name}
      isCurrent=${(one) => one.name === sandbox} />
    ${open && html`<${Opened} ...${open} current=${sandbox} names=${rows.map((one) => one.name)} onClose=${close} />`}`;
}

const columnsOf = (open) => [
  { title: "Sandbox", render: (one) => html`<a class="data" href=${hrefOf(one.name, "journal")}>${one.name}</a>` },
  { title: "Clock", render: ({ clock }) => html`<${Instant} dated at=${clock.now.replace(/\.\d+/, "")} /> <span class="muted">${paceOf(clock)}</span>` },
  { title: "Records", align: "end", render: (one) => html`<span class="data">${number(one.records)}</span>` },
  { title: "Jobs", align: "end", render: (one) => html`<span class="data sandboxes-jobs" title=${`${one.unfinished} unfinished`}>${
    number(one.jobs)}${one.unfinished > 0 && html`<span class="muted"> (${one.unfinished} open)</span>`}</span>` },
  { title: "Exchanges", align: "end", render: (one) => html`<span class="data">${number(one.exchanges)}</span>` },
  { title: "Seed", align: "end", render: (one) => html`<span class="data">${one.seed}</span>` },
  { title: "Last use", render: (one) => html`<${Instant} dated at=${one.used.replace(/\.\d+/, "")} />` },
  { title: "Actions", hidden: true, align: "end", render: (one) => html`<div class="sandboxes-actions">
    <a href=${hrefOf(one.name, "sandboxes", "settings")} aria-label=${`Settings of ${one.name}`}>Settings</a>
    ${[["snapshot", "Snapshot"], ["reset", "Reset"], ["drop", "Drop"]].map(([kind, word]) => html`
      <button key=${kind} type="button" class="quiet" aria-label=${`${word} ${one.name}`}
        onClick=${() => open({ kind, name: one.name, of: one })}>${word}…</button>`)}
  </div>` },
];

const paceOf = ({ mode, factor }) => ({ frozen: "frozen", system: "real time" })[mode] ?? `× ${factor}`;

const DIALOGS = { new: Fresh, reset: Fresh, drop: Drop, snapshot: Snapshot };

const Opened = ({ kind, ...given }) => html`<${DIALOGS[kind]} ...${given} />`;

/** Make a sandbox, or reset one: its seed and its clock. */
function Fresh({ name: known, current, names, onClose }) {
  const [form, setForm] = useState({ name: "", seed: "", mode: "", factor: "60", now: "" });
  const [error, setError] = useState(null);
  const set = (member) => (event) => setForm({ ...form, [member]: event.currentTarget.value });
  const isTaken = !known && names.includes(form.name);
  const send = async (event) => {
    event.preventDefault();
    if (isTaken) return;
    const name = known ?? form.name;
    try {
      await post(ofSandbox(name, "reset"), bodyOf(form));
      onClose();
      if (!known) location.hash = hrefOf(name, "sandboxes");
    } catch (failure) {
      setError(failure);
    }
  };
  const at = (pointer) => error?.problem?.errors?.find((one) => one.pointer === pointer)?.detail ?? "";
  const isElsewhere = error && !["/seed", "/clock/factor", "/clock/now"].some(at);
  return html`
    <${Dialog} title=${known ? `Reset ${known}` : "New sandbox"} onClose=${onClose}>
      <form onSubmit=${send}>
        ${known && html`<p>Its records, jobs, journal, settings, scenarios and clock become what the command line said. This cannot be undone.</p>`}
        ${isElsewhere && html`<${ErrorMessage} error=${error} />`}
        ${!known && html`
          <${Field} label="Name" hint="1 to 64 letters, digits, “.”, “_” and “-”" error=${isTaken ? "There is a sandbox of this name." : ""}>
            <input required maxlength="64" pattern="[A-Za-z0-9._\\-]+" title="1 to 64 letters, digits, “.”, “_” and “-”" autocomplete="off" value=${form.name} onInput=${set("name")} />
          <//>`}
        <${Field} label="Seed" hint="Ids and random choices follow from it. Empty: the server's." error=${at("/seed")}>
          <input type="number" min="0" max="9007199254740991" step="1" value=${form.seed} onInput=${set("seed")} />
        <//>
        <${Field} label="Clock">
          <select value=${form.mode} onChange=${set("mode")}>
            <option value="">as the command line says</option><option value="frozen">frozen</option>
            <option value="system">real time</option><option value="scaled">faster or slower</option>
          </select>
        <//>
        ${form.mode === "scaled" && html`
          <${Field} label="Speed" hint="Seconds of the sandbox in one real second" error=${at("/clock/factor")}>
            <input type="number" required min="0.001" max="86400" step="any" value=${form.factor} onInput=${set("factor")} />
          <//>`}
        <${Field} label="Time (UTC)" hint="Empty: the present time" error=${at("/clock/now")}>
          <input type="datetime-local" step="1" value=${form.now} onInput=${set("now")} />
        <//>
        <div class="actions">
          <button type="button" onClick=${onClose}>Cancel</button>
          <button type="submit" class=${known ? "danger" : "primary"}>${known ? "Reset it" : "Make it"}</button>
        </div>
      </form>
    <//>`;
}

/** The body of a reset: only what was filled in. */
function bodyOf({ seed, mode, factor, now }) {
  const clock = {
    ...(mode && { mode }), ...(mode === "scaled" && { factor: Number(factor) }),
    ...(now && { now: new Date(`${now}Z`).toISOString() }),
  };
  return { ...(seed !== "" && { seed: Number(seed) }), ...(Object.keys(clock).length > 0 && { clock }) };
}

function Drop({ name, of, current, onClose }) {
  const [error, setError] = useState(null);
  const drop = async () => {
    try {
      await del(ofSandbox(name));
      if (name === current) location.hash = hrefOf("default", "sandboxes");
      onClose();
    } catch (failure) {
      setError(failure);
    }
  };
  return html`
    <${Dialog} title=${`Drop ${name}?`} onClose=${onClose}>
      ${error && html`<${ErrorMessage} error=${error} />`}
      <p>${counted(of.records, "record")}, ${counted(of.jobs, "job")} and ${counted(of.exchanges, "exchange")} go with it. This cannot be undone.</p>
      <div class="actions">
        <button type="button" onClick=${onClose}>Cancel</button>
        <button type="button" class="danger" onClick=${drop}>Drop it</button>
      </div>
    <//>`;
}
