// @ts-check
// NEWS2 as the board may say it: a whole number only while all seven parts are there and fresh; else the least it can be.
import { ACVPU, CGM, DBP, FIO2, FLOW, GLU, OXYGEN, PARTS, PART_AGE_MS, PART_CODES, SBP, SPOT_AGE_MS, numberOf } from "./codes.js";
import { t } from "./strings.js";
import { isContinuous, isNumber, valueOf } from "./value.js";

/** @typedef {import("./value.js").Moment} Moment */
/** @typedef {import("./value.js").Shown} Shown */

/**
 * The slot of a vital that is shown: the best one whose number may be shown, else the best one there is.
 * @param {Nadi.Patient} p
 * @param {string} code
 * @param {Moment} moment
 * @returns {Shown}
 */
export function shownOf(p, code, moment) {
  const slots = p.vitals[code] ?? [];
  const all = slots.map((v) => valueOf(code, v, deviceOf(p, v.device), moment));
  return all.find(isNumber) ?? all[0] ?? valueOf(code, undefined, waitingDevice(p, code), moment);
}

/**
 * @param {Nadi.Patient} p
 * @param {string} name
 */
export function deviceOf(p, name) {
  return p.devices.find((d) => d.device === name);
}

/**
 * A streaming device that has sent nothing yet and might bring this vital.
 * @param {Nadi.Patient} p
 * @param {string} code
 */
function waitingDevice(p, code) {
  const wanted = code === CGM || code === GLU ? "cgm" : "monitor";
  return code === ACVPU || code === OXYGEN ? undefined : p.devices.find((d) => d.device_class === wanted && !d.last_ms);
}

/**
 * Systolic and diastolic of one measurement as one text.
 * @param {Nadi.Patient} p
 * @param {Moment} moment
 * @returns {Shown}
 */
export function pressureOf(p, moment) {
  const upper = shownOf(p, SBP, moment);
  if (!isNumber(upper) || !upper.vital) return upper;
  const of = upper.vital;
  const lower = (p.vitals[DBP] ?? []).find((v) => v.device === of.device && v.t_ms === of.t_ms);
  const text = lower && typeof lower.value === "number" ? numberOf(DBP, lower.value) : t("dash");
  return { ...upper, text: `${upper.text}/${text}` };
}

/**
 * Glucose of whichever source has a number now, the newest first.
 * @param {Nadi.Patient} p
 * @param {Moment} moment
 * @returns {{code: string, shown: Shown} | null}
 */
export function glucoseOf(p, moment) {
  const both = [CGM, GLU].filter((code) => p.vitals[code]?.length).map((code) => ({ code, shown: shownOf(p, code, moment) }));
  if (!both.length) return p.diabetes ? { code: p.devices.some((d) => d.device_class === "cgm") ? CGM : GLU, shown: shownOf(p, CGM, moment) } : null;
  const t_ms = (/** @type {Shown} */ s) => s.vital?.t_ms ?? 0;
  return both.sort((a, b) => Number(isNumber(b.shown)) - Number(isNumber(a.shown)) || t_ms(b.shown) - t_ms(a.shown))[0];
}

/**
 * Consciousness and oxygen, with the age of the older one.
 * @param {Nadi.Patient} p
 * @param {Moment} moment
 * @returns {{text: string, age: string, state: string, mind: Shown, air: string}}
 */
export function mindOf(p, moment) {
  const mind = shownOf(p, ACVPU, moment);
  const given = shownOf(p, OXYGEN, moment);
  const air = airOf(p, given, moment);
  const old = [mind, given].filter(isNumber).sort((a, b) => (b.age_ms ?? 0) - (a.age_ms ?? 0))[0];
  const state = isNumber(mind) || air ? "spot" : "none";
  return { text: `${isNumber(mind) ? mind.text : t("dashes")} · ${air || t("dashes")}`, age: old?.age ?? "", state, mind, air };
}

/**
 * "Air", "2 L/min", "28 %", "O₂"; "" = not known. The newest of what says so counts.
 * @param {Nadi.Patient} p
 * @param {Shown} given
 * @param {Moment} moment
 */
function airOf(p, given, moment) {
  const flow = shownOf(p, FLOW, moment);
  const fio2 = shownOf(p, FIO2, moment);
  const newest = [given, flow, fio2].filter(isNumber).sort((a, b) => (a.age_ms ?? 0) - (b.age_ms ?? 0))[0];
  if (!newest) return "";
  const detail = isNumber(flow) && flow.number ? t("flow", flow.text) : isNumber(fio2) && (fio2.number ?? 0) > 21 ? t("fio2", fio2.text) : t("oxygen");
  if (newest === given) return given.number ? detail : t("air");
  if (newest === flow) return flow.number ? detail : t("air");
  return (fio2.number ?? 0) > 21 ? t("fio2", fio2.text) : t("air");
}

/**
 * `total` null = a lower bound of `known` parts; `none` says why there is no score at all.
 * @typedef {{none: string, total: number | null, least: number, known: number, missing: string[], parts: Record<string, number | null>}} News
 */

/**
 * @param {Nadi.Patient} p
 * @param {Moment} moment
 * @returns {News}
 */
export function newsOf(p, moment) {
  const score = p.score;
  if (!score) return { none: "", total: null, least: 0, known: 0, missing: PARTS, parts: {} };
  if (score.none) return { none: score.none, total: null, least: 0, known: 0, missing: PARTS, parts: {} };
  /** @type {Record<string, number | null>} */
  const parts = {};
  for (const part of PARTS) {
    const points = score.parts?.[part] ?? null;
    parts[part] = points !== null && fresh(p, part, moment) ? points : null;
  }
  const missing = PARTS.filter((part) => parts[part] === null);
  const least = PARTS.reduce((sum, part) => sum + (parts[part] ?? 0), 0);
  return { none: "", total: missing.length ? null : least, least, known: 7 - missing.length, missing, parts };
}

/**
 * Does a number that may be shown stand behind this part, young enough for it?
 * @param {Nadi.Patient} p
 * @param {string} part
 * @param {Moment} moment
 */
function fresh(p, part, moment) {
  return PART_CODES[part].some((code) => {
    const shown = shownOf(p, code, moment);
    if (!isNumber(shown) || !shown.vital) return false;
    return isContinuous(shown.vital) || (shown.age_ms ?? 0) <= (PART_AGE_MS[part] ?? SPOT_AGE_MS);
  });
}
