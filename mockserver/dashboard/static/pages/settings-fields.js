/** The settings of a sandbox as fields, which their JSON Schema makes: what was typed, and the patch that saves it. */

/**
 * The fields of settings, in order. Objects with members of their own become groups; the entries of a map do too, each
 * with its `map`, the pointer of that, and its `entry`, its name. A map itself is a field of the kind `map`.
 * @param {{schema: object, value: object, edits: {added: object, removed: string[]}}} of `added` has the names of new
 *   entries by the pointer of their map, `removed` the pointers of entries that are to go
 */
export function fieldsOf({ schema, value, edits, fresh = schema.default, path = [], own = {} }) {
  return Object.entries(schema.properties).flatMap(([name, one]) => {
    const here = [...path, name];
    const part = { schema: one, value: value?.[name], fresh: one.default ?? fresh?.[name], path: here, own, edits };
    if (one.properties) return fieldsOf(part);
    const field = fieldOf(name, part);
    return field.kind === "map" ? [field, ...entriesOf(field, part)] : [field];
  });
}

function fieldOf(name, { schema, value, fresh, path, own }) {
  return { name, path, pointer: pointerOf(path), group: path.slice(0, -1).join("."), schema, value, fresh, kind: kindOf(schema), ...own };
}

function entriesOf(map, { schema, value, fresh, path, edits }) {
  const like = Object.values(fresh ?? {})[0] ?? Object.values(value ?? {})[0];
  return namesOf(map, edits).flatMap((name) => {
    const here = [...path, name];
    const isNew = !(name in (value ?? {}));
    const own = { map: map.pointer, entry: name, isNew };
    const part = { schema: schema.additionalProperties, value: isNew ? like : value[name], fresh: fresh?.[name], path: here, own, edits };
    if (part.schema.properties) return fieldsOf(part);
    return [{ ...fieldOf(name, part), group: path.join(".") }];
  });
}

/** The names of a map's entries as they will be when it is saved. */
export const namesOf = ({ pointer, path, value }, { added, removed }) =>
  [...Object.keys(value ?? {}), ...(added[pointer] ?? [])].filter((name) => !removed.includes(pointerOf([...path, name])));

export const pointerOf = (path) => path.map((token) => `/${token.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

function kindOf({ enum: words, type, additionalProperties: entry }) {
  if (words) return "choice";
  if (type === "object" && entry && entry !== true) return "map";
  return { boolean: "switch", integer: "number", number: "number", string: "text" }[type] ?? "json";
}

export const textOf = ({ kind }, value) => (kind === "json" ? JSON.stringify(value, null, 2) : String(value ?? ""));

/** The value that a text stands for. Raises SyntaxError for JSON that cannot be read. */
export function valueOf({ kind, schema }, text) {
  if (kind === "json") return JSON.parse(text);
  if (kind === "switch") return text === "true";
  if (kind === "number") return text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text);
  return kind === "choice" ? schema.enum.find((one) => String(one) === text) : text;
}

/** Put a value into a JSON Merge Patch (RFC 7396). */
export function putInto(body, [name, ...rest], value) {
  if (rest.length) putInto((body[name] ??= {}), rest, value);
  else body[name] = value;
}

/** The JSON Merge Patch that makes `after` of `before`. */
export function difference(before, after) {
  if (!isObject(before) || !isObject(after)) return after;
  const found = Object.fromEntries(Object.keys(before).filter((name) => !(name in after)).map((name) => [name, null]));
  for (const [name, value] of Object.entries(after)) {
    if (JSON.stringify(before[name]) !== JSON.stringify(value)) found[name] = name in before ? difference(before[name], value) : value;
  }
  return found;
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
