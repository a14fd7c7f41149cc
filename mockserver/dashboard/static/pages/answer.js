/** What a client got of an answer. */

import { Badge, StatusBadge, html } from "../ui.js";

/** What a client got of an answer that did not come whole: a short word, a sentence, and its colour. */
export const FATES = {
  waiting: { short: "waiting", says: "nothing yet: the answer is delayed", kind: "idle" },
  cut: { short: "cut off", says: "a part of the answer, then the connection was closed", kind: "bad", isLost: true },
  garbled: { short: "garbled", says: "bytes that are no answer, then the connection was closed", kind: "bad", isLost: true },
  reset: { short: "reset", says: "no answer: the connection was reset", kind: "bad", isLost: true },
  closed: { short: "closed", says: "no answer: the connection was closed", kind: "bad", isLost: true },
  "client-gone": { short: "client gone", says: "no whole answer: it had closed the connection before", kind: "warn", isLost: true },
};

/** The status of an answer as it was meant, struck out where the client got something else, and what it got. */
export function Answer({ exchange: { status, delivery } }) {
  const got = FATES[delivery.fate];
  const badge = html`<${StatusBadge} status=${status} />`;
  if (!got) return badge;
  return html`${got.isLost ? html`<s title=${`${status} was meant`}>${badge}</s>` : badge} <${Badge} kind=${got.kind}>${got.short}<//>`;
}
