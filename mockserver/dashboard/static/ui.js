/** What all pages are made of: tables, badges, bars, dialogs, tabs, code, fields, errors. */

import { counted, dateOf, timeOf } from "./format.js";
import {
  html, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState,
} from "./vendor/htm-preact.js";

export { html } from "./vendor/htm-preact.js";
export { Code, coded } from "./code.js";

let ids = 0;

/** An id that no other element has, for labels. */
export const useId = (prefix = "id") => useMemo(() => `${prefix}-${(ids += 1)}`, []);

/**
 * Load something, again when `inputs` change or `reload` is called; what was loaded stays until the next is there.
 * @param {(signal: AbortSignal) => Promise<any>} load
 * @returns {{data: any, error: Error|null, isLoading: boolean, reload: () => void}}
 */
export function useLoaded(load, inputs) {
  const [state, setState] = useState({ data: null, error: null, isLoading: true });
  const [round, setRound] = useState(0);
  useEffect(() => {
    const ended = new AbortController();
    const settle = (found) => { if (!ended.signal.aborted) setState({ isLoading: false, ...found }); };
    setState((before) => ({ ...before, isLoading: true }));
    load(ended.signal).then((data) => settle({ data, error: null }), (error) => settle({ data: null, error }));
    return () => ended.abort();
  }, [...inputs, round]);
  const reload = useCallback(() => setRound((count) => count + 1), []);
  return { ...state, reload };
}

/** The heading of a page, with what it offers at its right. */
export const PageHead = ({ title, children }) => html`
  <div class="page-head"><h1>${title}</h1><div class="tools">${children}</div></div>`;

/** What is shown while something is read. */
export const Loading = ({ label = "Loading" }) => html`<p class="loading" role="status">${label}…</p>`;

/** What is shown where there is nothing: why, and what to do. */
export const Empty = ({ title, children }) => html`
  <div class="empty"><p class="title">${title}</p>${children && html`<div>${children}</div>`}</div>`;

/** An error in words, with the places that a problem document names, and a way to try again. */
export function ErrorMessage({ error, onRetry }) {
  if (!error) return null;
  const places = error.problem?.errors ?? [];
  return html`
    <div class="error" role="alert">
      <p>${error.message || String(error)}</p>
      ${places.length > 0 && html`<ul>${places.map((one, n) => html`
        <li key=${n}><code>${one.pointer || "/"}</code> ${one.detail}</li>`)}</ul>`}
      ${onRetry && html`<button type="button" onClick=${onRetry}>Try again</button>`}
    </div>`;
}

/** A word with a colour: `kind` is good, bad, warn, idle or plain. */
export const Badge = ({ kind = "plain", title, children }) => html`
  <span class=${`badge ${kind}`} title=${title}>${children}</span>`;

const STATUS_KINDS = { 1: "idle", 2: "good", 3: "idle", 4: "warn", 5: "bad" };

/** The status of a response, coloured by its class. */
export const StatusBadge = ({ status }) => html`
  <span class=${`status ${STATUS_KINDS[Math.floor(status / 100)] ?? "plain"}`}>${status}</span>`;

const RESULTS = { passed: "good", failed: "bad", done: "good", "not-run": "idle", waiting: "plain" };

/** A result as a badge: `passed`, `done`, `failed`, `not-run`. */
export const ResultBadge = ({ result }) => html`
  <${Badge} kind=${RESULTS[result] ?? "plain"}>${result === "not-run" ? "not run" : result}<//>`;

/** The outcomes of items as a bar with its numbers; nothing where there are no items. */
export function OutcomeBar({ done = 0, failed = 0, notRun = 0, waiting = 0 }) {
  const all = done + failed + notRun + waiting;
  if (!all) return null;
  const parts = [["done", done, "done"], ["failed", failed, "failed"], ["not-run", notRun, "not run"], ["waiting", waiting, "waiting for their job"]]
    .filter(([, count]) => count);
  return html`
    <span class="outcomes" title=${parts.map(([, count, word]) => `${count} ${word}`).join(", ")}>
      <span class="bar" aria-hidden="true">
        ${parts.map(([name, count]) => html`<i key=${name} class=${name} style=${{ flexGrow: count }}></i>`)}
      </span>
      <span class="numbers">
        ${parts.map(([name, count, word]) => html`
          <span key=${name} class=${name}>${count}<span class="hidden"> ${word}</span></span>`)}
      </span>
    </span>`;
}

/** An instant of the sandbox's clock: its time, the date in front with `dated`. */
export const Instant = ({ at, dated = false }) => at ? html`
  <time class="instant" datetime=${at} title=${at}>${dated && `${dateOf(at)} `}${timeOf(at)}</time>` : "–";

/**
 * A table. `columns` are `{title, render(row, n), align?: "end", wide?: true, hidden?: true}`; `hidden` hides the title
 * from the eye. With `onOpen(row)` a row opens by a click; give one column a button or link for the keyboard.
 */
export function Table({ caption, columns, rows, rowKey, onOpen, isCurrent, empty = null }) {
  if (!rows.length && empty) return empty;
  const open = onOpen && ((event, row) => { if (!event.target.closest("a, button, input, select, label")) onOpen(row); });
  return html`
    <div class="table" tabindex="0" role="group" aria-label=${caption}>
      <table>
        <caption class="hidden">${caption}</caption>
        <thead><tr>${columns.map((one, n) => html`
          <th key=${n} scope="col" class=${classOf(one)}><span class=${one.hidden ? "hidden" : ""}>${one.title}</span></th>`)}
        </tr></thead>
        <tbody>${rows.map((row, n) => html`
          <tr key=${rowKey ? rowKey(row, n) : n} class=${open ? "opens" : ""} onClick=${open && ((event) => open(event, row))}
            aria-current=${isCurrent?.(row) ? "true" : null}>
            ${columns.map((one, place) => html`
              <td key=${place} class=${classOf(one)} data-title=${one.wide ? one.title : null}>${one.render(row, n)}</td>`)}
          </tr>`)}
        </tbody>
      </table>
    </div>`;
}

const classOf = ({ align, wide }) => [align, wide && "wide"].filter(Boolean).join(" ");

/** A modal dialog; Escape and its button close it. What had the focus gets it back. */
export function Dialog({ title, onClose, isWide = false, children }) {
  const box = useRef(null);
  const label = useId("dialog");
  useLayoutEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    return () => before?.focus?.();
  }, []);
  return html`
    <dialog ref=${box} class=${isWide ? "wide" : ""} aria-labelledby=${label}
      onCancel=${(event) => { event.preventDefault(); onClose(); }}>
      <div class="dialog-head">
        <h2 id=${label}>${title}</h2>
        <button type="button" class="quiet" aria-label="Close" onClick=${onClose}>✕</button>
      </div>
      ${children}
    </dialog>`;
}

/** Tabs: `tabs` are `{id, title, content}`, the content a function that is called for the open one. */
export function Tabs({ label, tabs, chosen, onChoose }) {
  const [own, setOwn] = useState(tabs[0]?.id);
  const name = useId("tabs");
  const list = useRef(null);
  const open = tabs.find((one) => one.id === (chosen ?? own)) ?? tabs[0];
  const choose = (id) => { setOwn(id); onChoose?.(id); };
  const move = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = (tabs.indexOf(open) + step + tabs.length) % tabs.length;
    choose(tabs[next].id);
    list.current.children[next].focus();
  };
  return html`
    <div class="tabs">
      <div class="tab-list" role="tablist" aria-label=${label} ref=${list} onKeyDown=${move}>
        ${tabs.map((one) => html`
          <button key=${one.id} type="button" role="tab" id=${`${name}-${one.id}`} aria-selected=${String(one === open)}
            aria-controls=${`${name}-panel`} tabindex=${one === open ? 0 : -1} onClick=${() => choose(one.id)}>
            ${one.title}
          </button>`)}
      </div>
      <div role="tabpanel" id=${`${name}-panel`} aria-labelledby=${`${name}-${open.id}`} tabindex="0">${open.content()}</div>
    </div>`;
}

/** A button that copies `text`, or what `load()` resolves to; `name` is what screen readers call it. */
export function CopyButton({ text, load, label = "Copy", name = label }) {
  const [told, setTold] = useState("");
  useEffect(() => {
    if (!told) return undefined;
    const timer = setTimeout(() => setTold(""), 2000);
    return () => clearTimeout(timer);
  }, [told]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(load ? await load() : text);
      setTold("Copied");
    } catch (error) {
      setTold(error.name === "ApiError" ? error.message : "The browser does not allow to copy.");
    }
  };
  return html`
    <span class="copy">
      <button type="button" aria-label=${name} onClick=${copy}>${told === "Copied" ? "Copied" : label}</button><span class=${told === "Copied" ? "hidden" : "told"} role="status">${told}</span>
    </span>`;
}

/** Give a text to the browser as a file to save. */
export function download(name, text, type = "text/plain") {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** A labelled control with a hint and an error; its child is the control, which gets id and description. */
export function Field({ label, hint, error, children }) {
  const name = useId("field");
  const about = [hint && `${name}-hint`, error && `${name}-error`].filter(Boolean).join(" ");
  const control = Array.isArray(children) ? children[0] : children;
  Object.assign(control.props, {
    id: name, "aria-describedby": about || null, "aria-invalid": error ? "true" : null,
  });
  return html`
    <div class="field">
      <label for=${name}>${label}</label>
      ${control}
      ${hint && html`<p class="hint" id=${`${name}-hint`}>${hint}</p>`}
      ${error && html`<p class="field-error" id=${`${name}-error`}>${error}</p>`}
    </div>`;
}

/** A part that is folded away until it is opened: what is in it, and how many. */
export const Folded = ({ title, count, isOpen = false, children }) => html`
  <details class="folded" open=${isOpen}>
    <summary>${title}${count !== undefined && html` <span class="count">${count}</span>`}</summary>
    ${children}
  </details>`;

/** A sentence that screen readers tell when it changes. */
export const Told = ({ children }) => html`<p class="hidden" aria-live="polite">${children}</p>`;

/** The number of something, for headings: `3 exchanges`. */
export const Count = ({ count, noun, several }) => html`<span class="count">${counted(count, noun, several)}</span>`;
