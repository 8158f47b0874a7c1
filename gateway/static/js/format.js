// @ts-check
// Times and ages as texts: 24 hours, Latin digits, the site's zone. Pure: every time is an argument.

/** @type {Map<string, Intl.DateTimeFormat>} */
const FORMATS = new Map();
/** @type {Record<string, string>} */
const ZONE_NAMES = { "Asia/Kuala_Lumpur": "MYT", "Asia/Kuching": "MYT" };

/**
 * @param {string} tz
 * @param {string} kind
 * @param {Intl.DateTimeFormatOptions} options
 */
function format(tz, kind, options) {
  const name = `${kind} ${tz}`;
  let made = FORMATS.get(name);
  if (!made) {
    made = new Intl.DateTimeFormat("en-GB", { timeZone: tz, ...options });
    FORMATS.set(name, made);
  }
  return made;
}

/**
 * 17:51:24
 * @param {number} ms
 * @param {string} tz
 */
export function clock(ms, tz) {
  return format(tz, "clock", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).format(ms);
}

/**
 * 17:51
 * @param {number} ms
 * @param {string} tz
 */
export function hour(ms, tz) {
  return format(tz, "hour", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(ms);
}

/**
 * Sun 20 Dec 2026
 * @param {number} ms
 * @param {string} tz
 */
export function date(ms, tz) {
  const parts = format(tz, "date", { weekday: "short", day: "numeric", month: "short", year: "numeric" }).formatToParts(ms);
  const of = Object.fromEntries(parts.map((p) => [p.type, p.value]));
  return `${of.weekday} ${of.day} ${of.month} ${of.year}`;
}

/**
 * MYT (UTC+8)
 * @param {number} ms
 * @param {string} tz
 */
export function zone(ms, tz) {
  const parts = format(tz, "zone", { timeZoneName: "shortOffset" }).formatToParts(ms);
  const offset = (parts.find((p) => p.type === "timeZoneName")?.value ?? "").replace("GMT", "UTC");
  return { name: ZONE_NAMES[tz] ?? offset, offset };
}

/**
 * How long ago, in one unit: 1 s, 22 m, 2 h, 3 d.
 * @param {number} ms
 */
export function age(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

/**
 * The same with a longer word, for sentences: 34 s, 14 min, 2 h.
 * @param {number} ms
 */
export function span(ms) {
  return age(ms).replace(/ m$/, " min");
}

/**
 * A running time: 0:34, 2:10, 1:05:00.
 * @param {number} ms
 */
export function timer(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const h = Math.floor(s / 3600);
  return h ? `${h}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}

/**
 * Initials with their dots: NA -> N.A. What is not two or three capitals stays as it is.
 * @param {string} text
 */
export function initials(text) {
  return /^\p{Lu}{2,3}$/u.test(text) ? `${[...text].join(".")}.` : text;
}
