/** How a job is told: its stage, its exchange, its plan in a sentence. */

import { counted, dateOf, timeOf } from "../format.js";
import { hrefOf } from "../shell.js";
import { Badge, html } from "../ui.js";

/** How each stage is called and coloured. */
export const STAGES = {
  open: { word: "open", kind: "idle" },
  queued: { word: "queued", kind: "idle" },
  running: { word: "running", kind: "plain" },
  done: { word: "done", kind: "good" },
  doneWithErrors: { word: "done with errors", kind: "warn" },
  failed: { word: "failed", kind: "bad" },
  cancelled: { word: "cancelled", kind: "idle" },
};
/** The stage in words, with the API's own word behind it. */
export const Stage = ({ job }) => html`
  <${Badge} kind=${STAGES[job.stage].kind} title=${`${job.api} says ${job.state}`}>${STAGES[job.stage].word}<//>`;

/** A link to an exchange of the journal. */
export const ExchangeLink = ({ sandbox, n }) =>
  n === null ? html`<span class="muted">forgotten</span>` : html`<a href=${hrefOf(sandbox, "journal", n)}>#${n}</a>`;

/** What a lane shows, in a sentence for those who do not see it. */
export const told = (job) => [
  `posted ${dateOf(job.posted)} ${timeOf(job.posted)}`,
  job.due ? `due ${timeOf(job.due)}` : "never ends",
  `${counted(job.polls.length, "poll")}${job.early ? `, ${job.early} too soon` : ""}`,
].join(", ");
