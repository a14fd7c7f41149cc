/** The contract: operations of the served APIs, what they take and mean, who says so, and a way to try them. */

import { get } from "../api.js";
import { counted } from "../format.js";
import { hrefOf } from "../shell.js";
import { Empty, ErrorMessage, Folded, Loading, PageHead, coded, html, useLoaded } from "../ui.js";
import { useEffect, useMemo, useState } from "../vendor/htm-preact.js";
import { documentOf } from "./contract-document.js";
import { Operation } from "./contract-operation.js";
import { NamedSchemas, Prose, SourceBadge } from "./contract-schema.js";

/** The operation that a first batch is sent to: a bulk operation, one that creates records if there is one. */
export const firstBatch = (operations) => {
  const bulk = operations.filter((one) => one.answered === "bulk");
  return bulk.find((one) => /creates/.test(one.axes.effect.join(" "))) ?? bulk[0] ?? null;
};

export default function Contract({ sandbox, rest, query, go }) {
  const apis = useLoaded((signal) => get("apis", { signal }).then((found) => found.apis), []);
  const [name = apis.data?.[0]?.name] = rest;
  const api = useLoaded(async (signal) => name && loadApi(name, signal), [name]);
  const wantsFirst = query.has("first");
  useEffect(() => {
    const first = wantsFirst && api.data && firstBatch(api.data.operations);
    if (first) location.replace(hrefOf(sandbox, "contract", api.data.name, first.id, "try", "send"));
  }, [wantsFirst, api.data]);
  if (apis.error) return html`<${ErrorMessage} error=${apis.error} onRetry=${apis.reload} />`;
  if (apis.data && !apis.data.length) return html`<${Empty} title="No API is served." />`;
  return html`
    <${PageHead} title="Contract">
      ${apis.data?.length > 1 && html`
        <label class="contract-api">API
          <select value=${name} onChange=${(event) => go(event.currentTarget.value)}>
            ${apis.data.map((one) => html`<option key=${one.name} value=${one.name} selected=${one.name === name}>${one.name}</option>`)}
          </select>
        </label>`}
    <//>
    ${api.error
      ? html`<${ErrorMessage} error=${api.error} onRetry=${api.reload} />`
      : api.data && api.data.name === name
        ? html`<${Api} key=${name} sandbox=${sandbox} api=${api.data} rest=${rest.slice(1)} go=${go} />`
        : html`<${Loading} label="Reading the contract" />`}`;
}

async function loadApi(name, signal) {
  const path = `apis/${encodeURIComponent(name)}`;
  const [told, raw] = await Promise.all([
    get(`${path}/explanation`, { signal }), get(`${path}/openapi.json`, { signal }),
  ]);
  const document = documentOf(raw);
  const operations = told.operations.map((one) => ({ ...one, node: document.operation(one.method, one.path) }));
  return { ...told, name, operations, document };
}

/** The list of operations beside one of them, or beside what there is to say of the API. */
function Api({ sandbox, api, rest: [id, ...rest], go }) {
  const chosen = api.operations.find((one) => one.id === id);
  return html`
    <div class=${`contract ${id ? "has-operation" : ""}`}>
      <${Operations} sandbox=${sandbox} api=${api} id=${id} />
      <div class="contract-detail">
        ${id && html`<a class="contract-back" href=${hrefOf(sandbox, "contract", api.name)}>All operations</a>`}
        ${chosen
          ? html`<${Operation} key=${id} sandbox=${sandbox} api=${api} operation=${chosen} rest=${rest} go=${go} />`
          : id
            ? html`<${Empty} title=${`${api.title} has no operation “${id}”.`} />`
            : html`<${Overview} sandbox=${sandbox} api=${api} />`}
      </div>
    </div>`;
}

function Operations({ sandbox, api, id }) {
  const [sought, setSought] = useState("");
  const groups = useMemo(() => grouped(api, sought.trim().toLowerCase()), [api, sought]);
  return html`
    <nav class="contract-list" aria-label="Operations">
      <input type="search" placeholder="Search operations" aria-label="Search operations" value=${sought}
        onInput=${(event) => setSought(event.currentTarget.value)} />
      ${!groups.length && html`<p class="muted" role="status">No operation has “${sought}” in its name, path or summary.</p>`}
      ${groups.map(([tag, operations]) => html`
        <section key=${tag}>
          <h2>${tag}</h2>
          <ul>${operations.map((one) => html`
            <li key=${one.id}>
              <a href=${hrefOf(sandbox, "contract", api.name, one.id)} aria-current=${one.id === id ? "page" : null}
                title=${`${one.method} ${one.path}`}>
                <span class="contract-method">${one.method}</span>
                <span class="contract-name">${one.id}</span>
                ${one.node["x-bulk"] && html`<span class="badge contract-bulk">bulk</span>`}
              </a>
            </li>`)}
          </ul>
        </section>`)}
    </nav>`;
}

/** The operations by tag, those alone that have the sought text. */
function grouped({ operations, document }, sought) {
  const groups = new Map(document.tags.map((one) => [one, []]));
  for (const one of operations) {
    const text = [one.id, one.method, one.path, one.node.summary].join(" ").toLowerCase();
    const tag = one.node.tags?.[0] ?? "Operations";
    if (text.includes(sought)) groups.set(tag, [...(groups.get(tag) ?? []), one]);
  }
  return [...groups].filter(([, some]) => some.length);
}

function Overview({ sandbox, api }) {
  const first = firstBatch(api.operations);
  const { info, components } = api.document.root;
  const schemas = Object.keys(components?.schemas ?? {}).sort();
  const bulk = api.operations.filter((one) => one.node["x-bulk"]).length;
  return html`
    <h2 class="contract-title">${api.title} <span class="count">${api.version}</span></h2>
    <p class="muted">${counted(api.operations.length, "operation")}, ${bulk} of them bulk.</p>
    ${first && html`
      <p><a class="contract-first" href=${hrefOf(sandbox, "contract", api.name, first.id, "try", "send")}>
        Send a batch of 10 with 2 bad items</a></p>
      <p class="hint">It is made up from the contract, and goes to <code>${first.id}</code> of this sandbox.</p>`}
    <${Prose} text=${info.description ?? info.summary} />
    ${api.sources?.length > 0 && html`
      <${Folded} title="Facts of the whole API" count=${api.sources.length}>
        <ul class="contract-facts">${api.sources.map((one, n) => html`
          <li key=${n}>${coded(one.note)} <${SourceBadge} source=${one} /></li>`)}</ul>
      <//>`}
    ${api.clients.length > 0 && html`
      <${Folded} title="Test clients" count=${api.clients.length}>
        <ul class="contract-facts">${api.clients.map((one) => html`
          <li key=${one.name}><code>${one.name}</code>${!one.admitted && " is refused"}</li>`)}</ul>
      <//>`}
    ${schemas.length > 0 && html`
      <${Folded} title="Schemas" count=${schemas.length}><${NamedSchemas} document=${api.document} names=${schemas} /><//>`}`;
}
