/** Scenarios that were written in this tab: they stay when they are not active, since the server keeps active ones only. */

const PREFIX = "bulkproof-scenarios-";

/** The texts by name. */
export function draftsOf(sandbox) {
  try { return JSON.parse(sessionStorage.getItem(PREFIX + sandbox)) ?? {}; } catch { return {}; }
}

/** Keep a text under the name of its scenario. */
export function keepDraft(sandbox, name, text) {
  sessionStorage.setItem(PREFIX + sandbox, JSON.stringify({ ...draftsOf(sandbox), [name]: text }));
}
