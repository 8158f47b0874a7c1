// @ts-check
// The one way from a reading to a text. A number comes out only together with its state; when it is not true now, the number itself goes.
import { numberOf, unitOf } from "./codes.js";
import { age, hour } from "./format.js";
import { t } from "./strings.js";

const AGING = 2;
const STALE = 5;
const ALWAYS_AGE_MS = 60_000;
const SUSPECT = 2;
const BELOW = 4;
const ABOVE = 8;
export const FROZEN_MS = 60_000;

/**
 * How values may be shown at all. `now_ms`: server time that ages count to (the time of the loss, when lost); `frozen`: shown grey on
 * hatching; `blank`: lost for too long, dashes.
 * @typedef {{now_ms: number, tz: string, frozen: boolean, blank: boolean}} Moment
 *
 * `state`: live, aging, spot (a number is there); absent, silent, stale, waiting, none (dashes). `last`: "last 96 % at 17:48",
 * `last_ms` its time, 0 = none.
 * @typedef {{text: string, state: string, number: number | null, age: string, age_ms: number | null, last: string, last_ms: number, vital: Nadi.Vital | null}} Shown
 */

const NUMBERS = new Set(["live", "aging", "spot"]);

/**
 * @param {Shown} shown
 * @returns {boolean} true when a number is shown
 */
export function isNumber(shown) {
  return NUMBERS.has(shown.state);
}

/** @param {Nadi.Vital} vital */
export function isContinuous(vital) {
  return vital.device_class === "monitor" || vital.device_class === "cgm";
}

/**
 * The number with what the device said of it: beyond its range (< 2.2), in doubt (?).
 * @param {string} code
 * @param {number} value
 * @param {number} flags
 */
function textOf(code, value, flags) {
  const mark = flags & BELOW ? "<" : flags & ABOVE ? ">" : "";
  return mark + numberOf(code, value) + (flags & SUSPECT ? "?" : "");
}

/**
 * @param {string} code
 * @param {number | null | undefined} value
 * @param {number | undefined} t_ms
 * @param {Moment} moment
 */
function lastOf(code, value, t_ms, moment) {
  if (value === undefined || value === null || !t_ms) return "";
  const unit = unitOf(code);
  const number = numberOf(code, value) + (unit === "%" ? " %" : "");
  return t("last_at", number, hour(t_ms, moment.tz));
}

/**
 * @param {string} state
 * @param {string} last
 * @param {Nadi.Vital | null} vital
 * @returns {Shown}
 */
function dashes(state, last, vital) {
  const last_ms = last && vital ? (vital.value === undefined || vital.value === null ? vital.last_t_ms : vital.t_ms) : 0;
  return { text: t("dashes"), state, number: null, age: "", age_ms: null, last, last_ms: last_ms ?? 0, vital };
}

/**
 * @param {string} code LOINC
 * @param {Nadi.Vital | undefined} vital the slot that is shown; undefined = none has ever sent
 * @param {Nadi.Device | undefined} device its device, as far as it is bound
 * @param {Moment} moment
 * @returns {Shown}
 */
export function valueOf(code, vital, device, moment) {
  if (!vital) return dashes(device && !device.last_ms ? "waiting" : "none", "", null);
  if (vital.value === undefined || vital.value === null) {
    return dashes("absent", lastOf(code, vital.last_value, vital.last_t_ms, moment), vital);
  }
  const old_ms = Math.max(0, moment.now_ms - vital.t_ms);
  const continuous = isContinuous(vital);
  const last = lastOf(code, vital.value, vital.t_ms, moment);
  if (moment.blank) return dashes("lost", last, vital);
  if (continuous && device?.silent_since_ms) return dashes("silent", last, vital);
  const interval = vital.interval_ms || device?.interval_ms || 0;
  if (continuous && interval > 0 && old_ms > STALE * interval) return dashes("stale", last, vital);
  const aging = continuous && interval > 0 && old_ms > AGING * interval;
  const state = continuous ? (aging ? "aging" : "live") : "spot";
  const shows = state !== "live" || interval >= ALWAYS_AGE_MS;
  return { text: textOf(code, vital.value, vital.flags ?? 0), state, number: vital.value, age: shows ? age(old_ms) : "", age_ms: old_ms, last: "", last_ms: 0, vital };
}
