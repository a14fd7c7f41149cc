/** The verdict: what the clients of the sandbox did against the laws of client conduct, judged from its journal. */

import { get, getText, ofSandbox } from "../api.js";
import { counted } from "../format.js";
import { hrefOf, useLive } from "../shell.js";
import {
  Empty, ErrorMessage, Folded, Instant, Loading, PageHead, Table, Told, download, html, useLoaded,
} from "../ui.js";
import { useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { Answer } from "./answer.js";

const PAUSE_MS = 400; // after an exchange, before the verdict is asked for again
const SHARE = 10; // the pause is so many times as long as the last verdict took, so that clients are served meanwhile
const SHOWN = 12; // exchanges that are shown of a law's evidence
const FORMATS = [["html", "HTML", "text/html"], ["junit", "JUnit", "application/xml"], ["sarif", "SARIF", "application/sarif+json"]];

export default function Verdict({ sandbox }) {
  const { verdict, error, reload } = useVerdict(sandbox);
  if (error) return html`<${ErrorMessage} error=${error} onRetry=${reload} />`;
  if (!verdict) return html`<${Loading} label="Judging" />`;
  const of = (status) => verdict.laws.filter((one) => one.status === status);
  const [failed, passed, notRun] = [of("failed"), of("passed"), of("not-run")];
  const summary = `${counted(failed.length, "law")} failed, ${passed.length} passed, ${notRun.length} not run`;
  return html`
    <${PageHead} title="Verdict">
      <span class="verdict-counts" aria-hidden="true">
        <span class=${failed.length ? "bad" : "muted"}>${failed.length} failed</span>
        <span class=${passed.length ? "good" : "muted"}>${passed.length} passed</span>
        <span class="muted">${notRun.length} not run</span>
      </span>
      <button type="button" onClick=${reload}>Judge again</button>
      <span role="group" aria-label="Save as" class="verdict-forms">
        <span class="muted" aria-hidden="true">Save as</span>
        ${FORMATS.map(([format, label, type]) => html`
          <${SaveAs} key=${format} sandbox=${sandbox} format=${format} label=${label} type=${type} />`)}
      </span>
    <//>
    <${Told}>${summary}<//>
    ${!failed.length && !passed.length && html`
      <${Empty} title="No law has been exercised yet.">
        <p>Let a client send requests to this sandbox: what it does is judged as it happens.</p><//>`}
    ${failed.length > 0 && html`<${Failed} sandbox=${sandbox} laws=${failed} />`}
    ${passed.length > 0 && html`
      <section class="verdict-part"><h2>Passed</h2><${Laws} caption="Laws that passed" laws=${passed} sandbox=${sandbox} /></section>`}
    ${notRun.length > 0 && html`
      <${Folded} title="Not run" count=${notRun.length}><${Laws} caption="Laws that were not run" laws=${notRun} sandbox=${sandbox} /><//>`}`;
}

const JUDGED = new Set(["exchange", "update", "reset", "journal", "reconnected"]); // events after which it may be another

/** The verdict, judged again a moment after something happened; the last one stays meanwhile. */
function useVerdict(sandbox) {
  const took = useRef(0);
  const timer = useRef(0);
  const { data, error, reload } = useLoaded(async (signal) => {
    const begun = performance.now();
    const found = await get(ofSandbox(sandbox, "verdict"), { signal });
    took.current = performance.now() - begun;
    return found;
  }, [sandbox]);
  useLive((events) => {
    if (timer.current || !events.some((one) => JUDGED.has(one.name))) return;
    timer.current = setTimeout(() => { timer.current = 0; reload(); }, Math.max(PAUSE_MS, SHARE * took.current));
  });
  useEffect(() => () => clearTimeout(timer.current), []);
  return { verdict: data, error, reload };
}

/** The laws that failed: what a client must do, what it did, and the exchanges that show it. */
function Failed({ sandbox, laws }) {
  const numbers = [...new Set(laws.flatMap((one) => one.evidence.slice(0, SHOWN)))];
  const exchanges = useEvidence(sandbox, numbers);
  return html`
    <section class="verdict-part" aria-label="Laws that failed">
      <h2>Failed</h2>
      ${laws.map((one) => html`
        <article key=${`${one.api} ${one.id}`} class="verdict-law" aria-label=${one.id}>
          <div>
            <h3><code>${one.id}</code> <span class="muted">${one.api === "any" ? "" : one.api}</span></h3>
            <p>${one.says}</p>
            <p class="bad">${one.detail}</p>
          </div>
          <${Evidence} sandbox=${sandbox} numbers=${one.evidence} exchanges=${exchanges} />
        </article>`)}
    </section>`;
}

/** The exchanges of these numbers as the journal lists them, by number; those that were forgotten are missing. */
function useEvidence(sandbox, numbers) {
  const { data } = useLoaded(async (signal) => {
    const pages = await Promise.all(
      numbers.map((n) => get(`${ofSandbox(sandbox, "exchanges")}?after=${n - 1}&limit=1`, { signal })),
    );
    return new Map(pages.flatMap((page) => page.exchanges).map((one) => [one.n, one]));
  }, [sandbox, numbers.join()]);
  return data ?? new Map();
}

function Evidence({ sandbox, numbers, exchanges }) {
  return html`
    <ul class="verdict-evidence">
      ${numbers.slice(0, SHOWN).map((n) => {
        const one = exchanges.get(n);
        return html`
          <li key=${n}>
            <a href=${hrefOf(sandbox, "journal", n)}>Exchange ${n}</a>
            ${one && html`<${Instant} at=${one.at} dated />
              <span class="operation">${one.operation ?? `${one.method} ${one.path}`}</span><span><${Answer} exchange=${one} /></span>`}
          </li>`;
      })}
      ${numbers.length > SHOWN && html`<li class="muted">and ${numbers.length - SHOWN} more</li>`}
    </ul>`;
}

function Laws({ caption, laws, sandbox }) {
  const columns = [
    { title: "Law", render: (one) => html`<code>${one.id}</code>` },
    { title: "API", render: (one) => (one.api === "any" ? "" : one.api) },
    { title: "What a client must do", wide: true, render: (one) => one.says },
    { title: "What was observed", wide: true, render: (one) => html`${one.detail}${one.evidence.slice(0, SHOWN).map((n) => html`
      ${" "}<a key=${n} href=${hrefOf(sandbox, "journal", n)}>${n}</a>`)}` },
  ];
  return html`<${Table} caption=${caption} columns=${columns} rows=${laws} rowKey=${(one) => `${one.api} ${one.id}`} />`;
}

function SaveAs({ sandbox, format, label, type }) {
  const [error, setError] = useState(null);
  const save = async () => {
    try {
      const text = await getText(`${ofSandbox(sandbox, "verdict")}?format=${format}`);
      download(`verdict-${sandbox}.${format === "junit" ? "xml" : format}`, text, type);
      setError(null);
    } catch (caught) {
      setError(caught);
    }
  };
  return html`<button type="button" aria-label=${`Save as ${label}`} title=${error?.message ?? `Save as ${label}`} onClick=${save}>${label}</button>`;
}
