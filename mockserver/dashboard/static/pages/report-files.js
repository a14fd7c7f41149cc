/** Reading reports: JSON Lines, SARIF, JUnit, stored findings; each becomes one shape, or an error in a sentence. */

/** Statuses in words, and the kinds of their badges. */
export const WORDS = { "not-run": "not run", "not-applicable": "n/a" };
export const KINDS = {
  failed: "bad", warning: "warn", flaky: "warn", known: "idle", passed: "good", "not-run": "idle", "not-applicable": "idle",
};

const WANTED = "Give a report of check, fuzz or verdict as JSON Lines (--jsonl), SARIF or JUnit, or a finding.json of a campaign.";
const SARIF_KINDS = { pass: "passed", open: "not-run", notApplicable: "not-applicable", review: "flaky" };

/**
 * Read files, those of one finding together with its scripts.
 * @param {{name: string, text: string}[]} files
 * @returns {{reports: Report[], errors: string[]}} a report is `{name, title, version, facts, summary, error, rows, coverage}`,
 *   its rows `{law, shape, group, says, status, detail, evidence, fingerprint, cause, calls, command, since, breaks, scripts}`
 */
export function readReports(files) {
  const [reports, errors, findings] = [[], [], []];
  for (const { name, text } of files) {
    if (/(test_finding\.py|replay\.sh)$/.test(name)) continue; // read with their finding
    try {
      const found = readFile(name, text);
      if (found.finding) findings.push({ name, ...found });
      else reports.push({ name, ...found });
    } catch (error) {
      errors.push(`${name}: ${error.message}`);
    }
  }
  if (findings.length) reports.push(ofFindings(findings, files));
  return { reports, errors };
}

function readFile(name, text) {
  const begin = text.trimStart();
  if (!begin) throw new Error(`it is empty. ${WANTED}`);
  if (/^<(!doctype html|html)/i.test(begin)) throw new Error(`it is a page of HTML, which a browser shows by itself. ${WANTED}`);
  if (begin.startsWith("<")) return ofJunit(begin);
  if (!begin.startsWith("{")) throw new Error(`it is no report. ${WANTED}`);
  const whole = parsed(begin);
  if (whole === undefined) return ofLines(begin);
  if (Array.isArray(whole.runs)) return ofSarif(whole);
  if (whole.format?.startsWith("bulkproof-finding/")) return { finding: whole };
  if (Array.isArray(whole.laws) && "sandbox" in whole) return ofVerdict(whole);
  if ("report" in whole) return ofLines(begin);
  throw new Error(`it is JSON, but no report. ${WANTED}`);
}

function parsed(text) {
  try { return JSON.parse(text); } catch { return undefined; }
}

/** A row with all its members, its law and shape taken from its name `law: shape`. */
function rowOf({ name, ...given }) {
  const [, law, shape = ""] = /^([^:]+)(?:: (.*))?$/s.exec(name) ?? [, name];
  return {
    law, shape, group: "", says: "", status: "not-run", detail: "", evidence: [], fingerprint: "", cause: "", calls: [],
    command: "", since: "", breaks: [], scripts: {}, ...given,
  };
}

const ofFacts = (facts) => Object.entries(facts ?? {}).map(([name, value]) => [name, String(value)]);

function ofLines(text) {
  const lines = text.split("\n").map((line, n) => ({ line, n: n + 1 })).filter(({ line }) => line.trim());
  const values = lines.map(({ line, n }) => {
    const value = parsed(line);
    if (value === null || typeof value !== "object") throw new Error(`line ${n} is no JSON object. ${WANTED}`);
    return value;
  });
  const [head, ...rest] = values;
  if (typeof head.report !== "string") throw new Error(`its first line has no member “report”. ${WANTED}`);
  rest.forEach((one, n) => {
    if (typeof one.row !== "string" || typeof one.status !== "string") {
      throw new Error(`line ${lines[n + 1].n} is no row: it lacks “row” or “status”.`);
    }
  });
  return {
    title: head.report, version: head.version ?? "", facts: ofFacts(head.facts), summary: head.summary ?? "", error: head.error ?? "",
    coverage: head.coverage ?? [], rows: rest.map(({ row, ...one }) => rowOf({ name: row, ...one })),
  };
}

function ofSarif({ runs }) {
  const [run] = runs;
  if (!run?.results) throw new Error("its SARIF has no run with results.");
  const rules = new Map((run.tool?.driver?.rules ?? []).map((one) => [one.id, one.shortDescription?.text ?? ""]));
  const told = run.invocations?.[0]?.toolExecutionNotifications?.[0]?.message?.text;
  return {
    title: run.automationDetails?.description?.text ?? run.tool?.driver?.name ?? "SARIF", version: run.tool?.driver?.version ?? "",
    facts: ofFacts(run.properties), summary: "", error: told ?? "", coverage: [],
    rows: run.results.map((one) => {
      const [group, ...name] = (one.ruleId ?? "").split("/");
      const properties = one.properties ?? {};
      const own = one.partialFingerprints?.["rule/v1"] ?? "";
      const cause = one.partialFingerprints?.["cause/v1"] ?? "";
      return rowOf({
        name: name.join("/") || group, group: name.length ? group : "", says: rules.get(one.ruleId) ?? "", status: statusOf(one),
        detail: one.message?.text ?? "", fingerprint: own, cause: cause === own ? "" : cause, calls: properties.calls ?? [],
        command: properties.command ?? "", since: properties.since ?? "", breaks: properties.breaks ?? [],
      });
    }),
  };
}

function statusOf({ kind = "fail", level, suppressions }) {
  if (kind !== "fail") return SARIF_KINDS[kind] ?? "not-run";
  if (suppressions?.length) return "known";
  return level === "warning" ? "warning" : "failed";
}

function ofJunit(text) {
  const document = new DOMParser().parseFromString(text, "application/xml");
  const root = document.documentElement;
  if (document.querySelector("parsererror")) throw new Error("it is no well-formed XML.");
  if (!/^testsuites?$/.test(root.localName)) throw new Error(`its root is <${root.localName}>, and not <testsuites>. ${WANTED}`);
  const properties = [...(root.querySelector("testsuite > properties")?.children ?? [])];
  return {
    title: root.getAttribute("name") ?? "JUnit", version: "", summary: "", coverage: [],
    facts: properties.map((one) => [one.getAttribute("name"), one.getAttribute("value") ?? one.textContent]),
    error: root.querySelector("testcase > error")?.getAttribute("message") ?? "",
    rows: [...root.querySelectorAll("testcase")].filter((one) => !one.querySelector(":scope > error")).map(ofCase),
  };
}

function ofCase(node) {
  const [failure, skipped] = ["failure", "skipped"].map((name) => node.querySelector(`:scope > ${name}`));
  const cause = node.querySelector("property[name=cause]")?.getAttribute("value") ?? "";
  const lines = (failure ?? skipped)?.textContent.split("\n") ?? [];
  const said = (label) => lines.filter((one) => one.startsWith(`${label}: `)).map((one) => one.slice(label.length + 2));
  const message = (failure ?? skipped)?.getAttribute("message") ?? "";
  const word = /^(warning|flaky|known): /.exec(message)?.[1];
  return rowOf({
    name: node.getAttribute("name") ?? "", group: node.getAttribute("classname") ?? "", says: said("expected")[0] ?? "",
    status: failure ? "failed" : !skipped ? "passed" : word ?? (message === "not applicable" ? "not-applicable" : "not-run"),
    detail: word ? message.slice(word.length + 2) : message, fingerprint: cause, calls: said("sent"), command: said("try").join("\n"),
    since: said("since")[0] ?? "", breaks: said("why").map((one) => ({ place: one, says: "", page: "", note: "" })),
    evidence: failure && !lines.some((one) => one.startsWith("sent: ")) ? [failure.textContent] : [],
  });
}

function ofVerdict({ sandbox, laws }) {
  return {
    title: `Verdict on the clients of ${sandbox}`, version: "", facts: [["sandbox", sandbox]], summary: "", error: "", coverage: [],
    rows: laws.map((one) => rowOf({ name: one.id, group: one.api, says: one.says, status: one.status, detail: one.detail, evidence: one.evidence })),
  };
}

/** The findings of a campaign's folder as one report. */
function ofFindings(found, files) {
  const beside = (name, other) => files.find((one) => one.name === name.replace(/finding\.json$/, other))?.text;
  const rows = found.map(({ name, finding }) => rowOf({
    name: `${finding.law}: ${finding.shape}`, group: finding.operation || "any", detail: `${finding.says} ${confidence(finding)}`,
    status: finding.tries > 0 && finding.confirmed === 0 ? "flaky" : finding.assumed ? "warning" : "failed",
    fingerprint: finding.fingerprint, cause: finding.group ?? "", since: finding.first_seen ? `First seen on ${finding.first_seen}.` : "",
    calls: (finding.steps ?? []).map(stepLine), breaks: (finding.places ?? []).map(ofPlace),
    evidence: (finding.steps ?? []).map((one) => ("json" in one ? `${stepLine(one)}\n${JSON.stringify(one.json, null, 2)}` : stepLine(one))),
    scripts: { folder: name.replace(/\/?[^/]*$/, ""), pytest: beside(name, "test_finding.py"), hasShell: beside(name, "replay.sh") !== undefined },
  }));
  const [{ finding }] = found;
  return {
    name: "Findings", title: `Findings of ${finding.contract || "a campaign"}`, version: "", summary: "", error: "", coverage: [], rows,
    facts: finding.url ? [["server", finding.url]] : [],
  };
}

function confidence({ tries, confirmed }) {
  if (!tries) return "Not replayed.";
  return `Reproduced ${confirmed}/${tries}${confirmed < tries ? ": flaky" : ""}.`;
}

function stepLine(step) {
  if ("wait" in step) return `wait ${step.wait} s`;
  const query = (step.query ?? []).map(([name, value]) => `${name}=${value}`).join("&");
  return `${step.method} /${step.path.join("/")}${query ? `?${query}` : ""}`;
}

const ofPlace = (place) => ({
  place: decodeURIComponent(place.replace(/^[^#]*#/, "")).replaceAll("~1", "/").replaceAll("~0", "~"), says: "", page: "", note: "",
});
