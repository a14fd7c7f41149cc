/** Scenarios that were written in this browser: they stay when they are not active, since the server keeps active ones only. */

const PREFIX = "bulkproof-scenarios-";

/** The texts by name. */
export function draftsOf(sandbox) {
  try { return JSON.parse(localStorage.getItem(PREFIX + sandbox)) ?? {}; } catch { return {}; }
}

/** Keep a text under the name of its scenario. */
export function keepDraft(sandbox, name, text) {
  write(sandbox, { ...draftsOf(sandbox), [name]: text });
}

/** Forget the text of that name. */
export function forgetDraft(sandbox, name) {
  const { [name]: _, ...others } = draftsOf(sandbox);
  write(sandbox, others);
}

function write(sandbox, drafts) {
  try { localStorage.setItem(PREFIX + sandbox, JSON.stringify(drafts)); } catch { /* no room, or none is allowed: a download is left */ }
}

/** The name that a text in YAML gives its scenario, undefined when it gives none. */
export const nameIn = (text) => /^["']?name["']?:\s*["']?([\w.-]+)/m.exec(text)?.[1];

/** The first line of a text's summary. */
export const summaryIn = (text) => /^["']?summary["']?:\s*(.*?)\s*$/m.exec(text)?.[1].replace(/^(["'])(.*)\1$/, "$2") ?? "";
