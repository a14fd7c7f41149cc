/** What an exchange wrote to the store, as a diff of each record. */

import { counted } from "../format.js";
import { hrefOf } from "../shell.js";
import { html } from "../ui.js";

/** The records that were written, each with the members that changed. */
export function Writes({ sandbox, api, writes, written }) {
  if (!writes.length) return null;
  const more = written - writes.length;
  const places = [...new Map(writes.map((one) => [`${one.kind}/${one.scope}`, one])).values()];
  return html`
    <section aria-label="State changes">
      <div class="section-head">
        <h2>State changes</h2>
        <span class="count">${counted(written, "record")}</span>
      </div>
      <div class="exchange-diff">
        ${writes.map((one, place) => html`<${Write} key=${place} one=${one} />`)}
      </div>
      ${more > 0 && html`<p>… and ${counted(more, "more record")}, as they are now: ${places.map((one, n) => html`${n > 0 && ", "}<a
        key=${n} href=${hrefOf(sandbox, "state", api, one.kind, one.scope)}>${one.kind}${one.scope && ` of ${one.scope}`}</a>`)}</p>`}
    </section>`;
}

function Write({ one: { kind, scope, key, before, after } }) {
  const what = !before ? `created, version ${after?.version}` : !after ? `deleted, was version ${before.version}`
    : `version ${before.version} → ${after.version}`;
  const lines = diff(before?.body ?? {}, after?.body ?? {});
  return html`
    <h3>${kind} ${String(key)}${scope && html` <span class="muted">in ${scope}</span>`} <span class="muted">${what}</span></h3>
    ${lines.map(([mark, text], place) => html`
      <div key=${place} class=${`line ${mark === "+" ? "new" : "old"}`}>
        <span aria-hidden="true">${mark} </span><span class="hidden">${mark === "+" ? "after: " : "before: "}</span>${text}</div>`)}
    ${!lines.length && html`<div class="muted">no member changed</div>`}`;
}

/** The members of JSON values that differ: `["-", "/name: \"One\""]`, `["+", "/name: \"Uno\""]`. */
export function diff(before, after) {
  const [was, is] = [new Map(leaves(before, "")), new Map(leaves(after, ""))];
  const lines = [];
  for (const place of new Set([...was.keys(), ...is.keys()])) {
    const [old, now] = [was.get(place), is.get(place)];
    if (old === now) continue;
    if (old !== undefined) lines.push(["-", `${place}: ${old}`]);
    if (now !== undefined) lines.push(["+", `${place}: ${now}`]);
  }
  return lines;
}

function* leaves(value, place) {
  const members = value !== null && typeof value === "object" ? Object.entries(value) : [];
  if (!members.length) {
    if (place) yield [place, JSON.stringify(value)];
    return;
  }
  for (const [name, one] of members) yield* leaves(one, `${place}/${name.replace(/~/g, "~0").replace(/\//g, "~1")}`);
}
