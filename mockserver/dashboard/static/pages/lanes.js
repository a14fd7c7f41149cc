/** Lanes: one a job on an axis of the sandbox's clock, drawn with SVG; what they show is said in words beside them. */

import { counted, dateOf, timeOf } from "../format.js";
import { hrefOf, useNow } from "../shell.js";
import { html } from "../ui.js";
import { useMemo } from "../vendor/htm-preact.js";
import { ExchangeLink, Stage, told } from "./job.js";

const WIDTH = 1000; // units of a lane's picture; it is stretched to what there is
const LEAST = 4; // units of the shortest bar, so that it is seen
const TICK_MS = 100;
const LEGEND = [
  ["queued", "queued"], ["running", "running"], ["planned", "planned"], ["done", "done"], ["doneWithErrors", "done with errors"],
  ["failed", "failed"], ["cancelled", "cancelled"], ["due", "due"], ["poll", "poll"], ["early", "poll too soon"], ["now", "now"],
];
const STEPS = [
  100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000,
  21_600_000, 43_200_000, 86_400_000, 172_800_000, 604_800_000, 2_592_000_000, 31_536_000_000,
];

/** `jobs` with their instants in milliseconds; `span` is how much of the past is shown, 0 for all. */
export function Lanes({ sandbox, jobs, clock, span }) {
  const now = useNow(clock, TICK_MS);
  const axis = useAxis(jobs, now, span);
  const lane = (job, at) => html`<${Lane} key=${job.id} sandbox=${sandbox} job=${job} axis=${axis} now=${at} />`;
  const ended = useMemo(() => new Map(jobs.filter((one) => one.end !== null).map((one) => [one, lane(one, null)])), [jobs, axis]);
  return html`
    <div class="jobs-lanes">
      <div class="jobs-axis" aria-hidden="true">
        <span class="jobs-date">${dateOf(new Date(axis.from).toISOString())}</span>
        <div>${axis.marks.map((at) => html`<span key=${at} style=${{ left: percent(axis, at) }}>${markOf(at, axis.step)}</span>`)}</div>
      </div>
      <div class="jobs-over" aria-hidden="true">
        ${axis.marks.map((at) => html`<i key=${at} style=${{ left: percent(axis, at) }}></i>`)}
        ${now !== null && now >= axis.from && now <= axis.to && html`<i class="now" style=${{ left: percent(axis, now) }}></i>`}
      </div>
      <ol aria-label="Jobs, the newest first">
        ${jobs.map((one) => ended.get(one) ?? lane(one, now))}
      </ol>
    </div>
    <p class="jobs-legend" aria-hidden="true">${LEGEND.map(([name, words]) => html`<span key=${name}><i class=${name}></i>${words}</span>`)}</p>`;
}

const percent = ({ from, to }, at) => `${((at - from) / (to - from)) * 100}%`;

/** The part of the time that is shown. It grows in steps, so that lanes are not drawn anew at each tick of the clock. */
function useAxis(jobs, now, span) {
  const [from, to] = useMemo(() => extent(jobs), [jobs]);
  const last = Math.max(to, now ?? to);
  const first = span ? Math.max(from, (now ?? last) - span) : from;
  const step = STEPS.find((one) => (last - first) / one <= 8) ?? STEPS.at(-1);
  const begin = Math.floor(first / step) * step;
  const end = Math.max(Math.ceil((span ? Math.min(last, (now ?? last) + span) : last) / step), begin / step + 1) * step;
  return useMemo(() => {
    const marks = [];
    for (let at = begin; at < end && marks.length < 40; at += step) marks.push(at);
    return { from: begin, to: end, step, marks };
  }, [begin, end, step]);
}

function extent(jobs) {
  let [from, to] = [Infinity, -Infinity];
  for (const job of jobs) {
    from = Math.min(from, job.from);
    to = Math.max(to, job.begin, job.until ?? job.begin, ...job.polls.slice(-1).map((one) => Date.parse(one.at)));
  }
  return [from, to];
}

const markOf = (at, step) => {
  const text = new Date(at).toISOString();
  if (step >= 86_400_000) return dateOf(text);
  return step < 1000 ? timeOf(text) : step < 60_000 ? text.slice(11, 19) : text.slice(11, 16);
};

function Lane({ sandbox, job, axis, now }) {
  const seen = job.end ?? Math.max(job.from, Math.min(now ?? job.from, axis.to));
  const place = Math.round((WIDTH * 4 * (seen - axis.from)) / (axis.to - axis.from)); // redrawn by quarters of a unit
  return useMemo(() => html`
    <li>
      <div class="jobs-label">
        <a href=${hrefOf(sandbox, "jobs", job.id)}>${job.operation}<span class="hidden">, job ${job.id}</span></a>
        <span class="muted jobs-of">${job.api} · ${job.tenant} · ${counted(job.items, "item")}</span>
        <${Stage} job=${job} />
        <${ExchangeLink} sandbox=${sandbox} n=${job.exchange} />
        <span class="hidden">${told(job)}</span>
      </div>
      <${Picture} job=${job} axis=${axis} seen=${seen} />
    </li>`, [sandbox, job, axis, place]);
}

function Picture({ job, axis, seen }) {
  const x = (at) => ((Math.min(Math.max(at, axis.from), axis.to) - axis.from) / (axis.to - axis.from)) * WIDTH;
  const bar = (name, from, until, top, height) => {
    const [left, right] = [x(from), x(until)];
    return until >= from && until >= axis.from && html`
      <rect class=${name} x=${left} y=${top} width=${Math.max(right - left, LEAST)} height=${height} />`;
  };
  const lines = (polls, from, to) => polls.map((one) => Date.parse(one.at)).filter((at) => at >= axis.from && at <= axis.to)
    .map((at) => `M${x(at)} ${from}V${to}`).join("");
  const due = job.until ?? axis.to;
  const isBegun = seen > job.begin || (seen === job.begin && job.stage !== "queued");
  const color = job.end === null ? "running" : job.stage;
  return html`
    <svg class="jobs-lane" viewBox=${`0 0 ${WIDTH} 24`} preserveAspectRatio="none" aria-hidden="true" focusable="false">
      ${job.begin > job.from && bar("queued", job.from, Math.min(job.begin, seen), 10, 4)}
      ${job.end === null && bar("planned", Math.max(seen, job.from), due, 7, 10)}
      ${isBegun && bar(color, job.begin, seen, 7, 10)}
      ${job.stage === "cancelled" && !isBegun && bar("cancelled", job.from, seen, 7, 10)}
      ${job.until !== null && job.until >= axis.from && job.until <= axis.to && html`<path class="due" d=${`M${x(job.until)} 3V21`} />`}
      <path class="poll" d=${lines(job.polls.filter((one) => !one.tooSoon), 0, 6)} />
      <path class="early" d=${lines(job.polls.filter((one) => one.tooSoon), 0, 6)} />
    </svg>`;
}
