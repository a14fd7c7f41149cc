/** What a client believes, as text: JSON, lines of JSON, or CSV (RFC 4180). Main entry: `readBelief`. */

/**
 * Read records of a text, and tell which keys occur twice.
 * @returns {{records: object[], doubled: string[], isText: boolean}} `isText`: values are texts, as CSV has them
 */
export function readBelief(text, key) {
  const begun = text.trimStart()[0];
  if (begun === undefined) throw new Error("There is nothing to compare: paste records, or choose a file.");
  const isText = begun !== "[" && begun !== "{";
  const records = isText ? fromCsv(text) : fromJson(text);
  const [known, doubled, kept] = [new Set(), new Set(), []];
  records.forEach((one, n) => {
    if (one === null || typeof one !== "object" || Array.isArray(one)) throw new Error(`Record ${n + 1} is no object.`);
    requireExact(one);
    const own = String(one[key]);
    if (one[key] !== undefined && known.has(own)) doubled.add(own);
    else kept.push(one);
    known.add(own);
  });
  return { records: kept, doubled: [...doubled], isText };
}

/** Refuse integers that a browser rounds: a difference of the last digit would not be seen. */
function requireExact(value) {
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new Error(`The number ${value} is too large for a browser to compare; ask the control API itself.`);
  }
  if (value !== null && typeof value === "object") Object.values(value).forEach(requireExact);
}

/** A list, an object that has one (such as an answer with an envelope), one record, or a record a line. */
function fromJson(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const lines = text.split("\n").filter((line) => line.trim());
    if (lines.length < 2) throw new Error(`This is no JSON: ${error.message}`);
    return lines.map((line, n) => {
      try { return JSON.parse(line); } catch { throw new Error(`Line ${n + 1} is no JSON.`); }
    });
  }
  if (Array.isArray(value)) return value;
  return Object.values(value).find((one) => Array.isArray(one) && one.length > 0 && one.every((item) => item !== null && typeof item === "object")) ?? [value];
}

function fromCsv(text) {
  const separator = /^[^\n"]*?([,;\t])/.exec(text)?.[1] ?? ",";
  const [names, ...rows] = rowsOf(text, separator);
  return rows.filter((row) => row.length > 1 || row[0] !== "").map((row, n) => {
    if (row.length > names.length) throw new Error(`Row ${n + 2} has ${row.length} values, the first row ${names.length} names.`);
    return Object.fromEntries(row.map((value, place) => [names[place], valueOf(value)]).filter(([, value]) => value !== ""));
  });
}

/** Truth values and groups are what they look like; anything else is text. */
function valueOf(text) {
  if (/^(true|false)$/i.test(text)) return text.toLowerCase() === "true";
  if (/^[[{]/.test(text)) try { return JSON.parse(text); } catch { return text; }
  return text;
}

function rowsOf(text, separator) {
  const rows = [];
  let [row, field, isQuoted] = [[], "", false];
  const end = () => { row.push(field); field = ""; };
  for (let n = 0; n < text.length; n += 1) {
    const sign = text[n];
    if (isQuoted) {
      if (sign !== '"') field += sign;
      else if (text[n + 1] === '"') { field += '"'; n += 1; }
      else isQuoted = false;
    } else if (sign === '"' && !field) isQuoted = true;
    else if (sign === separator) end();
    else if (sign === "\n") { end(); rows.push(row); row = []; }
    else if (sign !== "\r" || text[n + 1] !== "\n") field += sign;
  }
  if (isQuoted) throw new Error("A quotation mark is not closed.");
  if (field || row.length) { end(); rows.push(row); }
  return rows;
}

/** Leave out differences that are none when values are texts: `3` and "3", nothing and "". */
export function looselyCompared(found) {
  const different = found.different.filter((one) => textOf(one.believed) !== textOf(one.stored));
  const left = new Set(different.map((one) => one.key));
  const gone = new Set(found.different.map((one) => one.key).filter((one) => !left.has(one)));
  return { ...found, different, same: found.same + gone.size };
}

const textOf = (value) => (value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));
