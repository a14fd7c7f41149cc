/** The settings of a sandbox as a form that their JSON Schema makes: only what was changed is sent. */

import { get, ofSandbox, patch } from "../api.js";
import { counted } from "../format.js";
import { useLive } from "../shell.js";
import { ErrorMessage, Field, Loading, PageHead, html, useLoaded } from "../ui.js";
import { useState } from "../vendor/htm-preact.js";

const CHANGES = new Set(["reset", "settings", "reconnected"]);

export function Settings({ sandbox, back }) {
  const schema = useLoaded((signal) => get("settings.schema.json", { signal }), []);
  const settings = useLoaded((signal) => get(ofSandbox(sandbox, "settings"), { signal }), [sandbox]);
  useLive((events) => { if (events.some((one) => CHANGES.has(one.name))) settings.reload(); });
  const error = schema.error ?? settings.error;
  if (error) return html`<${ErrorMessage} error=${error} onRetry=${() => { schema.reload(); settings.reload(); }} />`;
  if (!schema.data || !settings.data) return html`<${Loading} />`;
  return html`<${Form} sandbox=${sandbox} schema=${schema.data} settings=${settings.data} onSaved=${settings.reload} back=${back} />`;
}

function Form({ sandbox, schema, settings, onSaved, back }) {
  const [texts, setTexts] = useState({}); // what was typed, by pointer
  const [outcome, setOutcome] = useState({});
  const fields = fieldsOf(schema, settings);
  const changed = fields.filter((one) => one.pointer in texts && texts[one.pointer] !== textOf(one, one.value));
  const type = (pointer, text) => { setTexts({ ...texts, [pointer]: text }); setOutcome({}); };
  const save = async (event) => {
    event.preventDefault();
    const unread = {};
    const body = {};
    for (const one of changed) {
      try {
        put(body, one.path, difference(one.value, valueOf(one, texts[one.pointer])));
      } catch {
        unread[one.pointer] = "This is no JSON.";
      }
    }
    if (Object.keys(unread).length) { setOutcome({ unread }); return; }
    try {
      await patch(ofSandbox(sandbox, "settings"), body);
      setTexts({});
      setOutcome({ told: `Saved ${counted(changed.length, "setting")}.` });
      onSaved();
    } catch (error) {
      setOutcome({ error });
    }
  };
  const faults = outcome.error?.problem?.errors ?? [];
  const faultAt = ({ pointer }) => outcome.unread?.[pointer]
    ?? faults.filter((one) => one.pointer === pointer || one.pointer.startsWith(`${pointer}/`))
      .map((one) => (one.pointer === pointer ? one.detail : `${one.pointer}: ${one.detail}`)).join(" ");
  const groups = [...new Set(fields.map((one) => one.group))];
  return html`
    <${PageHead} title=${`Settings of ${sandbox}`}><a href=${back}>All sandboxes</a><//>
    ${outcome.error && !fields.some(faultAt) && html`<${ErrorMessage} error=${outcome.error} />`}
    <form class="settings" onSubmit=${save} novalidate>
      ${groups.map((group) => html`
        <fieldset key=${group}>
          <legend>${group || "general"}</legend>
          ${fields.filter((one) => one.group === group).map((one) => html`
            <${Setting} key=${one.pointer} field=${one} fault=${faultAt(one)} isChanged=${changed.includes(one)}
              text=${texts[one.pointer] ?? textOf(one, one.value)} onType=${(text) => type(one.pointer, text)} />`)}
        </fieldset>`)}
      <div class="settings-save">
        <button type="submit" class="primary" disabled=${!changed.length}>Save</button>
        ${changed.length > 0 && html`<button type="button" onClick=${() => { setTexts({}); setOutcome({}); }}>Discard</button>`}
        <span role="status">${changed.length ? `${counted(changed.length, "change")}, not saved` : outcome.told}</span>
      </div>
    </form>`;
}

/** The settings as fields: those that are objects with members of their own become groups. */
function fieldsOf(schema, value, path = []) {
  return Object.entries(schema.properties).flatMap(([name, one]) => {
    const here = [...path, name];
    if (one.properties) return fieldsOf(one, value[name] ?? {}, here);
    const pointer = here.map((token) => `/${token.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
    return [{ name, path: here, pointer, group: path.join("."), schema: one, value: value[name], kind: kindOf(one) }];
  });
}

const kindOf = ({ enum: words, type }) =>
  words ? "choice" : { boolean: "switch", integer: "number", number: "number", string: "text" }[type] ?? "json";

const textOf = ({ kind }, value) => (kind === "json" ? JSON.stringify(value, null, 2) : String(value ?? ""));

function valueOf({ kind, schema }, text) {
  if (kind === "json") return JSON.parse(text);
  if (kind === "switch") return text === "true";
  if (kind === "number") return text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text);
  return kind === "choice" ? schema.enum.find((one) => String(one) === text) : text;
}

function put(body, [name, ...rest], value) {
  if (rest.length) put((body[name] ??= {}), rest, value);
  else body[name] = value;
}

/** The JSON Merge Patch (RFC 7396) that makes `after` of `before`. */
function difference(before, after) {
  if (!isObject(before) || !isObject(after)) return after;
  const found = Object.fromEntries(Object.keys(before).filter((name) => !(name in after)).map((name) => [name, null]));
  for (const [name, value] of Object.entries(after)) {
    if (JSON.stringify(before[name]) !== JSON.stringify(value)) found[name] = name in before ? difference(before[name], value) : value;
  }
  return found;
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

function Setting({ field, text, fault, isChanged, onType }) {
  const { name, schema, kind } = field;
  const fresh = textOf(field, schema.default);
  const about = [schema.description, kind !== "json" && `Default: ${fresh || "empty"}.`].filter(Boolean).join(" ");
  const input = (event) => onType(event.currentTarget.value);
  const control = {
    choice: () => html`<select value=${text} onChange=${input}>${schema.enum.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select>`,
    switch: () => html`<input type="checkbox" role="switch" checked=${text === "true"} onChange=${(event) => onType(String(event.currentTarget.checked))} />`,
    number: () => html`<input type="number" inputmode="numeric" step="any" value=${text} onInput=${input} />`,
    text: () => html`<input type="text" value=${text} onInput=${input} />`,
    json: () => html`<textarea rows="10" spellcheck=${false} value=${text} onInput=${input}></textarea>`,
  }[kind]();
  return html`
    <div class=${`settings-row ${kind} ${isChanged ? "changed" : ""}`}>
      <${Field} label=${name} hint=${about} error=${fault}>${control}<//>
      ${text !== fresh && html`<button type="button" class="more" onClick=${() => onType(fresh)}
        aria-label=${`Reset ${name} to its default`}>Reset to default</button>`}
    </div>`;
}
