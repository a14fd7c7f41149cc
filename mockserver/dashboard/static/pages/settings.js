/** The settings of a sandbox as a form that their JSON Schema makes: only what was changed is sent. */

import { get, ofSandbox, patch } from "../api.js";
import { counted } from "../format.js";
import { useLive } from "../shell.js";
import { ErrorMessage, Field, Loading, PageHead, coded, html, useLoaded } from "../ui.js";
import { useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { difference, fieldsOf, namesOf, pointerOf, putInto, textOf, valueOf } from "./settings-fields.js";

const CHANGES = new Set(["reset", "settings", "reconnected"]);
const NO_EDITS = { texts: {}, added: {}, removed: [] }; // what was typed, by pointer; entries of maps

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
  const [edits, setEdits] = useState(NO_EDITS);
  const [outcome, setOutcome] = useState({});
  const fields = fieldsOf({ schema, value: settings, edits });
  const changed = fields.filter((one) => one.isNew || (one.pointer in edits.texts && edits.texts[one.pointer] !== textOf(one, one.value)));
  const count = changed.filter((one) => !one.isNew).length + new Set(changed.filter((one) => one.isNew).map((one) => `${one.map}/${one.entry}`)).size
    + edits.removed.length;
  const edit = (changes) => { setEdits({ ...edits, ...changes }); setOutcome({}); };
  const save = async (event) => {
    event.preventDefault();
    const { body, unread } = patchOf(changed, edits, fields);
    if (Object.keys(unread).length) { setOutcome({ unread }); return; }
    try {
      await patch(ofSandbox(sandbox, "settings"), body);
      setEdits(NO_EDITS);
      setOutcome({ told: `Saved ${counted(count, "setting")}.` });
      onSaved();
    } catch (error) {
      setOutcome({ error });
    }
  };
  const faults = outcome.error?.problem?.errors ?? [];
  const faultAt = ({ pointer, kind }) => outcome.unread?.[pointer]
    ?? faults.filter((one) => one.pointer === pointer || (kind === "json" && one.pointer.startsWith(`${pointer}/`)))
      .map((one) => (one.pointer === pointer ? one.detail : `${one.pointer}: ${one.detail}`)).join(" ");
  const row = (one) => html`
    <${Setting} key=${one.pointer} field=${one} fault=${faultAt(one)} isChanged=${changed.includes(one)}
      text=${edits.texts[one.pointer] ?? textOf(one, one.value)}
      onType=${(text) => edit({ texts: { ...edits.texts, [one.pointer]: text } })} />`;
  const own = fields.filter((one) => !one.map);
  const groups = [...new Set(own.map((one) => one.group))];
  return html`
    <${PageHead} title=${`Settings of ${sandbox}`}><a href=${back}>All sandboxes</a><//>
    ${outcome.error && !fields.some(faultAt) && html`<${ErrorMessage} error=${outcome.error} />`}
    <form class="settings" onSubmit=${save} novalidate>
      ${groups.map((group) => html`
        <fieldset key=${group}>
          <legend>${group || "general"}</legend>
          ${own.filter((one) => one.group === group).map((one) => (one.kind === "map"
            ? html`<${MapSetting} key=${one.pointer} map=${one} fields=${fields.filter((other) => other.map === one.pointer)} row=${row}
                changed=${changed} fault=${faultAt(one)} edits=${edits} onEdit=${edit} hasFault=${(other) => Boolean(faultAt(other))} />`
            : row(one)))}
        </fieldset>`)}
      <div class="settings-save">
        <button type="submit" class="primary" disabled=${!count}>Save</button>
        ${count > 0 && html`<button type="button" onClick=${() => { setEdits(NO_EDITS); setOutcome({}); }}>Discard</button>`}
        <span role="status">${count ? `${counted(count, "change")}, not saved` : outcome.told}</span>
      </div>
    </form>`;
}

/** The JSON Merge Patch of what was changed, and what cannot be read, by pointer. */
function patchOf(changed, { texts, removed }, fields) {
  const [body, unread] = [{}, {}];
  for (const one of fields.filter((other) => other.kind === "map")) {
    for (const name of Object.keys(one.value ?? {})) {
      if (removed.includes(pointerOf([...one.path, name]))) putInto(body, [...one.path, name], null);
    }
  }
  for (const one of changed) {
    try {
      const value = valueOf(one, texts[one.pointer] ?? textOf(one, one.value));
      putInto(body, one.path, one.isNew ? value : difference(one.value, value));
    } catch {
      unread[one.pointer] = "This is no JSON.";
    }
  }
  return { body, unread };
}

/** A map: an entry for each name, folded away, with its fields; entries are added, and removed but for those of a fresh sandbox. */
function MapSetting({ map, fields, row, changed, fault, edits, onEdit, hasFault }) {
  const [name, setName] = useState("");
  const [error, setError] = useState("");
  const box = useRef(null);
  useEffect(() => { if (error) box.current.scrollIntoView({ block: "nearest" }); }, [error]);
  const names = namesOf(map, edits);
  const added = edits.added[map.pointer] ?? [];
  const add = () => {
    if (!name.trim()) { setError("Give it a name."); return; }
    if (names.includes(name)) { setError("There is an entry of this name."); return; }
    onEdit({
      added: { ...edits.added, [map.pointer]: [...added, name] },
      removed: edits.removed.filter((one) => one !== pointerOf([...map.path, name])),
    });
    setName("");
    setError("");
  };
  const remove = (gone) => onEdit(added.includes(gone)
    ? { added: { ...edits.added, [map.pointer]: added.filter((one) => one !== gone) } }
    : { removed: [...edits.removed, pointerOf([...map.path, gone])] });
  const onKey = (event) => { if (event.key === "Enter") { event.preventDefault(); add(); } };
  return html`
    <div class="settings-map" role="group" aria-label=${map.name}>
      <p class="settings-map-head"><code>${map.name}</code> <span class="muted">${coded(map.schema.description ?? "")}</span></p>
      ${fault && html`<p class="field-error" role="alert">${fault}</p>`}
      ${names.map((one) => {
        const own = fields.filter((field) => field.entry === one);
        const isChanged = own.some((field) => changed.includes(field));
        return html`
          <div key=${one} class="settings-entry">
            <details open=${added.includes(one) || own.some(hasFault)}>
              <summary><code>${one}</code>${isChanged && html` <span class="muted">${added.includes(one) ? "new" : "changed"}</span>`}</summary>
              ${own.map(row)}
            </details>
            ${!(one in (map.fresh ?? {})) && html`
              <button type="button" class="more" aria-label=${`Remove ${one}`} onClick=${() => remove(one)}>Remove</button>`}
          </div>`;
      })}
      <div class="settings-add" ref=${box}>
        <${Field} label=${`New entry of ${map.name}`} error=${error}>
          <input type="text" value=${name} autocomplete="off" onInput=${(event) => { setName(event.currentTarget.value); setError(""); }} onKeyDown=${onKey} />
        <//>
        <button type="button" onClick=${add}>Add</button>
      </div>
    </div>`;
}

function Setting({ field, text, fault, isChanged, onType }) {
  const { name, schema, kind } = field;
  const fresh = field.fresh === undefined ? undefined : textOf(field, field.fresh);
  const isTold = fresh !== undefined && kind !== "json" && (schema.description || text !== fresh);
  const about = [schema.description, isTold && `Default: ${fresh || "empty"}.`].filter(Boolean).join(" ");
  const input = (event) => onType(event.currentTarget.value);
  const control = {
    choice: () => html`<select value=${text} onChange=${input}>${schema.enum.map((one) => html`<option key=${one} value=${one}>${one === "" ? "(empty)" : one}</option>`)}</select>`,
    switch: () => html`<input type="checkbox" role="switch" checked=${text === "true"} onChange=${(event) => onType(String(event.currentTarget.checked))} />`,
    number: () => html`<input type="number" inputmode="numeric" step="any" value=${text} onInput=${input} />`,
    text: () => html`<input type="text" value=${text} onInput=${input} />`,
    json: () => html`<textarea rows="10" spellcheck=${false} value=${text} onInput=${input}></textarea>`,
  }[kind]();
  return html`
    <div class=${`settings-row ${kind} ${isChanged ? "changed" : ""}`}>
      <${Field} label=${name} hint=${about && coded(about)} error=${fault}>${control}<//>
      ${fresh !== undefined && text !== fresh && html`<button type="button" class="more" onClick=${() => onType(fresh)}
        aria-label=${`Reset ${name} to its default`}>Reset to default</button>`}
    </div>`;
}
