/** An OpenAPI document: its operations, what references lead to, and who says what is at a place of it. */

const PLACES = ["path", "query", "header", "cookie"];
const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
const FOREIGN = new Set(["example", "examples", "default", "const", "enum"]); // what is inside is data

/**
 * Return what a page needs of a document that refers to nothing outside itself.
 * @returns {{root: object, tags: string[], operation: (method: string, path: string) => object,
 *   resolved: (place: Place) => Place, source: (pointer: string) => object|null}}
 */
export function documentOf(root) {
  const sources = sourcesOf(root);
  const at = (pointer) => tokensOf(pointer).reduce((node, token) => node?.[token], root);
  const resolved = (place) => {
    let found = place;
    for (let left = 20; typeof found?.node?.$ref === "string" && left; left -= 1) {
      const pointer = found.node.$ref.replace(/^#/, "");
      found = { node: at(pointer), pointer, name: nameOf(pointer), beside: found.node };
    }
    return found;
  };
  return {
    root,
    resolved,
    tags: (root.tags ?? []).map((one) => one.name),
    operation: (method, path) => operationOf(root, method.toLowerCase(), path),
    source: (pointer) => nearest(sources, pointer),
  };
}

/** A place in a document: its node, its pointer, the name that a reference gave it. */
export const inside = ({ node, pointer }, ...tokens) => ({
  node: tokens.reduce((found, one) => found?.[one], node),
  pointer: pointer + tokens.map((one) => `/${String(one).replaceAll("~", "~0").replaceAll("/", "~1")}`).join(""),
});

/** The place of an operation in the document. */
export function placeOf(document, { method, path }) {
  const paths = inside({ node: document.root, pointer: "" }, "paths");
  const item = inside(paths, path);
  return { item, own: inside(item, method.toLowerCase()) };
}

/** The parameters of an operation and of its path, the operation's own going before the path's. */
export function parametersOf(document, item, own) {
  const found = new Map();
  for (const place of [inside(item, "parameters"), inside(own, "parameters")]) {
    (place.node ?? []).forEach((_, n) => {
      const one = document.resolved(inside(place, n));
      if (one.node) found.set(`${one.node.in}:${one.node.name}`, one);
    });
  }
  return [...found.values()].sort((one, other) => PLACES.indexOf(one.node.in) - PLACES.indexOf(other.node.in));
}

function operationOf(root, method, path) {
  return METHODS.includes(method) ? root.paths?.[path]?.[method] ?? {} : {};
}

const tokensOf = (pointer) =>
  pointer.split("/").slice(1).map((one) => decodeURIComponent(one).replaceAll("~1", "/").replaceAll("~0", "~"));

const nameOf = (pointer) => tokensOf(pointer).at(-1) ?? "";

/** What `x-source` entries say, by the pointer of what they speak for. */
function sourcesOf(root) {
  const found = new Map();
  const pages = root["x-source-pages"] ?? {};
  const walk = (node, pointer) => {
    if (node === null || typeof node !== "object") return;
    for (const entry of entriesOf(node["x-source"])) {
      const page = pages[entry.page] ?? entry.page ?? "";
      const told = { says: entry.says, page, title: entry.page in pages ? entry.page : "", note: entry.note ?? "" };
      for (const one of entry.of ?? [""]) found.set(pointer + one, told);
    }
    for (const [name, inner] of Object.entries(node)) {
      if (!FOREIGN.has(name)) walk(inner, inside({ node, pointer }, name).pointer);
    }
  };
  if (root["x-source"] || root["x-source-pages"]) walk(root, "");
  return found;
}

const entriesOf = (written) => (Array.isArray(written) ? written : [written]).filter((one) => one?.says);

function nearest(sources, pointer) {
  for (let at = pointer; ; at = at.slice(0, at.lastIndexOf("/"))) {
    if (sources.has(at)) return sources.get(at);
    if (!at) return null;
  }
}
