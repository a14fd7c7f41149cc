/** Buttons of the sandbox's clock: freeze and run, forward, to the next event, speed, an instant. */

import { post, put, ofSandbox } from "../api.js";
import { counted, dateOf, instantOf, timeOf } from "../format.js";
import { ErrorMessage, Folded, Instant, html, useId } from "../ui.js";
import { useState } from "../vendor/htm-preact.js";

/** `onMoved` is called when the clock was changed. */
export function ClockControls({ sandbox, clock, onMoved }) {
  const [outcome, setOutcome] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const run = async (call) => {
    setBusy(true);
    try {
      setOutcome({ told: await call() });
      onMoved();
    } catch (error) {
      setOutcome({ error });
    }
    setBusy(false);
  };
  const advance = (body) => run(() => post(ofSandbox(sandbox, "clock", "advance"), body));
  const set = (body) => run(() => put(ofSandbox(sandbox, "clock"), body));
  const isFrozen = clock?.mode === "frozen";
  return html`
    <section class="jobs-clock" aria-label="Clock">
      <div class="jobs-buttons">
        <button type="button" disabled=${!clock || isBusy} onClick=${() => set({ mode: isFrozen ? "system" : "frozen" })}>
          ${isFrozen ? "Run" : "Freeze"}</button>
        <button type="button" disabled=${isBusy} onClick=${() => advance({ by: "PT5M" })}>+5 min</button>
        <button type="button" disabled=${isBusy} onClick=${() => advance({ to: "next-event" })}>Next event</button>
        <button type="button" disabled=${isBusy} onClick=${() => advance({ to: "idle" })}>Run until idle</button>
        <${Setting} label="Advance by" start="PT1H" size="7" button="Advance" isBusy=${isBusy}
          onSend=${(text) => advance({ by: text })} />
        <${Setting} label="Speed ×" start="60" type="number" button="Set speed" isBusy=${isBusy}
          onSend=${(text) => set({ mode: "scaled", factor: Number(text) })} min="0.001" max="86400" step="any" />
        <${Setting} key=${`${sandbox} ${Boolean(clock)}`} label="Instant (UTC)" start=${clock ? instantOf(clock.at()).slice(0, -1) : ""} type="datetime-local" button="Set time"
          isBusy=${isBusy} onSend=${(text) => set({ now: new Date(`${text}Z`).toISOString() })} step="1" />
      </div>
      ${outcome?.error && html`<${ErrorMessage} error=${outcome.error} />`}
      <div role="status">${outcome?.told && html`<${Passed} clock=${outcome.told} />`}</div>
    </section>`;
}

/** A small form of one value; other properties go to its input. */
function Setting({ label, start, button, isBusy, onSend, ...input }) {
  const [text, setText] = useState(start);
  const name = useId("clock");
  return html`
    <form onSubmit=${(event) => { event.preventDefault(); onSend(text); }}>
      <label for=${name}>${label}</label>
      <input id=${name} required ...${input} value=${text} onInput=${(event) => setText(event.currentTarget.value)} />
      <button type="submit" disabled=${isBusy}>${button}</button>
    </form>`;
}

function Passed({ clock: { now, events, unfinished } }) {
  const left = unfinished.length ? ` ${counted(unfinished.length, "job")} never ends.` : "";
  return html`
    <p>It is ${dateOf(now)} ${timeOf(now)}. ${counted(events.length, "event")} passed.${left} <span class="muted">${events.length === 1 ? events[0].says : ""}</span></p>
    ${events.length > 1 && html`
      <${Folded} title="Events" count=${events.length}>
        <ol class="jobs-events">${events.slice(0, 200).map((one, n) => html`
          <li key=${n}><${Instant} at=${one.at} /> ${one.says} <code class="muted">${one.id}</code></li>`)}</ol>
        ${events.length > 200 && html`<p class="muted">… and ${events.length - 200} more</p>`}
      <//>`}`;
}
