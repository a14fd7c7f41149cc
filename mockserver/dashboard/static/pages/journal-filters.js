/** Which exchanges the journal shows. */

/** The filters that are chosen from a list. */
export const FILTERS = [
  { name: "status", label: "Status", choices: [
    ["", "Any status"], ["2", "2xx"], ["3", "3xx"], ["4", "4xx"], ["5", "5xx"]] },
  { name: "outcome", label: "Outcome", choices: [
    ["", "Any outcome"], ["failed", "With failed items"], ["not-run", "With items not run"], ["waiting", "With items waiting"], ["done", "All items done"],
    ["none", "Without items"]] },
  { name: "fault", label: "Fault", choices: [
    ["", "With or without faults"], ["wire", "Not received whole"], ["scenario", "By a scenario"], ["violations", "With violations"]] },
];

export const NO_FILTER = { text: "", operation: "", status: "", outcome: "", fault: "" };

/** Tell whether a filter leaves anything out. */
export const isFiltered = (filter) => Object.keys(NO_FILTER).some((name) => filter[name]);

const OUTCOMES = {
  failed: ({ failed }) => failed > 0,
  "not-run": ({ notRun }) => notRun > 0,
  waiting: ({ waiting }) => waiting > 0,
  done: ({ done, failed, notRun, waiting }) => done > 0 && !failed && !notRun && !waiting,
  none: ({ done, failed, notRun, waiting }) => !done && !failed && !notRun && !waiting,
};
const FAULTS = {
  wire: (one) => one.delivery.fate !== "sent",
  scenario: (one) => one.rules.length > 0,
  violations: (one) => one.violations > 0,
};

/** Tell whether an exchange fits a filter. */
export function fits(one, { text, operation, status, outcome, fault }) {
  return (!operation || (one.operation ?? NO_OPERATION) === operation)
    && (!status || String(one.status).startsWith(status))
    && (!outcome || OUTCOMES[outcome](one.items))
    && (!fault || FAULTS[fault](one))
    && (!text || textOf(one).includes(text.toLowerCase()));
}

const NO_OPERATION = "no operation";

const textOf = (one) =>
  [one.n, one.method, one.path, one.operation ?? NO_OPERATION, one.api, one.tenant, one.client, one.status, one.delivery.fate, ...one.rules]
    .join(" ").toLowerCase();

/** The operations of exchanges, sorted. */
export const operationsOf = (entries) => [...new Set(entries.map((one) => one.operation ?? NO_OPERATION))].sort();
