/** The exchanges of a sandbox in memory: the newest at once, older ones in steps, new ones as they happen. */

import { get, ofSandbox } from "../api.js";
import { useLive } from "../shell.js";
import { useCallback, useEffect, useRef, useState } from "../vendor/htm-preact.js";

const FIRST = 200; // exchanges that are read before anything is shown
const STEP = 1000; // that are read in one go afterwards
const MOST = 10_000; // that are kept
const REREAD = new Set(["reset", "journal", "reconnected"]); // events after which all is read again
const END = Number.MAX_SAFE_INTEGER;

/**
 * The exchanges, oldest first: `{entries, version, last, isComplete, error, find(n), reload()}`. `entries` is null
 * until the first are there; it is changed in place, and `version` says when.
 */
export function useExchanges(sandbox) {
  const held = useRef(null);
  const waiting = useRef([]);
  const [state, setState] = useState({ version: 0, isComplete: false, error: null });
  const [round, setRound] = useState(0);
  const frame = useRef(0);

  const draw = useCallback((changes = {}) => setState((old) => ({ ...old, ...changes, version: old.version + 1 })), []);
  const reload = useCallback(() => setRound((count) => count + 1), []);

  useEffect(() => {
    const ended = new AbortController();
    held.current = null;
    draw({ isComplete: false, error: null });
    readAll(sandbox, ended.signal, (page, isComplete) => {
      held.current = held.current ? page.concat(held.current) : page;
      take(held.current, waiting.current.splice(0));
      draw({ isComplete });
    }).catch((error) => { if (!ended.signal.aborted) draw({ error }); });
    return () => ended.abort();
  }, [sandbox, round]);

  useLive((events) => {
    if (events.some((one) => REREAD.has(one.name))) { waiting.current = []; reload(); return; }
    const told = events.filter((one) => one.name === "exchange" || one.name === "update").map((one) => one.data);
    if (!told.length) return;
    waiting.current.push(...told);
    if (!held.current || frame.current) return;
    frame.current = requestAnimationFrame(() => {
      frame.current = 0;
      if (!held.current) return;
      take(held.current, waiting.current.splice(0));
      draw();
    });
  });

  const entries = held.current;
  return { ...state, entries, last: entries?.at(-1)?.n ?? 0, find: (n) => entries?.[placeOf(entries, n)], reload };
}

/** Read the newest exchanges, then the older ones; `onPage` gets each page, and whether it is the last. */
async function readAll(sandbox, signal, onPage) {
  let [before, count] = [END, 0];
  for (let limit = FIRST; ; limit = STEP) {
    const path = `${ofSandbox(sandbox, "exchanges")}?before=${before}&limit=${limit}`;
    const { exchanges } = await get(path, { signal });
    count += exchanges.length;
    before = exchanges[0]?.n ?? 1;
    const isComplete = exchanges.length < limit || before <= 1 || count >= MOST;
    onPage(exchanges, isComplete);
    if (isComplete) return;
  }
}

/** Put what was told into the list: new exchanges at its end, changed ones in their place. */
function take(entries, told) {
  for (const one of told) {
    if (!entries.length || one.n > entries.at(-1).n) entries.push(one);
    else {
      const place = placeOf(entries, one.n);
      if (place >= 0) entries[place] = one;
    }
  }
  if (entries.length > MOST) entries.splice(0, entries.length - MOST);
}

/** The place of exchange `n`, -1 for none; numbers rise. */
function placeOf(entries, n) {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries[middle].n < n) low = middle + 1;
    else high = middle;
  }
  return entries[low]?.n === n ? low : -1;
}
