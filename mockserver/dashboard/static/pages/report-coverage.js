/** Coverage as heat maps: tables whose cells say what they mean; colour is the second sign. */

import { number } from "../format.js";
import { html } from "../ui.js";
import { WORDS } from "./report-files.js";

const ORDER = ["failed", "warning", "flaky", "known", "passed", "not-run", "not-applicable"];
const SHADES = 5;
const OUTCOMES = {
  allOk: "all done", someFailed: "some failed", allFailed: "all failed", wholeFailed: "failed as one", "not-applicable": "n/a",
};

/** The maps that a report has: results by law and operation, and counts by operation and outcome where it has them. */
export function Coverage({ report }) {
  return html`
    <${Heat} caption="Results by law and operation" ...${resultsOf(report.rows)} />
    ${report.coverage.length > 0 && html`
      <${Heat} caption="How often each outcome was judged, by operation" ...${timesOf(report.coverage, "operation", "outcome")} />
      <${Heat} caption="How often each law was exercised, by operation" ...${timesOf(report.coverage, "law", "operation")} />`}`;
}

/** Each cell is the worst result of a law on an operation. */
function resultsOf(rows) {
  const cells = new Map();
  for (const { law, group, status } of rows) {
    const key = `${law}\n${group}`;
    const before = cells.get(key) ?? { status, count: 0 };
    const isWorse = ORDER.indexOf(status) < ORDER.indexOf(before.status);
    cells.set(key, { status: isWorse ? status : before.status, count: isWorse ? 1 : before.count + (status === before.status) });
  }
  return {
    names: unique(rows.map((one) => one.law)), columns: unique(rows.map((one) => one.group)),
    cell: (law, group) => {
      const found = cells.get(`${law}\n${group}`);
      if (!found) return null;
      const word = WORDS[found.status] ?? found.status;
      return { kind: found.status, text: found.count > 1 && found.status !== "passed" ? `${word} ${found.count}` : word };
    },
  };
}

/** Each cell is a number, darker where it is larger; the scale is logarithmic. */
function timesOf(coverage, down, across) {
  const cells = new Map();
  for (const one of coverage) {
    const key = `${one[down]}\n${one[across]}`;
    cells.set(key, (cells.get(key) ?? 0) + one.times);
  }
  const most = Math.log(1 + Math.max(...cells.values()));
  return {
    names: unique(coverage.map((one) => one[down])), columns: unique(coverage.map((one) => one[across])),
    cell: (name, column) => {
      const times = cells.get(`${name}\n${column}`);
      return times === undefined ? null : { kind: `heat-${Math.ceil((SHADES * Math.log(1 + times)) / most)}`, text: number(times) };
    },
  };
}

const unique = (values) => [...new Set(values)];

function Heat({ caption, names, columns, cell }) {
  return html`
    <section class="report-heat">
      <h2>${caption}</h2>
      <div class="table" tabindex="0" role="group" aria-label=${caption}>
        <table>
          <caption class="hidden">${caption}</caption>
          <thead><tr><td></td>${columns.map((one) => html`<th key=${one} scope="col"><span>${OUTCOMES[one] ?? (one || "any")}</span></th>`)}</tr></thead>
          <tbody>${names.map((name) => html`
            <tr key=${name}>
              <th scope="row">${name || "any"}</th>
              ${columns.map((column) => {
                const found = cell(name, column);
                return html`<td key=${column} class=${found ? `cell ${found.kind}` : "cell none"}>${found?.text ?? html`<span class="hidden">nothing</span>·`}</td>`;
              })}
            </tr>`)}
          </tbody>
        </table>
      </div>
    </section>`;
}
