/** A schema as a tree: each member with its type, its limits in words, what it is for, and who says so. */

import { Code, coded, html } from "../ui.js";
import { useState } from "../vendor/htm-preact.js";
import { inside } from "./contract-document.js";

const SAYS = { stated: "stated", assumed: "assumption", contradicted: "contradicted" };
const WHY = {
  stated: "The vendor's page says so",
  assumed: "No page says so: it was decided for this document",
  contradicted: "Pages of the vendor say two things: this document had to choose",
};

/** Who says a fact: a link to the vendor's page, or the word that it was assumed. */
export function SourceBadge({ source, isPlain = false }) {
  if (!source) return null;
  const label = source.page ? `${SAYS[source.says]}: ${source.title || hostOf(source.page)}` : SAYS[source.says];
  const why = WHY[source.says] + (source.note ? `: ${source.note}` : "");
  const kind = `source ${source.says}`;
  return !isPlain && /^https?:/.test(source.page)
    ? html`<a class=${kind} href=${source.page} title=${why} target="_blank" rel="noreferrer">${label}</a>`
    : html`<span class=${kind} title=${why}>${label}</span>`;
}

function hostOf(page) {
  try { return new URL(page).hostname; } catch { return page; }
}

/** A description: paragraphs, lists and `code` of its Markdown; all else is text. */
export function Prose({ text }) {
  if (!text) return null;
  return html`<div class="contract-prose">${text.trim().split(/\n\s*\n/).map((block, n) => {
    const lines = block.split("\n");
    return lines.every((one) => /^(-|\*)\s|^\s/.test(one)) && /^(-|\*)\s/.test(lines[0])
      ? html`<ul key=${n}>${block.split(/\n(?=[-*]\s)/).map((one, m) => html`<li key=${m}>${coded(one.slice(2))}</li>`)}</ul>`
      : html`<p key=${n}>${coded(block)}</p>`;
  })}</div>`;
}

/** The tree of the schema at a place; `place` is `{node, pointer}`. */
export const SchemaTree = ({ document, place, label }) => html`
  <ul class="contract-tree" aria-label=${label}>
    <${Node} document=${document} place=${place} name="" trail=${[]} />
  </ul>`;

/** The named schemas of the document, each closed until it is asked for. */
export const NamedSchemas = ({ document, names }) => html`
  <ul class="contract-tree" aria-label="Schemas">
    ${names.map((name) => html`
      <${Node} key=${name} document=${document} name="" trail=${[]} isClosed
        place=${{ node: { $ref: `#/components/schemas/${encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1"))}` }, pointer: "" }} />`)}
  </ul>`;

/** One member: its line, and what is inside of it, which is drawn once it is opened. */
function Node({ document, place, name, required = false, trail, note = "", isClosed = false }) {
  const found = document.resolved(place);
  const { node } = found;
  const isAgain = trail.includes(found.pointer);
  const inner = node && typeof node === "object" ? innerOf(document, found) : [];
  const [isOpen, setOpen] = useState(!isClosed && !isAgain && trail.length < 2 && inner.length <= 30);
  const about = { ...(typeof node === "object" ? node : {}), ...found.beside };
  const source = document.source(place.pointer);
  const outer = trail.length && document.source(parentOf(place.pointer));
  return html`
    <li>
      <div class="contract-member">
        ${inner.length
          ? html`<button type="button" class="contract-fold" aria-expanded=${String(isOpen)} onClick=${() => setOpen(!isOpen)}
              aria-label=${`${isOpen ? "Close" : "Open"} ${name || found.name || "the schema"}`}>${isOpen ? "▾" : "▸"}</button>`
          : html`<span class="contract-fold"></span>`}
        ${note && html`<span class="muted">${note}</span>`}
        ${name && html`<code class="contract-key">${name}</code>`}
        <span class="contract-type">${typeOf(document, found)}</span>
        ${required && html`<span class="contract-flag">required</span>`}
        ${flagsOf(about).map((one) => html`<span key=${one} class="contract-flag">${one}</span>`)}
        ${limitsOf(about).map((one) => html`<span key=${one} class="contract-limit">${one}</span>`)}
        ${source && source !== outer && html`<${SourceBadge} source=${source} />`}
      </div>
      ${about.description && html`<p class="contract-about">${coded(about.description)}</p>`}
      ${isOpen && inner.length > 0 && html`
        <ul>${inner.map((one) => html`
          <${Node} key=${one.key} document=${document} place=${one.place} name=${one.name} required=${one.required}
            note=${one.note} trail=${[...trail, found.pointer]} />`)}</ul>`}
    </li>`;
}

const parentOf = (pointer) => pointer.slice(0, pointer.lastIndexOf("/"));

/** What is inside of a schema: members, elements, choices. */
function innerOf(document, place) {
  const { node } = place;
  const required = new Set(node.required ?? []);
  const all = Object.keys(node.properties ?? {}).map((name) => ({
    key: `.${name}`, name, required: required.has(name), place: inside(place, "properties", name),
  }));
  const more = (key, note) => node[key] && typeof node[key] === "object" && all.push({ key, note, name: "", place: inside(place, key) });
  for (const name of Object.keys(node.patternProperties ?? {})) {
    all.push({ key: `/${name}`, name: `/${name}/`, note: "", place: inside(place, "patternProperties", name) });
  }
  more("additionalProperties", "each other member");
  (node.prefixItems ?? []).forEach((_, n) => all.push({ key: `[${n}]`, name: `[${n}]`, place: inside(place, "prefixItems", n) }));
  if (isDeep(document, inside(place, "items"))) more("items", "each item");
  for (const [key, note] of Object.entries({ allOf: "and", oneOf: "one of", anyOf: "any of" })) {
    (node[key] ?? []).forEach((_, n) => all.push({ key: `${key}${n}`, name: "", note, place: inside(place, key, n) }));
  }
  more("not", "not");
  more("if", "if it is");
  more("then", "then");
  more("else", "else");
  return all;
}

/** Tell whether there is more to say of a schema than its type. */
function isDeep(document, place) {
  const { node } = document.resolved(place);
  return Boolean(node && typeof node === "object" && (innerOf(document, { ...place, node, pointer: "" }).length || limitsOf(node).length || node.description));
}

function typeOf(document, { node, name }) {
  if (node === false) return "nothing";
  if (node === true || node === undefined || node === null) return "anything";
  const types = [node.type ?? (node.properties ? "object" : node.items ? "array" : [])].flat();
  const named = name ? `${name}: ` : "";
  if ("const" in node) return `${named}${JSON.stringify(node.const)}`;
  if (node.enum) return `${named}${node.enum.map((one) => JSON.stringify(one)).join(" or ")}`;
  const words = types.map((one) => {
    if (one !== "array" || !node.items) return one;
    return `array of ${typeOf(document, document.resolved({ node: node.items, pointer: "" }))}`;
  });
  return `${named}${words.join(" or ") || "anything"}${node.format ? ` (${node.format})` : ""}`;
}

const flagsOf = (node) => [
  node.readOnly && "read only", node.writeOnly && "write only", node.deprecated && "deprecated",
].filter(Boolean);

/** The limits of a schema in words. */
export function limitsOf(node) {
  const range = (least, most, unit) => {
    if (least === undefined && most === undefined) return null;
    const some = unit && ` ${(most ?? least) === 1 ? unit : `${unit}s`}`;
    if (least === undefined) return `at most ${most}${some}`;
    if (most === undefined) return `at least ${least}${some}`;
    return least === most ? `exactly ${least}${some}` : `${least} to ${most}${some}`;
  };
  return [
    range(node.minLength, node.maxLength, "character"),
    range(node.minimum, node.maximum, ""),
    node.exclusiveMinimum !== undefined && `above ${node.exclusiveMinimum}`,
    node.exclusiveMaximum !== undefined && `below ${node.exclusiveMaximum}`,
    node.multipleOf !== undefined && `a multiple of ${node.multipleOf}`,
    node.pattern !== undefined && `matches ${node.pattern}`,
    range(node.minItems, node.maxItems, "item"),
    node.uniqueItems && "no item twice",
    range(node.minProperties, node.maxProperties, "member"),
    node.additionalProperties === false && "no other members",
    node.default !== undefined && `${JSON.stringify(node.default)} if absent`,
  ].filter(Boolean);
}

/** Examples of a media type or parameter, folded away. */
export function Examples({ document, place }) {
  const { node } = place;
  const named = Object.keys(node.examples ?? {}).map((name) => {
    const one = document.resolved(inside(place, "examples", name));
    return { name: one.node?.summary ?? name, value: one.node?.value, source: document.source(one.pointer) };
  });
  const all = [...("example" in node ? [{ name: "example", value: node.example }] : []), ...named];
  return all.filter((one) => one.value !== undefined).map((one) => html`
    <details key=${one.name} class="contract-example">
      <summary>Example: ${one.name} <${SourceBadge} source=${one.source} isPlain /></summary>
      <${Code} value=${one.value} label=${`Example ${one.name}`} />
    </details>`);
}
