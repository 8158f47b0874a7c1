// @ts-check
// Alerts as texts: what one says in a title, on a tile, in a sentence; how they are ordered and counted. Pure.
import { SPO2, labelOf, numberOf, unitOf } from "./codes.js";
import { hour, initials, span } from "./format.js";
import { newsOf, pressureOf, shownOf } from "./score.js";
import { t } from "./strings.js";
import { isNumber } from "./value.js";

/** @typedef {import("./value.js").Moment} Moment */

const SEVERITY = { high: 0, medium: 1, technical: 2 };
const DEVICE_KINDS = ["silent", "not_judged", "signal_lost"];

/** @param {Nadi.Alert} a */
export function isOpen(a) {
  return a.status === "active";
}

/**
 * For the rail: severity, then unowned before owned, then recovered; oldest first.
 * @param {Nadi.Alert} a
 * @param {Nadi.Alert} b
 */
export function bySeverity(a, b) {
  return (
    Number(!isOpen(a)) - Number(!isOpen(b)) || SEVERITY[a.priority] - SEVERITY[b.priority] || Number(!!a.owner) - Number(!!b.owner) ||
    a.raised_ms - b.raised_ms || (a.alert < b.alert ? -1 : 1)
  );
}

/**
 * For a tile: what needs a person most comes first; an unowned warning before a critical that someone has.
 * @param {Nadi.Alert} a
 * @param {Nadi.Alert} b
 */
function byNeed(a, b) {
  const rank = (/** @type {Nadi.Alert} */ x) => {
    if (!isOpen(x)) return 6 + SEVERITY[x.priority];
    if (x.priority === "technical") return x.owner ? 5 : 4;
    return SEVERITY[x.priority] + (x.owner ? 2 : 0);
  };
  return rank(a) - rank(b) || DEVICE_KINDS.indexOf(a.kind) - DEVICE_KINDS.indexOf(b.kind) || a.raised_ms - b.raised_ms;
}

/**
 * The alerts of a patient, the one that the tile shows first.
 * @param {Nadi.State} state
 * @param {string} patient
 */
export function alertsOf(state, patient) {
  return Object.values(state.alerts).filter((a) => a.patient === patient).sort(byNeed);
}

/**
 * Counts for the trust bar. A recovered alert that nobody has seen counts, but asks nobody to take it.
 * @param {Nadi.State} state
 */
export function counts(state) {
  const all = Object.values(state.alerts);
  const of = (/** @type {string} */ priority) => all.filter((a) => a.priority === priority).length;
  return { high: of("high"), medium: of("medium"), technical: of("technical"), unowned: all.filter((a) => isOpen(a) && !a.owner).length };
}

/**
 * A person as the ward knows them: initials where they are known.
 * @param {Nadi.State} state
 * @param {string | null | undefined} user
 */
export function person(state, user) {
  if (!user) return "";
  if (user === state.me?.user && state.me.ini) return initials(state.me.ini);
  const known = state.site?.users?.find((u) => u.user === user);
  return known?.initials ? initials(known.initials) : user;
}

/**
 * @param {Nadi.State} state
 * @param {Nadi.Alert} a
 * @returns {{bed: string, initials: string}}
 */
export function whereOf(state, a) {
  const p = state.patients[a.patient] ?? state.left[a.patient];
  return { bed: p?.bed || t("no_bed"), initials: p ? initials(p.initials) : "" };
}

/**
 * The newest judgement of an alert that this page has seen.
 * @param {Nadi.State} state
 * @param {Nadi.Alert} a
 * @returns {Nadi.Evidence | null}
 */
export function evidenceOf(state, a) {
  const judged = (state.course[a.alert] ?? []).filter((e) => e.evidence && (e.transition === "raised" || e.transition === "worsened"));
  return judged[judged.length - 1]?.evidence ?? null;
}

/**
 * Why a sensor gives nothing, in the words of the ward.
 * @param {string} code
 * @param {string} reason
 */
export function signalText(code, reason) {
  const label = labelOf(code);
  if (code === SPO2 && (reason === "lead-off" || reason === "no-signal")) return t("probe_off", label);
  const key = { "lead-off": "lead_off", "no-signal": "no_signal", zero: "no_signal", motion: "motion", calibrating: "calibrating" }[reason];
  return t(key ?? "bad_value", label);
}

/**
 * `name` + `value` + `unit`: what it is about. `detail`: the limit. `bold`: device texts that stand for the whole bed.
 * @typedef {{name: string, value: string, unit: string, detail: string, bold: boolean}} What
 */

/**
 * @param {Nadi.State} state
 * @param {Nadi.Alert} a
 * @param {Moment} moment
 * @returns {What}
 */
export function whatOf(state, a, moment) {
  const p = state.patients[a.patient];
  if (a.kind === "news2") return newsWhat(p, a, moment);
  if (a.kind === "limit") return limitWhat(state, p, a, moment);
  return { name: deviceWhat(state, p, a, moment), value: "", unit: "", detail: "", bold: a.kind === "silent" };
}

/**
 * @param {Nadi.Patient | undefined} p
 * @param {Nadi.Alert} a
 * @param {Moment} moment
 * @returns {What}
 */
function newsWhat(p, a, moment) {
  const news = p && isOpen(a) ? newsOf(p, moment) : null;
  const value = !news || !news.known ? `${a.worst ?? ""}` : news.total !== null ? `${news.total}` : t("at_least", news.least);
  const limit = a.priority === "high" ? "⩾ 7" : "⩾ 5";
  const partial = news && news.known && news.total === null ? ` · ${t("lower_bound", news.known)}` : "";
  return { name: t("news2"), value, unit: "", detail: t("limit", limit) + partial, bold: true };
}

/**
 * @param {Nadi.State} state
 * @param {Nadi.Patient | undefined} p
 * @param {Nadi.Alert} a
 * @param {Moment} moment
 * @returns {What}
 */
function limitWhat(state, p, a, moment) {
  const unit = unitOf(a.code);
  const shown = p && isOpen(a) ? (labelOf(a.code) === "BP" ? pressureOf(p, moment) : shownOf(p, a.code, moment)) : null;
  const now = shown && isNumber(shown) && shown.vital?.device === a.device ? shown.text : null;
  const told = isOpen(a) ? a.value : (a.worst ?? a.value);
  const value = now ?? (told === null ? "" : numberOf(a.code, told));
  const limit = evidenceOf(state, a)?.limit;
  const medium = p?.limits[a.code]?.[a.side === "low" ? 0 : 1];
  let detail = "";
  if (limit?.op) detail = t("limit", `${sign(limit.op)} ${limit.limit}`);
  else if (a.priority === "medium" && medium !== null && medium !== undefined) detail = t("limit", medium);
  return { name: labelOf(a.code), value, unit, detail, bold: true };
}

/** @param {string} op */
export function sign(op) {
  return { "<=": "⩽", ">=": "⩾" }[op] ?? op;
}

/**
 * @param {Nadi.State} state
 * @param {Nadi.Patient | undefined} p
 * @param {Nadi.Alert} a
 * @param {Moment} moment
 */
function deviceWhat(state, p, a, moment) {
  if (a.kind === "signal_lost") {
    const slot = p?.vitals[a.code]?.find((v) => v.device === a.device);
    return signalText(a.code, slot?.absent ?? evidenceOf(state, a)?.reason ?? "");
  }
  if (a.kind === "not_judged") return t("not_judged");
  const device = p?.devices.find((d) => d.device === a.device);
  const waiting = device ? !device.last_ms : evidenceOf(state, a)?.reason === "waiting for first data";
  const since = (waiting ? device?.bound_ms : device?.silent_since_ms) ?? a.onset_ms;
  const ended = isOpen(a) ? moment.now_ms : (a.cleared_ms ?? moment.now_ms);
  return t(waiting ? "waiting" : "no_data", span(ended - since));
}

/**
 * One line for sentences and announcements: "SpO₂ 86 %", "NEWS2 9", "SpO₂ probe off".
 * @param {What} what
 */
export function line(what) {
  return [what.name, what.value, what.value ? what.unit : ""].filter(Boolean).join(" ");
}

/** @param {Nadi.Alert} a */
export function iconOf(a) {
  if (a.status === "cleared") return "latched";
  return { high: "critical", medium: "warning", technical: "device" }[a.priority];
}

/**
 * From when to when a recovered alert lasted: 17:28–17:33.
 * @param {Nadi.Alert} a
 * @param {string} tz
 */
export function lasted(a, tz) {
  return `${hour(a.raised_ms, tz)}–${hour(a.cleared_ms ?? a.raised_ms, tz)}`;
}
