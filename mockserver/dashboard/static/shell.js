/** What the shell gives to pages: addresses, the sandbox's live events, its clock. */

import { createContext, useContext, useEffect, useRef, useState } from "./vendor/htm-preact.js";

export const LiveContext = createContext(null);
export const ClockContext = createContext(null);
const DEFAULT = "default";

/** The address of a page: `#/journal/12`, in another sandbox `#/@mine/journal/12`. */
export function hrefOf(sandbox, page, ...rest) {
  const segments = [page, ...rest].filter((one) => one !== "").map((one) => encodeURIComponent(one));
  return `#/${[...(sandbox === DEFAULT ? [] : [`@${encodeURIComponent(sandbox)}`]), ...segments].join("/")}`;
}

/** Read the address: `{sandbox, page, rest, query}`. */
export function readHash() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const segments = path.split("/").filter(Boolean).map(unescaped);
  const sandbox = segments[0]?.startsWith("@") ? segments.shift().slice(1) : DEFAULT;
  const [page = "", ...rest] = segments;
  return { sandbox, page, rest, query: new URLSearchParams(query) };
}

function unescaped(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

/**
 * Call `onEvents` with what happens in the sandbox: a list of `{name, data}` for all that came in one go. The names
 * are those of the control API, and `reconnected` after a gap of which nothing is known: the server may be another one. Returns the state of the connection.
 */
export function useLive(onEvents) {
  const live = useContext(LiveContext);
  const latest = useRef(onEvents);
  latest.current = onEvents;
  useEffect(() => {
    const listen = (events) => latest.current?.(events);
    live.listeners.add(listen);
    return () => live.listeners.delete(listen);
  }, [live.listeners]);
  return live.state;
}

/** The sandbox's clock `{mode, factor, at()}`: `at()` is its time in milliseconds; null while it is read. */
export const useClock = () => useContext(ClockContext);

/** The time on the sandbox's clock, in milliseconds; drawn anew every so many `ms` where the clock runs. */
export function useNow(clock, ms) {
  const [, tick] = useState(0);
  useEffect(() => {
    if (!clock || clock.mode === "frozen") return undefined;
    const timer = setInterval(() => tick((count) => count + 1), ms);
    return () => clearInterval(timer);
  }, [clock, ms]);
  return clock ? clock.at() : null;
}
