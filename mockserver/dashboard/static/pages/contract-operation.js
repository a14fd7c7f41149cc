/** One operation: what it means in words, what it takes and gives, who says so. */

import { Badge, Folded, Table, Tabs, coded, html } from "../ui.js";
import { inside, parametersOf, placeOf } from "./contract-document.js";
import { Examples, Prose, SchemaTree, SourceBadge, limitsOf } from "./contract-schema.js";
import { TryIt } from "./contract-try.js";

const AXES = {
  items: "Where the items are", effect: "What an item wants", key: "How an outcome is matched to its item",
  unit: "What succeeds or fails together", order: "In which order", reply: "How outcomes are said", job: "When",
  guard: "What refuses the whole request",
};

/** An operation as tabs: the contract, and a way to try it. */
export function Operation({ sandbox, api, operation, rest, go }) {
  const isTry = rest[0] === "try";
  const tabs = [
    { id: "contract", title: "Contract", content: () => html`<${Facts} api=${api} operation=${operation} />` },
    { id: "try", title: "Try it", content: () => html`
      <${TryIt} sandbox=${sandbox} api=${api} operation=${operation} sendsAtOnce=${rest[1] === "send"} />` },
  ];
  return html`
    <h2 class="contract-title">
      <span class="contract-method">${operation.method}</span> <code>${operation.path}</code>
      ${operation.node.deprecated && html` <${Badge} kind="warn">deprecated<//>`}
    </h2>
    <p>${operation.node.summary ?? operation.id} <span class="muted">${sentence(operation.says)}</span></p>
    <${Tabs} label=${`Operation ${operation.id}`} tabs=${tabs} chosen=${isTry ? "try" : "contract"}
      onChoose=${(id) => go(api.name, operation.id, ...(id === "try" ? ["try"] : []))} />`;
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

function Facts({ api, operation }) {
  const { document } = api;
  const { item, own } = placeOf(document, operation);
  const body = document.resolved(inside(own, "requestBody"));
  return html`
    <${Prose} text=${operation.node.description} />
    ${operation.axes && html`<${Meaning} document=${document} own=${own} operation=${operation} />`}
    <${Parameters} document=${document} item=${item} own=${own} />
    ${body.node && html`
      <section class="contract-section">
        <h3>Request body ${body.node.required && html`<span class="contract-flag">required</span>`}</h3>
        <${Prose} text=${body.node.description} />
        <${Content} document=${document} place=${body} label="Request body" />
      </section>`}
    <${Responses} document=${document} own=${own} />
    <${Limits} operation=${operation} />
    <${ItemErrors} operation=${operation} />
    <${Sources} operation=${operation} />
    <${Remarks} operation=${operation} />`;
}

/** What a bulk operation means: the axes of x-bulk in words. */
function Meaning({ document, own, operation }) {
  const axes = Object.entries(operation.axes).filter(([, told]) => told.length);
  return html`
    <section class="contract-section">
      <h3>What a batch means</h3>
      <dl class="contract-axes">${axes.map(([axis, told]) => {
        const place = inside(own, "x-bulk", axis);
        return html`
          <div key=${axis}>
            <dt>${AXES[axis] ?? axis} <${SourceBadge} source=${place.node ? document.source(place.pointer) : null} /></dt>
            <dd>${told.map((one, n) => html`<p key=${n}>${one}</p>`)}</dd>
          </div>`;
      })}</dl>
    </section>`;
}

function Parameters({ document, item, own }) {
  const rows = parametersOf(document, item, own);
  if (!rows.length) return null;
  const columns = [
    { title: "Name", render: ({ node }) => html`<code class="contract-key">${node.name}</code>${node.required && html` <span class="contract-flag">required</span>`}` },
    { title: "In", render: ({ node }) => node.in },
    { title: "Value", wide: true, render: (place) => html`<${ParameterValue} document=${document} place=${place} />` },
    { title: "Source", render: (place) => html`<${SourceBadge} source=${document.source(place.pointer)} />` },
  ];
  return html`
    <section class="contract-section">
      <h3>Parameters</h3>
      <${Table} caption="Parameters" columns=${columns} rows=${rows} rowKey=${({ node }) => `${node.in}:${node.name}`} />
    </section>`;
}

function ParameterValue({ document, place }) {
  const schema = document.resolved(inside(place, "schema"));
  const node = schema.node ?? {};
  const words = node.enum ? node.enum.map((one) => JSON.stringify(one)).join(" or ") : [node.type ?? "anything"].flat().join(" or ");
  const told = [words + (node.format ? ` (${node.format})` : ""), ...limitsOf(node)].join(", ");
  return html`<span class="contract-type">${told}</span>${place.node.description && html`<${Prose} text=${place.node.description} />`}`;
}

/** The media types of a body, each with its schema and examples. */
function Content({ document, place, label }) {
  return Object.keys(place.node.content ?? {}).map((type) => {
    const media = inside(place, "content", type);
    return html`
      <div key=${type} class="contract-media">
        <p><code>${type}</code></p>
        ${media.node.schema !== undefined && html`
          <${SchemaTree} document=${document} place=${inside(media, "schema")} label=${`${label} as ${type}`} />`}
        <${Examples} document=${document} place=${media} />
      </div>`;
  });
}

function Responses({ document, own }) {
  const place = inside(own, "responses");
  const statuses = Object.keys(place.node ?? {}).sort();
  return html`
    <section class="contract-section">
      <h3>Responses</h3>
      ${statuses.map((status) => {
        const one = document.resolved(inside(place, status));
        const isGood = /^2/.test(status);
        const source = document.source(inside(place, status).pointer);
        return html`
          <details key=${status} class="contract-response" open=${isGood}>
            <summary>
              <span class=${`status ${isGood ? "good" : /^[45]/.test(status) ? "warn" : "idle"}`}>${status}</span>
              ${coded(one.node?.description ?? "")} <${SourceBadge} source=${source} isPlain />
            </summary>
            ${source?.page && html`<p><${SourceBadge} source=${source} /></p>`}
            <${Fields} document=${document} place=${one} />
            <${Content} document=${document} place=${one} label=${`Response ${status}`} />
            ${!one.node?.content && html`<p class="muted">It has no body.</p>`}
          </details>`;
      })}
    </section>`;
}

function Fields({ document, place }) {
  const names = Object.keys(place.node?.headers ?? {});
  if (!names.length) return null;
  return html`
    <ul class="contract-facts">${names.map((name) => html`
      <li key=${name}><code class="contract-key">${name}</code> ${coded(document.resolved(inside(place, "headers", name)).node?.description ?? "")}</li>`)}
    </ul>`;
}

const DURATIONS = { P1D: "a day", P7D: "a week", P30D: "30 days", PT1H: "an hour", PT1M: "a minute", PT1S: "a second", PT0S: "a request" };

/** What is limited: calls (x-quota), and what the guard says of batches. */
function Limits({ operation }) {
  const quotas = [...(operation.node["x-quota"] ?? []), ...(operation.node["x-bulk"]?.guard?.quota ?? [])];
  const items = operation.node["x-bulk"]?.items ?? {};
  const told = [
    items.max !== undefined && `At most ${items.max} items in a request.`,
    items.maxBytes !== undefined && `At most ${items.maxBytes} bytes in a request.`,
    items.maxItemBytes !== undefined && `At most ${items.maxItemBytes} bytes in an item.`,
    ...quotas.map((one) => `At most ${one.max} of ${one.what ?? "these calls"} in ${DURATIONS[one.per] ?? one.per}${one.by ? `, counted by ${one.by}` : ""}.`),
  ].filter(Boolean);
  if (!told.length) return null;
  return html`
    <section class="contract-section"><h3>Limits</h3>
      <ul class="contract-facts">${told.map((one) => html`<li key=${one}>${one}</li>`)}</ul></section>`;
}

/** The catalogue of errors that an entry of an outcome can have, where the contract declares one. */
function ItemErrors({ operation }) {
  const bulk = operation.node["x-bulk"] ?? {};
  const { codes = {}, names = {} } = bulk.reply?.outcomes ?? bulk.job?.outcomes ?? {};
  const rows = [...new Set([...Object.keys(codes), ...Object.keys(names)])].map((kind) => ({ kind, code: codes[kind], names: names[kind] }));
  if (!rows.length) return null;
  const columns = [
    { title: "Fault", render: ({ kind }) => html`<code>${kind}</code>` },
    { title: "Code", wide: true, render: ({ code }) => (code === undefined ? "–" : html`<code>${[code].flat().join(", ")}</code>`) },
    { title: "Names", wide: true, render: ({ names: some }) => (some === undefined ? "–" : html`<code>${[some].flat().join(", ")}</code>`) },
  ];
  return html`
    <section class="contract-section"><h3>Errors of an item</h3>
      <${Table} caption="Errors of an item" columns=${columns} rows=${rows} rowKey=${({ kind }) => kind} /></section>`;
}

/** Facts beside those that the document's members declare, and who says them. */
function Sources({ operation }) {
  const facts = (operation.sources ?? []).filter((one) => one.note);
  if (!facts.length) return null;
  return html`
    <section class="contract-section"><h3>Facts and their sources</h3>
      <ul class="contract-facts">${facts.map((one, n) => html`
        <li key=${n}>${coded(one.note)} <${SourceBadge} source=${{ ...one, note: "" }} /></li>`)}</ul></section>`;
}

function Remarks({ operation }) {
  const laws = Object.entries(operation.notJudged ?? {});
  const more = [...(operation.inferred ?? []), ...(operation.missing ?? [])];
  return html`
    ${more.length > 0 && html`
      <section class="contract-section"><h3>Inferred and missing</h3>
        <ul class="contract-facts">${more.map((one) => html`<li key=${one}>${one}</li>`)}</ul></section>`}
    ${laws.length > 0 && html`
      <${Folded} title="Laws that cannot be judged" count=${laws.length}>
        <dl class="contract-laws">${laws.map(([law, why]) => html`<div key=${law}><dt><code>${law}</code></dt><dd>${why}</dd></div>`)}</dl>
      <//>`}`;
}
