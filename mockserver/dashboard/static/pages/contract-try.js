/** Try an operation: a request made from the contract, with bad items on purpose, sent from the browser. */

import { ofSandbox, post } from "../api.js";
import { hrefOf } from "../shell.js";
import { CopyButton, ErrorMessage, Field, Folded, html, useLoaded } from "../ui.js";
import { useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { parametersOf, placeOf } from "./contract-document.js";
import { Result, requestOf, useSender } from "./contract-result.js";

const MAX_ITEMS = 1000;
const UNITS = { item: "each item by itself", group: "a group together", whole: "all items together" };

/** The form of a wish, the request made of it, and what came back; with `sendsAtOnce` it is sent without being asked. */
export function TryIt({ sandbox, api, operation, sendsAtOnce }) {
  const isBulk = operation.node["x-bulk"] !== undefined;
  const [wish, setWish] = useState({ seed: 0, ...(isBulk && { items: 10, bad: 2 }) });
  const whole = { api: api.name, operation: operation.id, ...wish };
  const made = useLoaded((signal) => post(ofSandbox(sandbox, "requests"), whole, { signal }), [sandbox, JSON.stringify(whole)]);
  const [draft, setDraft] = useState(null);
  const sender = useSender(sandbox, api, operation);
  const isSent = useRef(false);
  const change = (more) => setWish((before) => withoutEmpty({ ...before, ...more }));
  useEffect(() => {
    if (!made.data) return;
    const fresh = draftOf(made.data);
    setDraft(fresh);
    if (!sendsAtOnce || isSent.current) return;
    isSent.current = true;
    history.replaceState(null, "", hrefOf(sandbox, "contract", api.name, operation.id, "try"));
    sender.send(fresh, made.data);
  }, [made.data]);
  return html`
    <div class="contract-try">
      <${Wish} api=${api} operation=${operation} wish=${wish} made=${made.data} onChange=${change} isBulk=${isBulk} />
      <div>
        ${made.error && html`<${ErrorMessage} error=${made.error} onRetry=${made.reload} />`}
        ${!made.error && draft && html`
          <${Draft} sandbox=${sandbox} draft=${draft} made=${made.data} onChange=${(more) => setDraft({ ...draft, ...more })}
            onSend=${() => sender.send(draft, made.data)} isSending=${sender.isSending} />`}
        <${Result} sandbox=${sandbox} sender=${sender} onAnother=${() => change({ seed: wish.seed + 1 })} />
      </div>
    </div>`;
}

const withoutEmpty = (wish) => Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== undefined));

/** What is editable of a made request, as texts. */
const draftOf = ({ method, path, headers, body }) => ({
  method, path, body: pretty(body, headers), headers: Object.entries(headers).map(([name, value]) => `${name}: ${value}`).join("\n"),
});

const TOKENS = /"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g;

/** JSON with a line for each member and element, its numbers and texts as they are written; other texts as they are. */
function pretty(text, headers) {
  const type = Object.entries(headers).find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? "";
  if (!/[/+]json(;|$)/i.test(type) || !isJson(text)) return text;
  const tokens = text.match(TOKENS) ?? [];
  let [depth, done] = [0, ""];
  const line = () => `\n${"  ".repeat(depth)}`;
  tokens.forEach((token, n) => {
    if (/^[[{]$/.test(token)) {
      depth += 1;
      done += token + (/^[\]}]$/.test(tokens[n + 1]) ? "" : line());
    } else if (/^[\]}]$/.test(token)) {
      depth -= 1;
      done += (/^[[{]$/.test(tokens[n - 1]) ? "" : line()) + token;
    } else {
      done += { ",": `,${line()}`, ":": ": " }[token] ?? token;
    }
  });
  return done;
}

function isJson(text) {
  try { JSON.parse(text); return true; } catch { return false; }
}

function Wish({ api, operation, wish, made, onChange, isBulk }) {
  const { item, own } = placeOf(api.document, operation);
  const bulk = operation.node["x-bulk"] ?? {};
  const mode = bulk.unit?.of?.from; // what the choice of the mode writes
  const parameters = parametersOf(api.document, item, own)
    .filter(({ node }) => node.in !== "cookie" && `${node.in}:${node.name}` !== mode);
  const number = (name, most) => (event) => {
    const value = Math.trunc(Number(event.currentTarget.value));
    if (event.currentTarget.value !== "" && value >= 0 && value <= most) onChange({ [name]: value });
  };
  const set = (name, value) => onChange({ parameters: withoutEmpty({ ...wish.parameters, [name]: value || undefined }) });
  return html`
    <form class="contract-wish" onSubmit=${(event) => event.preventDefault()} aria-label="What to send">
      ${isBulk && html`
        <div class="contract-pair">
          <${Field} label="Items"><input type="number" min="0" max=${MAX_ITEMS} value=${wish.items} onChange=${number("items", MAX_ITEMS)} /><//>
          <${Field} label="Bad items"><input type="number" min="0" max=${wish.items} value=${wish.bad} onChange=${number("bad", wish.items)} /><//>
        </div>
        <${Field} label="What is wrong with them" hint=${refusalHint(made, wish)}>
          <select value=${wish.fault ?? ""} onChange=${(event) => onChange({ fault: event.currentTarget.value || undefined })}>
            <option value="">the first that suits</option>
            ${(made?.faults ?? []).map((one) => html`
              <option key=${one.name} value=${one.name} selected=${wish.fault === one.name}>${one.name}: ${one.says}</option>`)}
          </select>
        <//>
        ${typeof bulk.unit?.of === "object" && html`
          <${Field} label="Mode: what succeeds or fails together">
            <select value=${wish.unit ?? "item"} onChange=${(event) => onChange({ unit: event.currentTarget.value })}>
              ${unitsOf(bulk.unit.of).map((one) => html`<option key=${one} value=${one} selected=${(wish.unit ?? "item") === one}>${UNITS[one]}</option>`)}
            </select>
          <//>`}
        ${bulk.job && ![bulk.job.when].flat().includes("always") && html`
          <label class="contract-check"><input type="checkbox" checked=${Boolean(wish.asJob)}
            onChange=${(event) => onChange({ asJob: event.currentTarget.checked || undefined })} /> As a job, in the background</label>`}`}
      <${Field} label="Seed" hint="The same seed gives the same request.">
        <input type="number" min="0" max="1000000" value=${wish.seed} onChange=${number("seed", 1_000_000)} />
      <//>
      ${api.clients.length > 0 && html`
        <${Field} label="Credentials of">
          <select value=${wish.client ?? "?"} onChange=${(event) => onChange({ client: event.currentTarget.value === "?" ? undefined : event.currentTarget.value })}>
            <option value="?" selected=${wish.client === undefined}>the first client that is admitted</option>
            ${api.clients.map((one) => html`<option key=${one.name} value=${one.name} selected=${wish.client === one.name}>
              ${one.name}${one.admitted ? "" : " (refused)"}</option>`)}
            <option value="" selected=${wish.client === ""}>nobody</option>
          </select>
        <//>`}
      ${parameters.length > 0 && html`
        <${Folded} title="Parameters" count=${parameters.length}>
          ${parameters.map(({ node }) => html`
            <${Field} key=${`${node.in}:${node.name}`} label=${`${node.name} (${node.in})`}>
              <input value=${wish.parameters?.[node.name] ?? ""} placeholder="from the contract"
                onChange=${(event) => set(node.name, event.currentTarget.value)} />
            <//>`)}
        <//>`}
    </form>`;
}

const unitsOf = (choice) => Object.keys(UNITS).filter((one) => !choice.map || Object.values(choice.map).includes(one));

function refusalHint(made, wish) {
  const name = wish.fault ?? made?.items.find((one) => one.fault)?.fault;
  const fault = made?.faults.find((one) => one.name === name);
  return fault?.refusesAll ? "The whole request is refused for one such item." : "";
}

function Draft({ sandbox, draft, made, onChange, onSend, isSending }) {
  const bad = made.items.filter((one) => one.fault);
  const set = (name) => (event) => onChange({ [name]: event.currentTarget.value });
  return html`
    <section aria-label="Request">
      <h3>Request</h3>
      ${made.warning && html`<p class="warn">It may not be valid: ${made.warning}</p>`}
      <div class="contract-line">
        <span class="contract-method">${draft.method}</span>
        <input class="data" aria-label="Path and query" value=${draft.path} onInput=${set("path")} spellcheck=${false} />
      </div>
      <textarea aria-label="Header fields" rows=${Math.max(1, draft.headers.split("\n").length)} value=${draft.headers}
        onInput=${set("headers")} spellcheck=${false} placeholder="Header fields, one a line"></textarea>
      ${(draft.body || made.body) && html`
        <textarea aria-label="Body" rows=${Math.min(18, Math.max(3, draft.body.split("\n").length))} value=${draft.body}
          onInput=${set("body")} spellcheck=${false}></textarea>`}
      ${bad.length > 0 && html`
        <ul class="contract-facts contract-bad">${bad.slice(0, 20).map((one) => html`
          <li key=${one.index}>Item ${one.index + 1} ${one.says}${one.pointer !== undefined && html`: <code>${one.pointer || "/"}</code> ${one.detail.replace(/^it /, "")}`}.</li>`)}
          ${bad.length > 20 && html`<li>and ${bad.length - 20} more</li>`}
        </ul>`}
      <div class="contract-send">
        <button type="button" class="primary" onClick=${onSend} disabled=${isSending}>${isSending ? "Sending…" : "Send"}</button>
        <${CopyButton} label="Copy as curl" load=${async () => curlOf(sandbox, draft)} />
      </div>
    </section>`;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curlOf(sandbox, draft) {
  const { url, headers, body } = requestOf(sandbox, draft);
  const words = ["curl", "-sS", "-i", ...(draft.method === "GET" ? [] : ["-X", draft.method]), quoted(url)];
  const fields = headers.flatMap(([name, value]) => ["-H", quoted(`${name}: ${value}`)]);
  return [...words, ...fields, ...(body ? ["--data-binary", quoted(body)] : [])].join(" ");
}
