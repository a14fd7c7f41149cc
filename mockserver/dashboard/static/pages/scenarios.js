/** Scenarios: the active ones in their order with their counts, and all that there are; `#/scenarios/edit/NAME` is one as text. */

import { del, get, ofSandbox, patch, post } from "../api.js";
import { counted } from "../format.js";
import { useFollowed } from "../reload.js";
import { hrefOf } from "../shell.js";
import { Badge, Count, Empty, ErrorMessage, Loading, PageHead, Table, Told, html, useLoaded } from "../ui.js";
import { useState } from "../vendor/htm-preact.js";
import { draftsOf, forgetDraft, keepDraft, summaryIn } from "./drafts.js";
import { ScenarioEditor } from "./scenario-editor.js";

const ORIGINS = { bundled: "bundled", file: "from a file", sandbox: "made here", draft: "draft in this browser" };

export default function Scenarios({ sandbox, rest, query, go }) {
  if (rest[0] === "new" || (rest[0] === "edit" && rest[1])) {
    return html`<${ScenarioEditor} key=${rest.join("/")} sandbox=${sandbox} name=${rest[0] === "edit" ? rest[1] : ""}
      exchange=${query.get("exchange")} onDone=${() => go()} />`;
  }
  return html`<${Overview} sandbox=${sandbox} />`;
}

function Overview({ sandbox }) {
  const path = ofSandbox(sandbox, "scenarios");
  const known = useLoaded((signal) => get("scenarios", { signal }), []);
  const active = useFollowed((signal) => get(path, { signal }), [sandbox]);
  const [failure, setFailure] = useState(null);
  const [told, setTold] = useState("");
  const error = known.error ?? active.error;
  const run = async (words, call) => {
    try {
      await call();
      setFailure(null);
      setTold(words);
      active.reload();
    } catch (caught) {
      setFailure(caught);
    }
  };
  if (error) return html`<${ErrorMessage} error=${error} onRetry=${() => { known.reload(); active.reload(); }} />`;
  if (!known.data || !active.data) return html`<${Loading} />`;
  const running = active.data.scenarios;
  const names = running.map((one) => one.name);
  const order = (wanted, words) => run(words, () => (wanted.length ? patch(path, { order: wanted }) : del(path)));
  const stop = async (name) => {
    if (!known.data.scenarios.some((one) => one.name === name)) await keep(sandbox, name).catch(setFailure);
    await order(names.filter((one) => one !== name), `${name} is not active any more.`);
  };
  const forget = (name) => { forgetDraft(sandbox, name); setTold(`${name} is forgotten.`); };
  const start = (one) => run(`${one.name} is active.`,
    () => post(path, { scenarios: [one.origin === "draft" ? { yaml: one.yaml } : one.name] }));
  return html`
    <${PageHead} title="Scenarios"><a class="scenarios-new" href=${hrefOf(sandbox, "scenarios", "new")}>New scenario</a><//>
    ${failure && html`<${ErrorMessage} error=${failure} />`}
    <${Told}>${told}<//>
    <h2>Active <${Count} count=${running.length} noun="scenario" /></h2>
    ${running.length ? html`<${Active} sandbox=${sandbox} scenarios=${running} onOrder=${order} onStop=${stop} />`
      : html`<p class="muted">None: every call is answered as the contract says. The first rule that fits a call decides it.</p>`}
    <${Every} sandbox=${sandbox} scenarios=${everyOf(sandbox, known.data.scenarios, running)} active=${names}
      onStart=${start} onStop=${stop} onForget=${forget} />`;
}

/** Keep the text of a scenario that the server forgets when it is not active. */
async function keep(sandbox, name) {
  if (name in draftsOf(sandbox)) return;
  keepDraft(sandbox, name, (await get(ofSandbox(sandbox, "scenarios", name))).yaml);
}

/** All that can be selected: of the server, made in this sandbox, and drafts of this browser; one of a name counts. */
function everyOf(sandbox, known, running) {
  const own = running.filter((one) => !known.some((other) => other.name === one.name))
    .map((one) => ({ name: one.name, summary: one.summary ?? "", api: one.api ?? "any", origin: "sandbox" }));
  const taken = new Set([...known, ...own].map((one) => one.name));
  const drafts = Object.entries(draftsOf(sandbox)).filter(([name]) => !taken.has(name))
    .map(([name, yaml]) => ({ name, yaml, summary: summaryIn(yaml), api: "any", origin: "draft" }));
  return [...own, ...drafts, ...known];
}

function Active({ sandbox, scenarios, onOrder, onStop }) {
  const [dragged, setDragged] = useState(null);
  const names = scenarios.map((one) => one.name);
  const move = (from, to) => {
    if (from === to || to < 0 || to >= names.length) return;
    const wanted = [...names];
    wanted.splice(to, 0, ...wanted.splice(from, 1));
    onOrder(wanted, `${names[from]} is number ${to + 1} of ${names.length}.`);
  };
  return html`
    <ol class="scenarios-active" aria-label="Active scenarios, in the order in which they are tried">
      ${scenarios.map((one, n) => html`
        <li key=${one.name} draggable="true" class=${dragged === n ? "dragged" : ""}
          onDragStart=${(event) => { setDragged(n); event.dataTransfer.setData("text/plain", one.name); }}
          onDragEnd=${() => setDragged(null)} onDragOver=${(event) => event.preventDefault()}
          onDrop=${(event) => { event.preventDefault(); if (dragged !== null) move(dragged, n); setDragged(null); }}>
          <span class="data muted">${n + 1}</span>
          <div>
            <a class="data" href=${hrefOf(sandbox, "scenarios", "edit", one.name)}>${one.name}</a> <span class="muted">${one.summary}</span>
            <${Rules} rules=${one.rules} />
          </div>
          <span class="scenarios-buttons">
            <button type="button" aria-label=${`Move ${one.name} up`} disabled=${!n} onClick=${() => move(n, n - 1)}>↑</button>
            <button type="button" aria-label=${`Move ${one.name} down`} disabled=${n === names.length - 1} onClick=${() => move(n, n + 1)}>↓</button>
            <button type="button" aria-label=${`Deactivate ${one.name}`} onClick=${() => onStop(one.name)}>Deactivate</button>
          </span>
        </li>`)}
    </ol>`;
}

/** What each rule of an active scenario has done so far. */
const Rules = ({ rules }) => html`
  <ul class="scenarios-rules">
    ${rules.map((rule, n) => html`
      <li key=${n}>${rules.length > 1 && html`<span class="muted">rule ${n + 1}: </span>`}<${Use} ...${rule} />
        <code class="muted">${Object.keys(rule.then).join(", ")}</code></li>`)}
  </ul>`;

function Use({ used, times }) {
  if (times === undefined) return html`<span class=${used ? "" : "muted"}>fired ${counted(used, "time")}</span>`;
  return html`<span class=${used ? "" : "muted"}>fired ${used} of ${counted(times, "time")}</span>${
    used >= times && html` <${Badge} kind="warn">used up<//>`}`;
}

function Every({ sandbox, scenarios, active, onStart, onStop, onForget }) {
  const [wanted, setWanted] = useState({ text: "", api: "" });
  const set = (name) => (event) => setWanted({ ...wanted, [name]: event.currentTarget.value });
  const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (one) => (!wanted.api || one.api === wanted.api)
    && words.every((word) => `${one.name} ${one.summary}`.toLowerCase().includes(word));
  const rows = scenarios.filter(fits);
  const apis = [...new Set(scenarios.map((one) => one.api))].sort();
  const columns = [
    { title: "Scenario", render: (one) => html`<a class="data" href=${hrefOf(sandbox, "scenarios", "edit", one.name)}>${one.name}</a>` },
    { title: "Summary", wide: true, render: (one) => one.summary },
    { title: "API", render: (one) => html`<span class="muted">${one.api}</span>` },
    { title: "Origin", render: (one) => html`<span class="muted">${ORIGINS[one.origin]}</span>` },
    { title: "Activate", hidden: true, align: "end", render: (one) => (active.includes(one.name)
      ? html`<button type="button" aria-pressed="true" aria-label=${`${one.name} is active; deactivate it`} onClick=${() => onStop(one.name)}>Active</button>`
      : html`${one.origin === "draft" && html`<button type="button" class="quiet" aria-label=${`Forget ${one.name}`} onClick=${() => onForget(one.name)}>Forget</button> `}<button type="button" aria-label=${`Activate ${one.name}`} onClick=${() => onStart(one)}>Activate</button>`) },
  ];
  return html`
    <div class="page-head scenarios-all">
      <h2>All <${Count} count=${rows.length} noun="scenario" /></h2>
      <div class="tools">
        <input type="search" aria-label="Search" placeholder="Search" value=${wanted.text} onInput=${set("text")} />
        <select aria-label="API" value=${wanted.api} onChange=${set("api")}>
          <option value="">every API</option>${apis.map((one) => html`<option key=${one} value=${one}>${one === "any" ? "for any API" : one}</option>`)}
        </select>
      </div>
    </div>
    <${Table} caption="All scenarios" columns=${columns} rows=${rows} rowKey=${(one) => one.name}
      empty=${html`<${Empty} title="No scenario fits this search." />`} />`;
}
