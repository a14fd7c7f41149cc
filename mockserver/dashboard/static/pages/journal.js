/** The journal: every exchange of the sandbox as it happens, the newest first. */

import { get, ofSandbox } from "../api.js";
import { useLive } from "../shell.js";
import { Badge, Count, Empty, ErrorMessage, Instant, Loading, OutcomeBar, PageHead, StatusBadge, Table, html, useLoaded } from "../ui.js";
import { useState } from "../vendor/htm-preact.js";

const COLUMNS = [
  { title: "No.", align: "end", render: (one) => html`<span class="data">${one.n}</span>` },
  { title: "Time", render: (one) => html`<${Instant} at=${one.at} />` },
  { title: "Operation", wide: true, render: (one) => html`${one.operation ?? "–"} <code class="muted">${one.method} ${one.path}</code>` },
  { title: "Status", render: (one) => html`<${StatusBadge} status=${one.status} />` },
  { title: "Outcomes", render: (one) => html`<${OutcomeBar} ...${one.outcomes} />` },
  { title: "Scenario", render: (one) => one.rules.map((name) => html`<${Badge} key=${name}>${name}<//> `) },
  { title: "Violations", align: "end", render: (one) => (one.violations ? html`<span class="data warn">${one.violations}</span>` : "") },
];

export default function Journal({ sandbox }) {
  const { data, error, reload } = useLoaded((signal) => get(`${ofSandbox(sandbox, "exchanges")}?limit=10000`, { signal }), [sandbox]);
  const [news, setNews] = useState([]);
  useLive((events) => {
    if (events.some((one) => one.name === "reset")) { setNews([]); reload(); return; }
    const told = events.filter((one) => one.name === "exchange").map((one) => one.data);
    if (told.length) setNews((before) => [...before, ...told]);
  });
  if (error) return html`<${ErrorMessage} error=${error} onRetry=${reload} />`;
  if (!data) return html`<${Loading} />`;
  const rows = [...new Map([...data.exchanges, ...news].map((one) => [one.n, one])).values()].reverse();
  return html`
    <${PageHead} title="Journal"><${Count} count=${rows.length} noun="exchange" /><//>
    <${Table} caption="Exchanges, the newest first" columns=${COLUMNS} rows=${rows} rowKey=${(one) => one.n}
      empty=${html`<${Empty} title="Nothing has been asked of this sandbox yet." />`} />`;
}
