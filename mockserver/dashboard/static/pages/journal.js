/** The journal: every exchange of the sandbox as it happens, the newest first, and one of them in full. */

import { baseOf, del, get, ofSandbox } from "../api.js";
import { hrefOf, useClock } from "../shell.js";
import { counted, number } from "../format.js";
import {
  CopyButton, Dialog, Empty, ErrorMessage, Instant, Loading, OutcomeBar, PageHead, Told, html, useLoaded,
} from "../ui.js";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/htm-preact.js";
import Exchange from "./exchange.js";
import { Answer } from "./answer.js";
import { FILTERS, NO_FILTER, fits, isFiltered, operationsOf } from "./journal-filters.js";
import { useExchanges } from "./journal-data.js";

const ROW = 29; // pixels, as in journal.css
const LOOK_MS = 500; // how often a running clock is compared with the jobs that are due
const TELL_MS = 3000; // between two words about new exchanges
const BEYOND = 15; // rows that are drawn above and below what is seen

const COLUMNS = [
  ["n", "No.", (one) => one.n],
  ["at", "Time", (one) => html`<${Instant} at=${one.at} />`],
  ["operation", "Operation", (one, href) => html`
    <a href=${href}>${one.operation ?? "no operation"}</a> <span class="path">${one.method} ${one.path}</span>`],
  ["answer", "Answer", (one) => html`<${Answer} exchange=${one} />`],
  ["items", "Outcomes", (one) => html`<${OutcomeBar} ...${one.items} />`],
  ["rules", "Scenario", (one) => one.rules.join(", ")],
  ["violations", "Violations", (one) => (one.violations ? number(one.violations) : "")],
];

export default function Journal({ sandbox, rest: [chosen], query, go }) {
  const journal = useExchanges(sandbox);
  const [filter, setFilter] = useState({ ...NO_FILTER, ...Object.fromEntries(query) });
  useDueJobs(sandbox, journal);
  const left = useRef(0);
  const shown = useMemo(
    () => (isFiltered(filter) ? (journal.entries ?? []).filter((one) => fits(one, filter)) : journal.entries),
    [journal.entries, journal.version, filter],
  );
  const isOpen = chosen !== undefined;
  useLayoutEffect(() => {
    if (isOpen) scrollTo(0, 0);
    else scrollTo(0, left.current);
  }, [isOpen]);
  const open = useCallback((n) => { left.current = scrollY; go(n); }, [go]);
  const choose = useCallback((next) => {
    setFilter(next);
    const words = new URLSearchParams(Object.entries(next).filter(([, value]) => value)).toString();
    history.replaceState(null, "", hrefOf(sandbox, "journal") + (words && `?${words}`));
  }, [sandbox]);
  if (journal.error) return html`<${ErrorMessage} error=${journal.error} onRetry=${journal.reload} />`;
  if (!journal.entries) return html`<${Loading} />`;
  return html`
    ${isOpen && html`<${Exchange} key=${chosen} sandbox=${sandbox} n=${Number(chosen)} last=${journal.last} update=${journal.find(Number(chosen))} />`}
    <div hidden=${isOpen}>
      <${PageHead} title="Journal">
        <${Shown} shown=${shown.length} all=${journal.entries.length} isComplete=${journal.isComplete} />
        <${Clear} sandbox=${sandbox} isEmpty=${!journal.entries.length} onCleared=${journal.reload} />
      <//>
      ${journal.entries.length > 0 && html`<${Filters} filter=${filter} onChange=${choose} operations=${operationsOf(journal.entries)} />`}
      ${shown.length > 0 && !isOpen && html`<${Rows} sandbox=${sandbox} entries=${shown} onOpen=${open} />`}
      ${shown.length === 0 && (journal.entries.length
        ? html`<${Empty} title="No exchange fits."><button type="button" onClick=${() => choose(NO_FILTER)}>Show all<//><//>`
        : html`<${Nothing} sandbox=${sandbox} />`)}
    </div>`;
}

/** Have the jobs run that are due on a running clock: nothing else would, and their rows wait for them. */
function useDueJobs(sandbox, { entries, version }) {
  const clock = useClock();
  const next = useMemo(() => Math.min(...(entries ?? []).filter((one) => one.due).map((one) => Date.parse(one.due))), [entries, version]);
  useEffect(() => {
    if (!clock || clock.mode === "frozen" || !Number.isFinite(next)) return undefined;
    const timer = setInterval(() => { if (clock.at() >= next) get(ofSandbox(sandbox, "entities")).catch(() => {}); }, LOOK_MS);
    return () => clearInterval(timer);
  }, [sandbox, clock, next]);
}

/** What an empty journal says: where requests are to be sent. */
function Nothing({ sandbox }) {
  const { data } = useLoaded((signal) => get("apis", { signal }), []);
  return html`
    <${Empty} title="Nothing has been asked of this sandbox yet.">
      <p><a href=${`${hrefOf(sandbox, "contract")}?first`}>Send a batch of 10 with 2 bad items</a></p>
      <p>or a request of your own to one of the APIs: it is shown here at once.</p>
      ${data && html`
        <dl class="journal-apis">
          ${data.apis.map(({ name, mount }) => {
            const address = baseOf(sandbox) + mount.replace(/\/$/, "");
            return html`<div key=${name}><dt>${name}</dt><dd><code>${address}</code> <${CopyButton} text=${address} name=${`Copy the address of ${name}`} /></dd></div>`;
          })}
        </dl>`}
    <//>`;
}

function Shown({ shown, all, isComplete }) {
  const text = shown === all ? counted(all, "exchange") : `${number(shown)} of ${counted(all, "exchange")}`;
  return html`<span class="count">${text}${isComplete ? "" : "…"}</span>`;
}

function Clear({ sandbox, isEmpty, onCleared }) {
  const [isAsking, setAsking] = useState(false);
  const [error, setError] = useState(null);
  const clear = async () => {
    try {
      await del(ofSandbox(sandbox, "exchanges"));
      setAsking(false);
      onCleared();
    } catch (caught) {
      setError(caught);
    }
  };
  return html`
    <button type="button" disabled=${isEmpty} onClick=${() => setAsking(true)}>Clear</button>
    ${isAsking && html`
      <${Dialog} title="Clear the journal?" onClose=${() => setAsking(false)}>
        <p>Its exchanges are forgotten, and the verdict judges what comes afterwards. Records and jobs stay.</p>
        <${ErrorMessage} error=${error} />
        <div class="actions"><button type="button" class="danger" onClick=${clear}>Clear the journal</button></div>
      <//>`}`;
}

function Filters({ filter, onChange, operations }) {
  const set = (name) => (event) => onChange({ ...filter, [name]: event.currentTarget.value });
  return html`
    <form class="journal-filters" role="search" aria-label="Filter the journal" onSubmit=${(event) => event.preventDefault()}>
      <input type="search" aria-label="Text" placeholder="Path, operation, scenario, client…" value=${filter.text} onInput=${set("text")} />
      <select aria-label="Operation" value=${filter.operation} onChange=${set("operation")}>
        <option value="">Any operation</option>
        ${operations.map((name) => html`<option key=${name} value=${name} selected=${name === filter.operation}>${name}</option>`)}
      </select>
      ${FILTERS.map(({ name, label, choices }) => html`
        <select key=${name} aria-label=${label} value=${filter[name]} onChange=${set(name)}>
          ${choices.map(([value, text]) => html`<option key=${value} value=${value} selected=${value === filter[name]}>${text}</option>`)}
        </select>`)}
      ${isFiltered(filter) && html`<button type="button" class="quiet" onClick=${() => onChange(NO_FILTER)}>Show all</button>`}
    </form>`;
}

/** The rows that are seen, and some beyond; the page is as high as if all were there. Entries are oldest first. */
function Rows({ sandbox, entries, onOpen }) {
  const body = useRef(null);
  const [seen, setSeen] = useState({ from: 0, to: 40 });
  const count = entries.length;
  const newest = entries[count - 1].n;
  const before = useRef(newest);
  useEffect(() => {
    const look = () => {
      const from = Math.max(0, Math.floor(-body.current.getBoundingClientRect().top / ROW) - BEYOND);
      const to = from + Math.ceil(innerHeight / ROW) + 2 * BEYOND;
      setSeen((old) => (old.from === from && old.to === to ? old : { from, to }));
    };
    look();
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => { removeEventListener("scroll", look); removeEventListener("resize", look); };
  }, []);
  useLayoutEffect(() => {
    let added = 0; // rows, of those that fit the filter
    while (added < count && entries[count - 1 - added].n > before.current) added += 1;
    before.current = newest;
    const isRead = added > 0 && added < count && body.current.getBoundingClientRect().top < 0;
    if (isRead) scrollBy(0, added * ROW); // what is read stays in place
  }, [newest]);
  const from = Math.min(seen.from, Math.max(0, count - 1));
  const rows = entries.slice(Math.max(0, count - seen.to), count - from).reverse();
  const move = (event) => {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const link = step && event.target.closest("tr")?.[step]?.querySelector("a");
    if (!link) return;
    event.preventDefault();
    link.focus();
  };
  return html`
    <table class="journal" aria-rowcount=${count + 1}>
      <caption class="hidden">Exchanges, the newest first</caption>
      <thead><tr aria-rowindex="1">${COLUMNS.map(([name, title]) => html`<th key=${name} scope="col" class=${name}>${title}</th>`)}</tr></thead>
      <tbody ref=${body} onKeyDown=${move}>
        ${from > 0 && html`<tr key="above" aria-hidden="true" style=${{ height: `${from * ROW}px` }}><td colspan=${COLUMNS.length}></td></tr>`}
        ${rows.map((one, place) => html`
          <${Row} key=${one.n} exchange=${one} index=${from + place + 2} href=${hrefOf(sandbox, "journal", one.n)} onOpen=${onOpen} />`)}
        ${count > seen.to && html`
          <tr key="below" aria-hidden="true" style=${{ height: `${(count - seen.to) * ROW}px` }}><td colspan=${COLUMNS.length}></td></tr>`}
      </tbody>
    </table>
    <${Newest} n=${newest} />`;
}

/** Tells screen readers of new exchanges, not of each one while many come. */
function Newest({ n }) {
  const [told, setTold] = useState(n);
  const latest = useRef(n);
  latest.current = n;
  useEffect(() => {
    const timer = setInterval(() => setTold(latest.current), TELL_MS);
    return () => clearInterval(timer);
  }, []);
  return html`<${Told}>${`Exchange ${told} is the newest.`}<//>`;
}

function Row({ exchange, index, href, onOpen }) {
  const open = (event) => {
    if (event.ctrlKey || event.metaKey || getSelection().toString()) return;
    event.preventDefault();
    onOpen(exchange.n);
  };
  return html`
    <tr class="opens" aria-rowindex=${index} onClick=${open}>
      ${COLUMNS.map(([name, , render]) => html`<td key=${name} class=${name}>${render(exchange, href)}</td>`)}
    </tr>`;
}
