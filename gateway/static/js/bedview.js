// @ts-check
// The table of the bed panel, and the observation form's way from entries to a command. Pure.
import { ACVPU, CGM, DBP, FIO2, FLOW, GLU, HR, OXYGEN, RR, SBP, SPO2, TEMP, VITALS, labelOf, unitOf } from "./codes.js";
import { age } from "./format.js";
import { newsOf, shownOf } from "./score.js";
import { t } from "./strings.js";

/** Order of the table. */
const ROWS = [HR, SPO2, RR, SBP, DBP, TEMP, CGM, GLU, ACVPU, OXYGEN, FLOW, FIO2];
/** @type {Record<string, string>} */
const PART = { [ACVPU]: "consciousness", [OXYGEN]: "oxygen" };

/**
 * @param {Nadi.Patient} p
 * @param {import("./value.js").Moment} moment
 * @returns {string[][]} vital, value, unit, age, device, points
 */
export function rowsOf(p, moment) {
  const news = newsOf(p, moment);
  return ROWS.filter((code) => p.vitals[code]?.length || [HR, SPO2, RR, SBP, TEMP, ACVPU, OXYGEN].includes(code)).map((code) => {
    const shown = shownOf(p, code, moment);
    const points = news.parts[PART[code] ?? VITALS[code]?.part];
    const old = shown.age_ms === null ? shown.last || t("no_value_yet") : age(shown.age_ms);
    return [code === SBP ? "SBP" : labelOf(code), shown.text, unitOf(code), old, shown.vital?.device ?? "", typeof points === "number" && code !== FLOW && code !== FIO2 ? `${points}` : ""];
  });
}

/** Fields of the form that take a number. */
export const FIELDS = [HR, RR, SPO2, SBP, DBP, TEMP, GLU, FLOW];

/**
 * @typedef {{code: string, value?: number, unit?: string, coded?: string}} Reading
 * @param {Record<string, string>} entries LOINC -> text as entered; "" = nothing
 * @returns {{readings: Reading[], problem: string, field: string}}
 */
export function readingsOf(entries) {
  /** @type {Reading[]} */
  const readings = [];
  for (const code of [ACVPU, OXYGEN]) if (entries[code]) readings.push({ code, coded: entries[code] });
  for (const code of FIELDS) {
    const text = (entries[code] ?? "").trim().replace(",", ".");
    if (!text) continue;
    const value = Number(text);
    const [low, high] = VITALS[code].range;
    if (!Number.isFinite(value) || value < low || value > high) return { readings: [], problem: t("out_of_range", labelOf(code), low, high), field: code };
    readings.push({ code, value, unit: VITALS[code].ucum });
  }
  const of = (/** @type {string} */ code) => readings.find((r) => r.code === code)?.value;
  const [upper, lower] = [of(SBP), of(DBP)];
  if ((upper === undefined) !== (lower === undefined)) return { readings: [], problem: t("bp_pair"), field: upper === undefined ? SBP : DBP };
  if (upper !== undefined && lower !== undefined && upper <= lower) return { readings: [], problem: t("bp_order"), field: SBP };
  return { readings, problem: readings.length ? "" : t("nothing_entered"), field: "" };
}
