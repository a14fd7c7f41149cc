/** Jobs as lanes on the sandbox's clock, with the clock's buttons; `#/jobs/ID` opens one of them. */

import { get, ofSandbox } from "../api.js";
import { counted, duration, number } from "../format.js";
import { useFollowed } from "../reload.js";
import { hrefOf, useClock } from "../shell.js";
import { Badge, Count, Dialog, Empty, ErrorMessage, Instant, Loading, PageHead, Table, Tabs, html } from "../ui.js";
import { useEffect, useMemo, useState } from "../vendor/htm-preact.js";
import { ClockControls } from "./clock.js";
import { ExchangeLink, STAGES, Stage } from "./job.js";
import { Lanes } from "./lanes.js";

const SHOWN = 200; // lanes that are drawn at first
const LOOK_MS = 250; // how often a running clock is compared with the plans

export default function Jobs({ sandbox, rest, go }) {
  const { data, error, reload } = useFollowed(
    (signal) => get(`${ofSandbox(sandbox, "jobs")}?polls=true`, { signal }).then((told) => told.jobs.map(read)), [sandbox]);
  const [wanted, setWanted] = useState({ api: "", stage: "", span: "" });
  const clock = useClock();
  usePlans(data, clock, reload);
  const jobs = useMemo(() => (data ?? []).filter((one) => fits(one, wanted)).reverse(), [data, wanted]);
  const chosen = rest[0] && data?.find((one) => one.id === rest[0]);
  return html`
    <${PageHead} title="Jobs">
      ${data?.length > 0 && html`<${Filters} jobs=${data} wanted=${wanted} onChange=${setWanted} />
        <${Count} count=${jobs.length} noun="job" />`}
    <//>
    <${ClockControls} sandbox=${sandbox} clock=${clock} onMoved=${reload} />
    ${error && html`<${ErrorMessage} error=${error} onRetry=${reload} />`}
    ${!data && !error && html`<${Loading} />`}
    ${data && html`<${Content} sandbox=${sandbox} jobs=${jobs} all=${data.length} clock=${clock} span=${wanted.span} />`}
    ${rest[0] && data && html`
      <${Dialog} title="Job" isWide onClose=${() => go()}>
        ${chosen ? html`<${Job} job=${chosen} sandbox=${sandbox} />`
          : html`<${Empty} title="This job is not known, or not any more." />`}
      <//>`}`;
}

/** A job with its instants in milliseconds. */
const read = (told) => ({
  ...told,
  from: Date.parse(told.posted),
  begin: Date.parse(told.begins),
  until: told.due === null ? null : Date.parse(told.due),
  end: told.ended === null ? null : Date.parse(told.ended),
  early: told.polls.filter((one) => one.tooSoon).length,
});

const fits = (job, { api, stage }) =>
  (!api || job.api === api) && (!stage || (stage === "unfinished" ? job.end === null : job.stage === stage));

/** Load again when a running clock has passed the beginning or end of a job. */
function usePlans(jobs, clock, reload) {
  useEffect(() => {
    if (!clock || clock.mode === "frozen" || !jobs) return undefined;
    const read = clock.at();
    const ahead = jobs.filter((one) => one.end === null).flatMap((one) => [one.begin, one.until]).filter((at) => at > read);
    if (!ahead.length) return undefined;
    const next = Math.min(...ahead);
    const timer = setInterval(() => { if (clock.at() >= next) { clearInterval(timer); reload(); } }, LOOK_MS);
    return () => clearInterval(timer);
  }, [jobs, clock]);
}

const SPANS = { "": "all of the time", 60_000: "the last minute", 600_000: "the last 10 min", 3_600_000: "the last hour", 86_400_000: "the last day" };

function Filters({ jobs, wanted, onChange }) {
  const choose = (name) => (event) => onChange({ ...wanted, [name]: event.currentTarget.value });
  const apis = [...new Set(jobs.map((one) => one.api))].sort();
  return html`
    ${apis.length > 1 && html`
      <select aria-label="API" value=${wanted.api} onChange=${choose("api")}>
        <option value="">every API</option>${apis.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}
      </select>`}
    <select aria-label="State" value=${wanted.stage} onChange=${choose("stage")}>
      <option value="">every state</option><option value="unfinished">unfinished</option>
      ${Object.entries(STAGES).map(([name, { word }]) => html`<option key=${name} value=${name}>${word}</option>`)}
    </select>
    <select aria-label="Time" value=${wanted.span} onChange=${choose("span")}>
      ${Object.entries(SPANS).sort(([a], [b]) => a - b).map(([ms, words]) => html`<option key=${ms} value=${ms}>${words}</option>`)}
    </select>`;
}

function Content({ sandbox, jobs, all, clock, span }) {
  const [shown, setShown] = useState(SHOWN);
  if (!all) {
    return html`<${Empty} title="No job has been made yet.">
      A job begins with a call that is accepted and carried out later. Its lane appears here.<//>`;
  }
  if (!jobs.length) return html`<${Empty} title="No job fits these filters." />`;
  const some = jobs.slice(0, shown);
  const tabs = [
    { id: "lanes", title: "Lanes", content: () => html`<${Lanes} sandbox=${sandbox} jobs=${some} clock=${clock} span=${+span} />` },
    { id: "table", title: "Table", content: () => html`<${JobTable} sandbox=${sandbox} jobs=${some} />` },
  ];
  return html`
    <${Tabs} label="View" tabs=${tabs} />
    ${jobs.length > shown && html`<p><button type="button" onClick=${() => setShown(jobs.length)}>
      Show all ${counted(jobs.length, "job")}</button></p>`}`;
}

function JobTable({ sandbox, jobs }) {
  const columns = [
    { title: "Job", render: (one) => html`<a class="data" href=${hrefOf(sandbox, "jobs", one.id)}>${one.id}</a>` },
    { title: "Operation", render: (one) => html`${one.operation} <span class="muted">${one.api}, ${one.tenant}</span>` },
    { title: "State", render: (one) => html`<${Stage} job=${one} />` },
    { title: "Items", align: "end", render: (one) => html`<span class="data">${number(one.items)}</span>` },
    { title: "Posted", render: (one) => html`<${Instant} dated at=${one.posted} />` },
    { title: "Begins", render: (one) => html`<${Instant} at=${one.begins} />` },
    { title: "Due", render: (one) => (one.due ? html`<${Instant} at=${one.due} />` : "never ends") },
    { title: "Polls", align: "end", render: (one) => html`<span class="data">${one.polls.length}</span>` },
    { title: "Too soon", align: "end", render: (one) => html`<span class=${one.early ? "data bad" : "data"}>${one.early}</span>` },
    { title: "Exchange", align: "end", render: (one) => html`<${ExchangeLink} sandbox=${sandbox} n=${one.exchange} />` },
  ];
  return html`<${Table} caption="Jobs, the newest first" columns=${columns} rows=${jobs} rowKey=${(one) => one.id} />`;
}

function Job({ job, sandbox }) {
  const facts = [
    ["State", html`<${Stage} job=${job} /> <code class="muted">${job.state}</code>`],
    ["Operation", html`${job.operation} <span class="muted">of ${job.api}</span>`],
    ["Id", html`<code>${job.id}</code>`],
    ["Speaks of", html`<code>${job.tenant}</code>`],
    ["Client", html`<code>${job.client}</code>`],
    ["Items", html`<span class="data">${number(job.items)}</span>`],
    ["Posted by", html`<${ExchangeLink} sandbox=${sandbox} n=${job.exchange} />`],
    ...job.plan.map((one, n) => [n ? "Then" : "Plan", html`<${Instant} dated at=${one.at} /> <code class="muted">${one.state}</code>`]),
    ["Due", job.due ? html`<${Instant} dated at=${job.due} />` : "never ends"],
  ];
  const polls = job.polls.map((one, n) => ({ ...one, before: n ? job.polls[n - 1].at : job.posted }));
  const columns = [
    { title: "Exchange", align: "end", render: (one) => html`<${ExchangeLink} sandbox=${sandbox} n=${one.n} />` },
    { title: "Time", render: (one) => html`<${Instant} at=${one.at} />` },
    { title: "After", align: "end", render: (one) => html`<span class="data">${duration(Date.parse(one.at) - Date.parse(one.before))}</span>` },
    { title: "Verdict", wide: true, render: (one) => (one.tooSoon
      ? html`<${Badge} kind="bad">too soon<//> ${one.tooSoon}` : html`<${Badge} kind="good">in time<//>`) },
  ];
  return html`
    <dl class="jobs-facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    <h3>Polls</h3>
    <${Table} caption="Polls of this job" columns=${columns} rows=${polls} rowKey=${(one) => one.n}
      empty=${html`<p class="muted">Its client has not asked for it, or the journal has forgotten that.</p>`} />`;
}
