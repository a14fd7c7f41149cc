/** Client of the control API: JSON in and out, the token, errors as sentences, live events. */

const ROOT = new URL(".", document.baseURI); // .../_sandbox/
const TOKEN = "bulkproof-control-token";
const RECONNECT_MS = [500, 1000, 2000, 5000];

/** A refused call, or a server that does not answer. `message` is a sentence; `problem` its problem document. */
export class ApiError extends Error {
  constructor(message, status = 0, problem = {}) {
    super(message);
    this.status = status;
    this.problem = problem;
  }
}

/** The address of a path of the control API, such as `sandboxes`. */
export const addressOf = (path) => new URL(path, ROOT).href;

/** The path of something of a sandbox: `ofSandbox("mine", "clock")`; segments are escaped. */
export const ofSandbox = (sandbox, ...segments) =>
  ["sandboxes", sandbox, ...segments].map((one) => encodeURIComponent(one)).join("/");

/** The address below which a sandbox serves the mocked APIs. */
export const baseOf = (sandbox) =>
  new URL(sandbox === "default" ? ".." : `../@${encodeURIComponent(sandbox)}`, ROOT).href.replace(/\/$/, "");

let askForToken = async () => null;
let asking = null;

/** Say who asks the user for the control token: `ask(isWrong)` resolves to it, or to null. */
export function onTokenNeeded(ask) {
  askForToken = ask;
}

function authorization() {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** Call the control API until it does not ask for a token any more. Returns the `Response`. */
async function call(path, options) {
  for (;;) {
    const sent = authorization();
    let answer;
    try {
      const looking = options.method === "GET" && { "Sandbox-Create": "false" };
      answer = await fetch(addressOf(path), { ...options, headers: { ...options.headers, ...looking, ...sent } });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError("The server does not answer. Is it still running?");
    }
    if (answer.status !== 401) return answer;
    if (sent.Authorization !== authorization().Authorization) continue; // somebody gave it meanwhile
    asking ??= askForToken("Authorization" in sent).finally(() => { asking = null; });
    const given = await asking;
    if (given === null) throw await errorOf(answer);
    sessionStorage.setItem(TOKEN, given);
  }
}

async function errorOf(answer) {
  const text = await answer.text();
  let problem = {};
  try { problem = JSON.parse(text); } catch { /* no problem document: the text says it */ }
  const says = problem.detail || problem.title || text.slice(0, 200) || answer.statusText;
  return new ApiError(says || `The server answered ${answer.status}.`, answer.status, problem);
}

async function send(method, path, body, { signal } = {}) {
  return sendText(method, path, body === undefined ? undefined : JSON.stringify(body), { signal });
}

async function sendText(method, path, text, { signal } = {}) {
  const changes = method !== "GET";
  const answer = await call(path, {
    method,
    signal,
    body: text,
    headers: changes ? { "Content-Type": "application/json" } : { Accept: "application/json" },
  });
  if (!answer.ok) throw await errorOf(answer);
  return answer.status === 204 ? null : answer.json();
}

/** GET JSON. Each of these raises ApiError, or AbortError after `signal`. */
export const get = (path, options) => send("GET", path, undefined, options);
export const put = (path, body, options) => send("PUT", path, body, options);
export const post = (path, body, options) => send("POST", path, body, options);
export const patch = (path, body, options) => send("PATCH", path, body, options);
export const del = (path, options) => send("DELETE", path, undefined, options);

/** PUT JSON that is text already, such as a snapshot: its numbers are kept as they are written. */
export const putText = (path, text, options) => sendText("PUT", path, text, options);

/** GET text, such as an exchange as curl. */
export async function getText(path, { signal } = {}) {
  const answer = await call(path, { method: "GET", signal, headers: {} });
  if (!answer.ok) throw await errorOf(answer);
  return answer.text();
}

/**
 * Read server-sent events until `signal` is aborted or `onEvents` returns false; come back where it broke off.
 * @param {string} path of the control API
 * @param {{signal: AbortSignal, onEvents: (events: {name: string, data: any}[]) => boolean|void,
 *   onState: (state: "live"|"lost") => void}} options `onEvents` gets what came in one go
 */
export async function stream(path, { signal, onEvents, onState }) {
  let last = "";
  for (let failed = 0; !signal.aborted; failed += 1) {
    try {
      const headers = { Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) };
      const answer = await call(path, { method: "GET", signal, headers });
      if (!answer.ok) throw await errorOf(answer);
      onState("live");
      failed = 0;
      for await (const events of eventsOf(answer.body)) {
        last = events.findLast((one) => one.id)?.id ?? last;
        if (events.some((one) => one.name === "reset")) last = events.at(-1).id ?? "";
        if (onEvents(events) === false) return;
      }
    } catch (error) {
      if (signal.aborted) return;
    }
    onState("lost");
    await pause(RECONNECT_MS[Math.min(failed, RECONNECT_MS.length - 1)], signal);
  }
}

/** Yield the events of a body, all that came in one go at once. */
async function* eventsOf(body) {
  let rest = "";
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    const events = blocks.map(eventOf).filter((one) => one.data !== undefined);
    if (events.length) yield events;
  }
}

function eventOf(block) {
  const found = {};
  for (const line of block.split("\n")) {
    const [field, value] = [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)];
    if (field === "id") found.id = value;
    if (field === "event") found.name = value;
    if (field === "data") found.data = JSON.parse(value);
  }
  return found;
}

const pause = (milliseconds, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
