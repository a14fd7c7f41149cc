/** How instants, durations, numbers and long texts are written. */

const EXACT = new Intl.NumberFormat("en");

/** A whole number with separators: `10,000`. */
export const number = (value) => EXACT.format(value);

/** A count with its noun: `1 item`, `2 items`. */
export const counted = (count, noun, several = `${noun}s`) => `${number(count)} ${count === 1 ? noun : several}`;

/** The date of an RFC 3339 instant in UTC: `2026-05-01`. */
export const dateOf = (instant) => instant.slice(0, 10);

/** The time of an RFC 3339 instant in UTC, to the millisecond where it has one: `00:05:02.002`. */
export function timeOf(instant) {
  const [, time, fraction] = /T(\d\d:\d\d:\d\d)(\.\d{1,3})?/.exec(instant) ?? [, instant, ""];
  return time + (fraction ? fraction.padEnd(4, "0") : "");
}

/** Milliseconds since 1970 as an RFC 3339 instant in UTC, to the second. */
export const instantOf = (milliseconds) => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;

const UNITS = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000], ["ms", 1]];

/** Milliseconds in words, the two largest units: `2 h 5 min`. */
export function duration(milliseconds) {
  const parts = [];
  let rest = Math.round(Math.abs(milliseconds));
  for (const [unit, size] of UNITS) {
    if (rest >= size) parts.push(`${Math.floor(rest / size)} ${unit}`);
    rest %= size;
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

/** An ISO 8601 duration without years and months in milliseconds: `PT5M`. */
export function milliseconds(iso) {
  const [, w = 0, d = 0, h = 0, m = 0, s = 0] =
    /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?$/.exec(iso) ?? [];
  return ((((w * 7 + +d) * 24 + +h) * 60 + +m) * 60 + +s) * 1000;
}

/** Bytes in words: `12 B`, `3.4 KiB`. */
export function bytes(count) {
  if (count < 1024) return `${count} B`;
  const [unit, size] = count < 1 << 20 ? ["KiB", 1024] : ["MiB", 1 << 20];
  return `${(count / size).toFixed(1)} ${unit}`;
}
