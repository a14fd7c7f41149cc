/**
 * The dashboard's shell: header, navigation, the sandbox's clock and its live events.
 *
 * To add a page: write `pages/NAME.js`, whose default export is a component, and add a line to PAGES. With
 * `hasStyle: true` the shell loads `pages/NAME.css` too; names of classes in it begin with the page's name.
 * The component gets `{sandbox, rest, query, go}`: the sandbox's name, the segments of the address after the page's
 * name, its query (URLSearchParams), and `go(...rest)`, which changes the address within the page.
 * `useLive(onEvents)` tells of what happens in the sandbox, `useClock()` its time. What pages share is in `ui.js`,
 * calls are in `api.js`; nothing else is loaded, from nowhere.
 */

import { get, ofSandbox, onTokenNeeded, post, stream } from "./api.js";
import { ClockContext, LiveContext, hrefOf, readHash, useLive, useNow } from "./shell.js";
import { Dialog, Empty, ErrorMessage, Field, Loading, html, useLoaded } from "./ui.js";
import { dateOf, instantOf, timeOf } from "./format.js";
import { render, useCallback, useEffect, useMemo, useRef, useState } from "./vendor/htm-preact.js";

/** The pages in the order of the navigation. */
const PAGES = [
  { name: "journal", title: "Journal", hasStyle: true, load: () => import("./pages/journal.js") },
  { name: "jobs", title: "Jobs", hasStyle: true, load: () => import("./pages/jobs.js") },
  { name: "scenarios", title: "Scenarios", hasStyle: true, load: () => import("./pages/scenarios.js") },
  { name: "state", title: "State", hasStyle: true, load: () => import("./pages/state.js") },
  { name: "sandboxes", title: "Sandboxes", hasStyle: true, load: () => import("./pages/sandboxes.js") },
  { name: "verdict", title: "Verdict", hasStyle: true, load: () => import("./pages/verdict.js") },
  { name: "contract", title: "Contract", hasStyle: true, load: () => import("./pages/contract.js") },
  { name: "report", title: "Report", hasStyle: true, load: () => import("./pages/report.js") },
];

const TICK_MS = 500;

function App() {
  const [route, setRoute] = useState(readHash);
  useEffect(() => {
    const read = () => setRoute(readHash());
    addEventListener("hashchange", read);
    return () => removeEventListener("hashchange", read);
  }, []);
  const page = PAGES.find((one) => one.name === route.page) ?? (route.page ? null : PAGES[0]);
  const { sandbox } = route;
  const live = useStream(sandbox);
  const clock = useSandboxClock(sandbox, live);
  useEffect(() => {
    document.title = `${page?.title ?? "Not found"} · ${sandbox} · Bulkproof`;
  }, [page, sandbox]);
  return html`
    <${LiveContext.Provider} value=${live}>
      <${ClockContext.Provider} value=${clock}>
        <a class="skip" href="#main" onClick=${skip}>Skip to the page</a>
        <header class="top">
          <span class="wordmark" aria-hidden="true">bulkproof</span>
          <${Navigation} sandbox=${sandbox} current=${page} />
          <div class="state">
            <${Switcher} sandbox=${sandbox} page=${page?.name ?? ""} live=${live} />
            <${Clock} clock=${clock} />
            <span class=${`connection ${live.state}`} role="status">${CONNECTION[live.state]}</span>
          </div>
        </header>
        <main id="main" tabindex="-1">
          ${live.isDropped
            ? html`<${Dropped} sandbox=${sandbox} onAgain=${live.again} />`
            : html`<${Page} key=${`${sandbox}/${route.page}`} page=${page} route=${route} />`}
        </main>
        <${TokenDialog} />
      <//>
    <//>`;
}

const CONNECTION = { connecting: "connecting", live: "live", lost: "not connected" };

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function Navigation({ sandbox, current }) {
  const box = useRef(null);
  useEffect(() => {
    const link = box.current.querySelector("[aria-current]");
    if (link) box.current.scrollLeft = link.offsetLeft - box.current.offsetLeft - (box.current.clientWidth - link.clientWidth) / 2;
  }, [current]);
  return html`
    <nav aria-label="Pages" ref=${box}>
      ${PAGES.map((one) => html`
        <a key=${one.name} href=${hrefOf(sandbox, one.name)} aria-current=${one === current ? "page" : null}>
          ${one.title}
        </a>`)}
    </nav>`;
}

/** Show a page once its module is there. */
function Page({ page, route }) {
  const { data, error } = useLoaded(async () => page && loaded(page), [page]);
  const go = useCallback((...rest) => {
    location.hash = hrefOf(route.sandbox, page.name, ...rest);
  }, [route.sandbox, page]);
  if (!page) {
    return html`<${Empty} title="There is no such page.">
      <a href=${hrefOf(route.sandbox, PAGES[0].name)}>Go to the journal</a><//>`;
  }
  if (error) return html`<${ErrorMessage} error=${error} />`;
  if (!data) return html`<${Loading} />`;
  return html`<${data} sandbox=${route.sandbox} rest=${route.rest} query=${route.query} go=${go} />`;
}

async function loaded(page) {
  const [module] = await Promise.all([page.load(), page.hasStyle && styled(page.name)]);
  return module.default;
}

function styled(name) {
  const href = `ui/pages/${name}.css`;
  if (document.querySelector(`link[href="${href}"]`)) return undefined;
  return new Promise((resolve) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", onload: resolve, onerror: resolve });
    link.setAttribute("href", href);
    document.head.append(link);
  });
}

function Dropped({ sandbox, onAgain }) {
  const [error, setError] = useState(null);
  return html`
    <${Empty} title=${`The sandbox “${sandbox}” was dropped.`}>
      <${ErrorMessage} error=${error} />
      <button type="button" onClick=${() => onAgain().catch(setError)}>Create it again</button>
    <//>`;
}

function Switcher({ sandbox, page, live }) {
  const [names, setNames] = useState([]);
  const load = useCallback(() => {
    get("sandboxes").then((found) => setNames(found.sandboxes.map((one) => one.name).sort()), () => {});
  }, []);
  useEffect(load, [sandbox, live.state]);
  useLive((events) => { if (events.some((one) => one.name === "sandboxes")) load(); });
  const every = names.includes(sandbox) ? names : [sandbox, ...names];
  return html`
    <label class="switcher">
      <span>Sandbox</span>
      <select value=${sandbox} onFocus=${load} onPointerEnter=${load}
        onChange=${(event) => { location.hash = hrefOf(event.currentTarget.value, page); }}>
        ${every.map((name) => html`<option key=${name} value=${name} selected=${name === sandbox}>${name}</option>`)}
      </select>
    </label>`;
}

function Clock({ clock }) {
  const time = useNow(clock, TICK_MS);
  if (!clock) return null;
  const now = instantOf(time);
  const pace = { frozen: "frozen", system: "real time", scaled: `× ${clock.factor}` }[clock.mode];
  return html`
    <span class="clock" title="The sandbox's clock, in UTC">
      <time datetime=${now}><span class="date">${dateOf(now)} </span>${timeOf(now)}</time>
      <span class=${`pace ${clock.mode}`}>${pace}</span>
    </span>`;
}

/** The live events of a sandbox: who listens, and how the connection is. */
function useStream(sandbox) {
  const listeners = useMemo(() => new Set(), []);
  const [state, setState] = useState("connecting");
  const [droppedName, setDropped] = useState(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    const ended = new AbortController();
    let wasLost = false;
    setState("connecting");
    setDropped(null);
    stream(ofSandbox(sandbox, "events"), {
      signal: ended.signal,
      onState: (now) => {
        setState(now);
        if (now === "live" && wasLost) listeners.forEach((listen) => listen([{ name: "reconnected", data: {} }]));
        wasLost = now === "lost";
      },
      onEvents: (events) => {
        listeners.forEach((listen) => listen(events));
        if (!events.some((one) => one.name === "dropped")) return true;
        setState("lost");
        setDropped(sandbox);
        return false;
      },
    });
    return () => ended.abort();
  }, [sandbox, round]);
  const again = useCallback(() => post(ofSandbox(sandbox, "reset"), {}).then(() => setRound((count) => count + 1)), [sandbox]);
  return { listeners, state, isDropped: droppedName === sandbox, again };
}

/** The sandbox's clock: its mode, and its time at any moment. It is read again when it was changed. */
function useSandboxClock(sandbox, live) {
  const [clock, setClock] = useState(null);
  const era = useRef(0);
  useEffect(() => {
    const take = (told) => setClock(clockOf(told));
    const mine = (era.current += 1);
    const read = () => get(ofSandbox(sandbox, "clock")).then((told) => { if (era.current === mine) take(told); }, () => {});
    const listen = (events) => {
      const changed = events.findLast((one) => one.name === "clock" || one.name === "reset");
      if (changed?.name === "clock") take(changed.data);
      if (changed?.name === "reset") read();
    };
    setClock(null);
    live.listeners.add(listen);
    if (live.state === "live") read();
    return () => live.listeners.delete(listen);
  }, [sandbox, live.state]);
  return clock;
}

function clockOf({ now, mode, factor }) {
  const [begun, read] = [Date.parse(now), performance.now()];
  const speed = { frozen: 0, system: 1 }[mode] ?? factor;
  return { mode, factor, at: () => begun + (performance.now() - read) * speed };
}

/** Asks for the control token when a call is refused without it. */
function TokenDialog() {
  const [asked, setAsked] = useState(null);
  const [text, setText] = useState("");
  useEffect(() => {
    onTokenNeeded((isWrong) => new Promise((resolve) => setAsked({ isWrong, resolve })));
  }, []);
  const answer = (value) => {
    asked.resolve(value);
    setAsked(null);
    setText("");
  };
  if (!asked) return null;
  return html`
    <${Dialog} title="Control token" onClose=${() => answer(null)}>
      <form onSubmit=${(event) => { event.preventDefault(); if (text) answer(text); }}>
        <p>The server was started with <code>--control-token</code>. The token stays in this tab.</p>
        <${Field} label="Token" error=${asked.isWrong ? "The server does not take this token." : ""}>
          <input type="password" autocomplete="off" value=${text} onInput=${(event) => setText(event.currentTarget.value)} />
        <//>
        <div class="actions"><button class="primary" type="submit">Use it</button></div>
      </form>
    <//>`;
}

render(html`<${App} />`, document.getElementById("app"));
