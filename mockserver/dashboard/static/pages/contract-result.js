/** What became of a request that was tried: the response, the outcome of each item, its job, its exchange. */

import { baseOf, get, ofSandbox, post } from "../api.js";
import { counted, dateOf, timeOf } from "../format.js";
import { hrefOf, useLive } from "../shell.js";
import { Code, ErrorMessage, OutcomeBar, ResultBadge, StatusBadge, Table, html } from "../ui.js";
import { useEffect, useRef, useState } from "../vendor/htm-preact.js";

const WAIT_MS = 3000; // for the journal to tell of the exchange
const MOST_SHOWN = 200_000; // characters of a body
const FORBIDDEN = /^(cookie|host|content-length|connection)$/i; // fields that browsers do not let a page send

/** The URL, header fields and body of a draft. Raises Error for a line that is no field. */
export function requestOf(sandbox, { path, headers, body }) {
  const fields = headers.split("\n").filter((one) => one.trim()).map((line) => {
    const [, name, value] = /^\s*([^\s:]+)\s*:(.*)$/.exec(line) ?? [];
    if (!name) throw new Error(`“${line}” is no header field: write “Name: value”.`);
    return [name, value.trim()];
  });
  return { url: `${baseOf(sandbox)}${path}`, headers: fields, body };
}

/** Sends requests to the mocked API, and finds them in the journal. */
export function useSender(sandbox, api, operation) {
  const [state, setState] = useState({ isSending: false, result: null, error: null });
  const [follow, setFollow] = useState({ isRunning: false, result: null, error: null });
  const waiting = useRef(new Set());
  useLive((events) => {
    for (const { name, data } of events) {
      if (name === "exchange") waiting.current.forEach((one) => one(data));
    }
  });
  const sent = async (draft, made) => {
    const exchange = awaited(waiting.current, draft);
    const answer = await answerOf(sandbox, draft);
    const line = await exchange;
    const whole = line && await get(ofSandbox(sandbox, "exchanges", line.n)).catch(() => null);
    const jobs = answer.status < 400 && operation.node["x-bulk"]?.job ? await jobsOf(sandbox, answer.text) : [];
    return { ...answer, draft, made, n: line?.n ?? null, outcomes: whole?.items ?? [], jobs };
  };
  const send = async (draft, made) => {
    setState({ isSending: true, result: null, error: null });
    setFollow({ isRunning: false, result: null, error: null });
    try {
      setState({ isSending: false, error: null, result: await sent(draft, made) });
    } catch (error) {
      setState({ isSending: false, error, result: null });
    }
  };
  const poll = async (job) => {
    setFollow({ isRunning: true, result: null, error: null });
    try {
      await post(ofSandbox(sandbox, "clock", "advance"), { to: "idle" });
      const wish = pollOf(api, operation, state.result.draft, job);
      const made = wish && await post(ofSandbox(sandbox, "requests"), wish);
      const headers = made && Object.entries(made.headers).map(([name, value]) => `${name}: ${value}`).join("\n");
      const result = made ? await sent({ ...made, headers }, made) : {};
      const [ended] = (await jobsOf(sandbox, job.id)).filter((one) => one.id === job.id);
      const { n } = state.result;
      const whole = n && await get(ofSandbox(sandbox, "exchanges", n)).catch(() => null);
      const jobs = state.result.jobs.map((one) => (one.id === ended?.id ? ended : one));
      setState((before) => ({ ...before, result: { ...before.result, jobs, outcomes: whole?.items ?? before.result.outcomes } }));
      setFollow({ isRunning: false, error: null, result: { ...result, job: ended ?? job } });
    } catch (error) {
      setFollow({ isRunning: false, error, result: null });
    }
  };
  return { ...state, send, follow, poll };
}

/** Resolve to what the journal says of the next exchange of this method and path, null when it does not come. */
function awaited(waiting, { method, path }) {
  const plain = (text) => { try { return decodeURIComponent(text.split("?")[0]); } catch { return text.split("?")[0]; } };
  return new Promise((resolve) => {
    const done = (found) => { waiting.delete(listen); clearTimeout(timer); resolve(found); };
    const listen = (line) => { if (line.method === method && plain(line.path) === plain(path)) done(line); };
    const timer = setTimeout(() => done(null), WAIT_MS);
    waiting.add(listen);
  });
}

async function answerOf(sandbox, draft) {
  const { url, headers, body } = requestOf(sandbox, draft);
  const begun = performance.now();
  const options = { method: draft.method, headers: headers.filter(([name]) => !FORBIDDEN.test(name)), credentials: "omit" };
  const left = headers.filter(([name]) => FORBIDDEN.test(name)).map(([name]) => name);
  try {
    const answer = await fetch(url, { ...options, ...(body && { body }) });
    const text = await answer.text();
    return { status: answer.status, headers: [...answer.headers], text, left, took: performance.now() - begun };
  } catch (error) {
    if (body && /^(GET|HEAD)$/.test(draft.method)) throw new Error("A browser sends no body with GET: copy it as curl.");
    return { status: 0, headers: [], text: "", left, took: performance.now() - begun };
  }
}

/** The jobs that a response names. */
async function jobsOf(sandbox, text) {
  const { jobs } = await get(`${ofSandbox(sandbox, "jobs")}?polls=true`);
  return jobs.filter((one) => text.includes(one.id));
}

/** The wish for a poll of a job: the path's variables are those of its post, and the one that is left is the job's id. */
function pollOf(api, operation, draft, job) {
  const poll = api.operations.find((one) => [operation.node["x-bulk"].job.poll].flat().includes(one.id));
  if (!poll) return null;
  const names = (path) => [...path.matchAll(/{([^}]+)}/g)].map(([, name]) => name);
  const pattern = operation.path.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/{[^}]+}/g, "([^/?]+)");
  const values = new RegExp(`${pattern}(?:\\?.*)?$`).exec(draft.path)?.slice(1).map(decodeURIComponent) ?? [];
  const known = Object.fromEntries(names(operation.path).map((name, n) => [name, values[n]]));
  const parameters = Object.fromEntries(names(poll.path).map((name) => [name, known[name] ?? job.id]));
  return { api: api.name, operation: poll.id, parameters };
}

/** The response with its outcomes; its job, with a way to see its end. */
export function Result({ sandbox, sender, onAnother }) {
  const { result, error, follow } = sender;
  const section = useRef(null);
  useEffect(() => section.current?.scrollIntoView({ block: "start" }), [result?.n]);
  if (error) return html`<${ErrorMessage} error=${error} />`;
  if (!result) return null;
  return html`
    <section class="contract-result" ref=${section} aria-label="Response">
      <${Answer} sandbox=${sandbox} result=${result} title="Response" />
      ${result.jobs.map((job) => html`
        <div key=${job.id} class="contract-job">
          <p>It became the job <code>${job.id}</code>: ${counted(job.items, "item")}, ${job.state}${job.due && `, due ${dateOf(job.due)} ${timeOf(job.due)}`}.</p>
          <button type="button" disabled=${follow.isRunning} onClick=${() => sender.poll(job)}>
            ${follow.isRunning ? "Polling…" : "Advance the clock to its end, and poll it"}</button>
        </div>`)}
      ${follow.error && html`<${ErrorMessage} error=${follow.error} />`}
      ${follow.result?.status !== undefined && html`
        <${Answer} sandbox=${sandbox} result=${follow.result} title="Poll" job=${follow.result.job} />`}
      <p class="contract-send"><button type="button" onClick=${onAnother}>Make another batch</button></p>
    </section>`;
}

function Answer({ sandbox, result, title, job }) {
  const tally = job?.outcomes ?? tallyOf(result.outcomes);
  return html`
    <div class="contract-answer">
      <h3>${title}</h3>
      <p class="contract-line">
        ${result.status
          ? html`<${StatusBadge} status=${result.status} />`
          : html`<strong class="bad">No response: the connection broke.</strong>`}
        <${OutcomeBar} ...${tally} />
        <span class="muted" role="status">${inWords(tally)}</span>
        ${result.n !== null && html`<a href=${hrefOf(sandbox, "journal", result.n)}>Exchange ${result.n} in the journal</a>`}
      </p>
      ${result.left.length > 0 && html`<p class="warn">A browser does not let a page send ${result.left.join(", ")}: copy it as curl.</p>`}
      <${Outcomes} outcomes=${result.outcomes} planned=${result.made.items} />
      <details class="contract-example" open=${!result.outcomes.length}>
        <summary>Response with its header fields</summary>
        <${Code} label="Response header fields" value=${result.headers.map(([name, value]) => `${name}: ${value}`).join("\n")} />
        ${result.text && html`<${Code} label="Response body" value=${bodyOf(result)} />`}
      </details>
    </div>`;
}

function tallyOf(outcomes) {
  const count = (word) => outcomes.filter((one) => one.result === word).length;
  return { done: count("done"), failed: count("failed"), notRun: count("not-run"), waiting: count("waiting") };
}

const inWords = ({ done, failed, notRun, waiting = 0 }) => {
  if (waiting) return `${counted(waiting, "item")} waiting for the job`;
  if (!(done + failed + notRun)) return "";
  return [`${done} done`, failed && `${failed} failed`, notRun && `${notRun} not run`].filter(Boolean).join(", ");
};

function bodyOf({ text }) {
  if (text.length > MOST_SHOWN) return `${text.slice(0, MOST_SHOWN)}\n… ${text.length - MOST_SHOWN} more characters`;
  try { return JSON.parse(text); } catch { return text; }
}

/** The items with what was wrong with them on purpose, and what became of them. */
function Outcomes({ outcomes, planned }) {
  if (!outcomes.length) return null;
  const byKey = new Map(planned.map((one) => [String(one.key), one]));
  const isInOrder = outcomes.length === planned.length;
  const rows = outcomes.map((one, n) => ({ ...one, n, item: byKey.get(String(one.key)) ?? (isInOrder ? planned[n] : undefined) }));
  const columns = [
    { title: "Item", align: "end", render: ({ item, n }) => html`<span class="data">${(item?.index ?? n) + 1}</span>` },
    { title: "Key", render: ({ key }) => html`<code>${String(key ?? "–")}</code>` },
    { title: "Sent", wide: true, render: ({ item }) => (item?.fault ? html`<span class="warn">${item.says}</span>` : html`<span class="muted">good</span>`) },
    { title: "Outcome", render: ({ result }) => html`<${ResultBadge} result=${result} />` },
    { title: "Error", wide: true, render: ({ error }) => error ?? "" },
  ];
  return html`<${Table} caption="Outcomes by item" columns=${columns} rows=${rows} rowKey=${({ n }) => n} />`;
}
