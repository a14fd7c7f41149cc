/** One scenario as text: read it, change it, activate it; faults stand beside their lines. */

import { get, getText, ofSandbox, post } from "../api.js";
import { counted } from "../format.js";
import { hrefOf } from "../shell.js";
import { CopyButton, ErrorMessage, Loading, PageHead, download, html, useId, useLoaded } from "../ui.js";
import { useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { draftsOf, keepDraft, nameIn } from "./drafts.js";

const START = `name: my-scenario
summary: What goes wrong.
rules:
  - when: {operation: postJob}
    items: {every: 2}
    then: {fail: {message: The item was rejected.}}
    times: 1
`;
const LINE = 18; // pixels, as in the style
const PAUSE = 300; // milliseconds without a key, before what is typed is validated

export function ScenarioEditor({ sandbox, name, exchange, onDone }) {
  const { data, error, reload } = useLoaded((signal) => textOf(sandbox, name, exchange, signal), [sandbox, name, exchange]);
  if (error) return html`<${ErrorMessage} error=${error} onRetry=${reload} />`;
  if (!data) return html`<${Loading} />`;
  return html`<${Editor} sandbox=${sandbox} name=${name} given=${data} onDone=${onDone} />`;
}

async function textOf(sandbox, name, exchange, signal) {
  if (exchange) return { yaml: await getText(ofSandbox(sandbox, "exchanges", exchange, "as", "scenario"), { signal }) };
  if (!name) return { yaml: START };
  try {
    return await get(ofSandbox(sandbox, "scenarios", name), { signal });
  } catch (error) {
    const draft = draftsOf(sandbox)[name];
    if (error.status !== 404 || draft === undefined) throw error;
    return { yaml: draft };
  }
}

function Editor({ sandbox, name, given, onDone }) {
  const [text, setText] = useState(given.yaml);
  const [failure, setFailure] = useState(null);
  const [isRefused, setRefused] = useState(false); // by activation, not while it is typed
  useEffect(() => {
    if (text === given.yaml) return undefined;
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const { errors } = await post("scenarios/validate", { scenarios: [{ yaml: text }] }, { signal: stop.signal });
        if (errors.length) setFailure({ problem: { errors } });
      } catch { /* without an answer nothing is known; activating tells why */ }
    }, PAUSE);
    return () => { clearTimeout(timer); stop.abort(); };
  }, [text]);
  const activate = async (event) => {
    event.preventDefault();
    try {
      await post(ofSandbox(sandbox, "scenarios"), { scenarios: [{ yaml: text }] });
      if (isOwn) keepDraft(sandbox, nameIn(text), text);
      onDone();
    } catch (error) {
      setFailure(error);
      setRefused(true);
    }
  };
  const isOwn = nameIn(text) && (text !== given.yaml || given.origin === undefined || given.origin === "sandbox");
  const keep = () => {
    keepDraft(sandbox, nameIn(text), text);
    onDone();
  };
  const faults = (failure?.problem?.errors ?? []).map((one) => ({ ...one, pointer: one.pointer.replace("/scenarios/0/yaml", "") || "/" }));
  const about = given.origin && `${{ bundled: "Bundled", file: "From a file", sandbox: "Made in this sandbox" }[given.origin]}${given.active ? ", active" : ""}.`;
  return html`
    <${PageHead} title=${name ? name : "New scenario"}><a href=${hrefOf(sandbox, "scenarios")}>All scenarios</a><//>
    <p class="muted">${about} ${about && "What you change counts in this sandbox alone."}</p>
    ${failure && !faults.length && html`<${ErrorMessage} error=${failure} />`}
    <form onSubmit=${activate}>
      <${Lines} text=${text} faults=${faults} isRefused=${isRefused} onType=${(typed) => { setText(typed); setFailure(null); setRefused(false); }} />
      <div class="scenarios-save">
        <button type="submit" class="primary">${given.active ? "Activate again" : "Activate"}</button>
        <button type="button" disabled=${!isOwn} onClick=${keep}>Keep as a draft</button>
        <${CopyButton} text=${text} />
        <button type="button" onClick=${() => download(`${nameIn(text) || name || "scenario"}.yaml`, text, "application/yaml")}>Download</button>
        <span class="muted">${given.active && "Its counts begin at 0 again. "}Drafts stay in this browser; a download can be served with <code>--scenario FILE</code>.</span>
      </div>
    </form>`;
}

/** A text with the numbers of its lines, and its faults beside them. */
function Lines({ text, faults, isRefused, onType }) {
  const area = useRef(null);
  const name = useId("faults");
  const count = text.split("\n").length;
  const byLine = new Map();
  for (const one of faults) if (one.line) byLine.set(one.line, [...(byLine.get(one.line) ?? []), one]);
  const goTo = (line) => {
    const start = text.split("\n").slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    area.current.focus();
    area.current.setSelectionRange(start, start + text.split("\n")[line - 1].length);
  };
  return html`
    <div class="scenarios-editor">
      <pre class="scenarios-numbers" aria-hidden="true">${Array.from({ length: count }, (_, n) => html`
        <span key=${n} class=${byLine.has(n + 1) ? "bad" : ""}>${n + 1}</span>`)}</pre>
      <textarea ref=${area} aria-label="Scenario in YAML" aria-describedby=${faults.length ? name : null}
        aria-invalid=${faults.length ? "true" : null} wrap="off" spellcheck=${false} autocapitalize="off" rows=${Math.max(count, 8)}
        value=${text} onInput=${(event) => onType(event.currentTarget.value)}></textarea>
      <div class="scenarios-notes" aria-hidden="true">${[...byLine].map(([line, found]) => html`
        <p key=${line} class="bad" style=${{ top: `${(line - 1) * LINE}px` }} title=${found.map((one) => one.detail).join("\n")}>
          ${found.map((one) => one.detail).join(" ")}</p>`)}</div>
    </div>
    <div role=${isRefused ? "alert" : "status"} id=${name}>${faults.length > 0 && html`
      <p class="bad">${counted(faults.length, "fault")}${isRefused && "; nothing was changed"}.</p>
      <ul class="scenarios-faults">${faults.map((one, n) => html`
        <li key=${n}>${one.line && html`<button type="button" class="more" onClick=${() => goTo(one.line)}>Line ${one.line}</button> `}
          <code>${one.pointer}</code> ${one.detail}</li>`)}</ul>`}</div>`;
}
