// @ts-check
// What a tile shows, as plain texts and states: (state, bed, moment) -> view. Pure; the element only copies it.
import { alertsOf, iconOf, isOpen, lasted, person, whatOf } from "./alerts.js";
import { ACVPU, DBP, HR, RR, SBP, SPO2, TEMP, VITALS } from "./codes.js";
import { age, clock, hour, initials, span, timer } from "./format.js";
import { glucoseOf, mindOf, newsOf, pressureOf, shownOf } from "./score.js";
import { t } from "./strings.js";
import { arrow } from "./trend.js";
import { isContinuous, isNumber } from "./value.js";

/** @typedef {import("./value.js").Moment} Moment @typedef {import("./value.js").Shown} Shown @typedef {import("./score.js").News} News */

/**
 * `line`: everything that the sparkline is drawn from, null = none is drawn; `hatch`: drawn as one gap.
 * @typedef {{code: string, series: Nadi.Series, limits: (number | null)[], minute_ms: number, gap_ms: number, from_ms: number, gaps: [number, number][]}} Line
 * @typedef {{id: string, code: string, label: string, unit: string, age: string, points: number | null, text: string, state: string, mark: string,
 *            arrow: string, last: string, lastTime: string, line: Line | null, hatch: boolean, aside: string}} Cell
 * @typedef {{icon: string, word: string, what: string, value: string, note: string, right: string, nobody: string, owner: string, more: string}} Footer
 * @typedef {{sign: string, text: string, partial: string, none: string, title: string, dashed: boolean, high: boolean}} Badge
 * @typedef {{key: string, patient: string, bed: string, initials: string, who: string, tags: {name: string, text: string, title: string}[], state: string,
 *            look: string, frozen: boolean, tint: boolean, badge: Badge | null, cells: Cell[], footer: Footer}} View
 */

const CONTINUOUS_GAP_MS = 3 * 60_000;
const MINUTE_MS = 60_000;
/** @type {(number | null)[]} */
const NO_LIMITS = [];
/** @type {(number | null)[]} */
const SCALE_2 = [88, 92];
/** @type {Nadi.Series} */
const NO_SERIES = [];
const LOOK = { high: "crit", medium: "warn", technical: "tech" };

/**
 * The beds of the ward in their fixed order; who lies in none comes last.
 * @param {Nadi.State} state
 * @returns {{key: string, bed: string, patient: string}[]}
 */
export function bedsOf(state) {
  const patients = Object.values(state.patients);
  const beds = [...new Set([...(state.beds ?? []), ...patients.map((p) => p.bed)])].filter(Boolean);
  if (!state.beds) beds.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return [...beds, ""].flatMap((bed) => {
    const here = patients.filter((p) => p.bed === bed).sort((a, b) => (a.patient < b.patient ? -1 : 1));
    if (!here.length) return bed ? [{ key: `bed ${bed}`, bed, patient: "" }] : [];
    return here.map((p, i) => ({ key: bed && !i ? `bed ${bed}` : `patient ${p.patient}`, bed, patient: p.patient }));
  });
}

/**
 * @param {Nadi.State} state
 * @param {{key: string, bed: string, patient: string}} place
 * @param {Moment} moment
 * @returns {View}
 */
export function tileView(state, place, moment) {
  const p = state.patients[place.patient];
  const bare = { ...place, initials: "", who: "", tags: [], frozen: moment.frozen, tint: false, badge: null, cells: [] };
  if (!p) return { ...bare, state: "empty", look: "empty", footer: { icon: "", word: "", what: t("empty_bed"), value: "", note: "", right: "", nobody: "", owner: "", more: "" } };
  const alerts = alertsOf(state, p.patient);
  const top = alerts[0];
  const news = newsOf(p, moment);
  const silent = p.devices.find((d) => d.silent_since_ms);
  const look = top ? LOOK[top.priority] : silent ? "tech" : "plain";
  return {
    ...bare,
    initials: initials(p.initials),
    who: [p.age_years ?? "", p.sex ?? ""].join(" ").trim(),
    tags: tagsOf(p),
    state: !top ? (silent ? "unowned" : "quiet") : !isOpen(top) ? "latched" : top.owner && top.priority !== "technical" ? "owned" : "unowned",
    look,
    tint: alerts.some((a) => a.kind === "news2" && isOpen(a)),
    badge: badgeOf(news),
    cells: cellsOf(state, p, alerts, news, moment),
    footer: top ? alertFooter(state, top, alerts.length - 1, moment) : quietFooter(p, silent, moment),
  };
}

/** @param {Nadi.Patient} p */
function tagsOf(p) {
  const tags = [];
  if (p.spo2_scale_2) tags.push({ name: "s2", text: t("s2"), title: t("s2_title") });
  if (p.isolation) tags.push({ name: "isolation", text: p.isolation, title: t("isolation", p.isolation === "A" ? t("airborne") : t("droplet")) });
  return tags;
}

/**
 * @param {News} news
 * @returns {Badge}
 */
export function badgeOf(news) {
  const missing = t("missing", news.missing.map((part) => t(`m_${part}`)).join(", "));
  if (news.none) return { sign: "", text: "", partial: "", none: t("no_score", news.none), title: t("no_score", news.none), dashed: true, high: false };
  if (news.total !== null) return { sign: "", text: `${news.total}`, partial: "", none: "", title: t("t_news", news.total), dashed: false, high: news.total >= 7 };
  return { sign: t("at_least", "").trim(), text: `${news.least}`, partial: t("of_7", news.known), none: "", title: missing, dashed: true, high: news.least >= 7 };
}

/**
 * @param {Nadi.State} state
 * @param {Nadi.Patient} p
 * @param {Nadi.Alert[]} alerts
 * @param {News} news
 * @param {Moment} moment
 * @returns {Cell[]}
 */
function cellsOf(state, p, alerts, news, moment) {
  const plain = [HR, SPO2, RR].map((code) => cell(state, p, code, shownOf(p, code, moment), alerts, news, moment));
  const pressure = cell(state, p, SBP, pressureOf(p, moment), alerts, news, moment);
  const warmth = cell(state, p, TEMP, shownOf(p, TEMP, moment), alerts, news, moment);
  const sugar = glucoseOf(p, moment);
  const mind = mindOf(p, moment);
  const points = Math.max(news.parts.consciousness ?? 0, news.parts.oxygen ?? 0);
  if (sugar) {
    const last = cell(state, p, sugar.code, sugar.shown, alerts, news, moment);
    return [...plain, pressure, warmth, { ...last, aside: points ? mind.text : "", points: points || null }];
  }
  const last = {
    id: "mind", code: ACVPU, label: t("acvpu"), unit: t("and_o2"), age: mind.age, points: points || null, text: mind.text, state: mind.state, mark: "", arrow: "",
    last: "", lastTime: "", line: null, hatch: false, aside: "",
  };
  return [...plain, pressure, warmth, last];
}

/**
 * @param {Nadi.State} state
 * @param {Nadi.Patient} p
 * @param {string} code
 * @param {Shown} shown
 * @param {Nadi.Alert[]} alerts
 * @param {News} news
 * @param {Moment} moment
 * @returns {Cell}
 */
function cell(state, p, code, shown, alerts, news, moment) {
  const vital = VITALS[code];
  const numbers = isNumber(shown);
  const series = state.trends[p.patient]?.[code];
  const culprit = alerts.find((a) => a.kind === "limit" && isOpen(a) && (a.code === code || (code === SBP && a.code === DBP)));
  const waiting = shown.state === "waiting" || (shown.state !== "absent" && !series && p.devices.some((d) => !d.last_ms && isContinuousClass(d.device_class)));
  return {
    id: code, code, label: vital.label, unit: vital.unit, age: shown.age, points: vital.part ? (news.parts[vital.part] ?? 0) || null : null,
    text: shown.text, state: shown.state,
    mark: culprit && numbers ? `${LOOK[culprit.priority]} ${culprit.owner ? "outline" : "fill"}` : "",
    arrow: numbers && !moment.frozen ? arrow(code, series, moment.now_ms) : "",
    lastTime: shown.last_ms ? hour(shown.last_ms, moment.tz) : "",
    last: shown.last || (shown.state === "none" ? t("no_value_yet") : ""),
    line: numbers || shown.state === "waiting" ? lineOf(state, p, code, shown, moment) : null,
    hatch: waiting, aside: "",
  };
}

/** @param {string} name */
function isContinuousClass(name) {
  return name === "monitor" || name === "cgm";
}

/**
 * @param {Nadi.State} state
 * @param {Nadi.Patient} p
 * @param {string} code
 * @param {Shown} shown
 * @param {Moment} moment
 * @returns {Line}
 */
function lineOf(state, p, code, shown, moment) {
  const streams = shown.vital ? isContinuous(shown.vital) : true;
  const gap_ms = streams ? Math.max(CONTINUOUS_GAP_MS, 2.5 * (shown.vital?.interval_ms ?? 0)) : Infinity;
  const device = shown.vital?.device;
  const from_ms = p.devices.find((d) => d.device === device)?.bound_ms ?? 0;
  return {
    code, series: state.trends[p.patient]?.[code] ?? NO_SERIES, limits: code === SPO2 && p.spo2_scale_2 ? SCALE_2 : (p.limits[code] ?? NO_LIMITS),
    minute_ms: Math.floor(moment.now_ms / MINUTE_MS) * MINUTE_MS, gap_ms, from_ms, gaps: state.gaps,
  };
}

/**
 * @param {Nadi.State} state
 * @param {Nadi.Alert} a
 * @param {number} more
 * @param {Moment} moment
 * @returns {Footer}
 */
function alertFooter(state, a, more, moment) {
  const what = whatOf(state, a, moment);
  const base = { icon: iconOf(a), word: t(a.priority), what: what.name, value: what.value, note: "", right: "", nobody: "", owner: "", more: more > 0 ? `+${more}` : "" };
  if (a.status === "cleared") {
    return { ...base, word: "", note: `${a.priority === "technical" ? "" : `${lasted(a, moment.tz)} · `}${t("recovered")}` };
  }
  const since = moment.frozen ? "" : timer(moment.now_ms - a.raised_ms);
  const owner = a.owner ? person(state, a.owner) : "";
  const limit = a.kind === "limit" && a.owner ? what.detail.replace(t("limit", ""), "") : "";
  if (a.priority === "technical") return { ...base, note: "", owner, right: owner ? "" : a.kind === "silent" ? "" : since };
  return { ...base, note: limit, owner, right: owner ? hour(a.owned_ms ?? a.raised_ms, moment.tz) : since, nobody: owner ? "" : t("no_owner") };
}

/**
 * @param {Nadi.Patient} p
 * @param {Nadi.Device | undefined} silent
 * @param {Moment} moment
 * @returns {Footer}
 */
function quietFooter(p, silent, moment) {
  const slots = Object.values(p.vitals).flat();
  const spot = Math.max(0, ...slots.filter((v) => !isContinuous(v) && typeof v.value === "number").map((v) => v.t_ms));
  const newest = Math.max(0, ...slots.filter(isContinuous).map((v) => v.t_ms));
  const right = !newest ? "" : moment.frozen ? clock(newest, moment.tz) : age(moment.now_ms - newest);
  if (silent) {
    const since = silent.last_ms ? silent.silent_since_ms ?? silent.last_ms : silent.bound_ms;
    const what = t(silent.last_ms ? "no_data" : "waiting", span(moment.now_ms - since));
    return { icon: "device", word: t("technical"), what, value: "", note: "", right: "", nobody: "", owner: "", more: "" };
  }
  return { icon: "", word: "", what: "", value: "", note: spot ? t("obs_last", hour(spot, moment.tz)) : t("no_obs"), right, nobody: "", owner: "", more: "" };
}

/**
 * The name of a tile for a screen reader, built when it gets the focus.
 * @param {View} v
 * @returns {string}
 */
export function nameOf(v) {
  const parts = [t("t_bed", v.bed)];
  if (v.state === "empty") return [...parts, t("empty_bed")].join(", ");
  parts.push(v.initials);
  const f = v.footer;
  if (f.icon) parts.push([f.word, f.what, f.value, f.note].filter(Boolean).join(" "), f.owner ? t("owner", f.owner) : [f.right, f.nobody].filter(Boolean).join(", "));
  if (v.badge) parts.push(v.badge.none || (v.badge.partial ? `${t("news2")} ${v.badge.sign}${v.badge.text}, ${v.badge.partial}, ${v.badge.title}` : v.badge.title));
  for (const c of v.cells) parts.push([c.label, c.text === t("dashes") ? "–" : c.text, c.unit, c.age ? t("t_old", c.age) : "", c.last].filter(Boolean).join(" "));
  if (!f.icon && f.right) parts.push(t("t_old", f.right));
  return parts.filter(Boolean).join(", ");
}

