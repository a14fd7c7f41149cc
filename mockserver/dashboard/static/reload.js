/** Lists that follow what happens in a sandbox: loaded again after its events, but not more often than they can be. */

import { useLive } from "./shell.js";
import { useLoaded } from "./ui.js";
import { useEffect, useRef, useState } from "./vendor/htm-preact.js";

const PAUSE_MS = 150; // between two loads, so that a busy client does not make a busy page
const PATIENCE = 3; // how many times as long as the last load took is waited for the next

const OTHERS = new Set(["dropped", "sandboxes"]); // events that tell nothing of what is in the sandbox

/**
 * Load as `useLoaded` does, and again after events: of every exchange, and of every change.
 * @param {(signal: AbortSignal) => Promise<any>} load
 */
export function useFollowed(load, inputs) {
  const took = useRef(0);
  const found = useLoaded(async (signal) => {
    const begun = performance.now();
    const data = await load(signal);
    took.current = performance.now() - begun;
    return data;
  }, inputs);
  const [isStale, setStale] = useState(false);
  useLive((events) => { if (events.some((one) => !OTHERS.has(one.name))) setStale(true); });
  useEffect(() => {
    if (!isStale || found.isLoading) return undefined;
    const timer = setTimeout(() => { setStale(false); found.reload(); }, Math.max(PAUSE_MS, PATIENCE * took.current));
    return () => clearTimeout(timer);
  }, [isStale, found.isLoading]);
  return found;
}
