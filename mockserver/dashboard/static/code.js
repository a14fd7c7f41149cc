/** Code blocks: text as it is, JSON as a tree whose large values are folded. */

import { counted } from "./format.js";
import { html, useState } from "./vendor/htm-preact.js";

const OPEN_MEMBERS = 20; // an object or a list with more is folded
const SHOWN_MEMBERS = 200; // of a list that is opened, in one go
const SHOWN_CHARACTERS = 400; // of a text in JSON

/** Show a JSON value, or a text as it is; `label` is what screen readers call it. */
export function Code({ value, label = "Code" }) {
  return html`
    <div class="code" tabindex="0" role="region" aria-label=${label}>
      ${typeof value === "string" ? html`<pre>${value}</pre>` : html`<pre class="json"><${Value} value=${value} depth=${0} /></pre>`}
    </div>`;
}

function Value({ value, depth }) {
  if (value === null || typeof value !== "object") return html`<${Scalar} value=${value} />`;
  return html`<${Group} value=${value} depth=${depth} />`;
}

function Scalar({ value }) {
  const [isWhole, setWhole] = useState(false);
  if (typeof value !== "string") return html`<span class=${value === null ? "null" : typeof value}>${String(value)}</span>`;
  const isLong = value.length > SHOWN_CHARACTERS && !isWhole;
  const text = JSON.stringify(isLong ? value.slice(0, SHOWN_CHARACTERS) : value);
  return html`
    <span class="string">${text}</span>${isLong && html`
      <button type="button" class="more" onClick=${() => setWhole(true)}>
        … all ${counted(value.length, "character")}</button>`}`;
}

function Group({ value, depth }) {
  const isList = Array.isArray(value);
  const members = isList ? value.map((one) => [null, one]) : Object.entries(value);
  const [isOpen, setOpen] = useState(depth < 1 ? members.length <= SHOWN_MEMBERS : members.length <= OPEN_MEMBERS);
  const [shown, setShown] = useState(SHOWN_MEMBERS);
  const [begin, end] = isList ? ["[", "]"] : ["{", "}"];
  if (!members.length) return html`<span>${begin}${end}</span>`;
  if (!isOpen) {
    return html`<button type="button" class="more" aria-expanded="false" onClick=${() => setOpen(true)}>
      ${begin} ${counted(members.length, isList ? "item" : "member")} ${end}</button>`;
  }
  if (isShort(members)) return html`<span>${begin}${members.map((one, n) => html`
    <${Member} one=${one} depth=${depth} isLast=${n === members.length - 1} isInline />`)}${end}</span>`;
  const indent = "  ".repeat(depth + 1);
  return html`<span>${begin}${members.slice(0, shown).map((one, n) => html`
    <span>${`\n${indent}`}<${Member} one=${one} depth=${depth + 1} isLast=${n === members.length - 1} /></span>`)}${
    members.length > shown && html`<span>${`\n${indent}`}<button type="button" class="more"
      onClick=${() => setShown(shown + 10 * SHOWN_MEMBERS)}>… ${members.length - shown} more</button></span>`}${
    `\n${"  ".repeat(depth)}`}${end}</span>`;
}

function Member({ one: [name, value], depth, isLast, isInline = false }) {
  return html`${name !== null && html`<span class="name">${JSON.stringify(name)}</span>`}${name !== null && ": "}<${Value}
    value=${value} depth=${depth} />${isLast ? "" : isInline ? ", " : ","}`;
}

/** Tell whether members fit in a line: few, and none of them a group. */
const isShort = (members) =>
  members.length <= 4 &&
  members.every(([, one]) => one === null || typeof one !== "object") &&
  members.reduce((sum, [name, one]) => sum + (name?.length ?? 0) + String(one).length + 6, 0) <= 70;

/** A text whose `code` is code. */
export const coded = (text) => text.split("`").map((one, n) => (n % 2 ? html`<code>${one}</code>` : one));
