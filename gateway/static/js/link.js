// @ts-check
// Can the screen be trusted? Pure: from the state of the line and a time to what the trust bar, the banner and every value may say.
import { CUT_MS, serverNow } from "./fold.js";
import { FROZEN_MS } from "./value.js";

export const LAG_MS = 3000;
export const LOST_MS = 5000;
export const CLOCK_OFF_MS = 2000;
const RESUMED_MS = 10_000;

/**
 * `name`: connecting, live, lagging, lost, draining, out. `from_ms`: server time of the newest values (lost). `clock_ms`: how far this
 * computer's clock is off.
 * @typedef {{name: string, lag_ms: number, lost_ms: number, from_ms: number, now_ms: number, clock_ms: number, resumed: Nadi.Link["resumed"]}} Trust
 */

/**
 * @param {Nadi.State} state
 * @param {number} mono
 * @returns {Trust}
 */
export function trust(state, mono) {
  const link = state.link;
  const now_ms = serverNow(state, mono);
  const from_ms = serverNow(state, link.heard_mono);
  const clock_ms = link.skews.length ? link.wall + mono - now_ms : 0;
  const resumed = link.resumed && (!link.resumed.full || mono - link.resumed.mono < RESUMED_MS) ? link.resumed : null;
  const told = { lag_ms: 0, lost_ms: 0, from_ms, now_ms, clock_ms, resumed };
  if (link.phase === "out") return { ...told, name: "out" };
  if (!link.ever) return { ...told, name: "connecting" };
  const silent_ms = mono - (link.cut_mono ?? link.heard_mono);
  if (link.phase !== "live") {
    if (silent_ms <= CUT_MS) return { ...told, name: link.draining ? "draining" : "live", lag_ms: silent_ms };
    return { ...told, name: "lost", lost_ms: silent_ms, from_ms: serverNow(state, link.cut_mono ?? link.heard_mono) };
  }
  if (silent_ms > LOST_MS) return { ...told, name: "lost", lost_ms: silent_ms };
  const lag_ms = lag(state, now_ms);
  return { ...told, name: link.draining ? "draining" : lag_ms > LAG_MS ? "lagging" : "live", lag_ms };
}

/**
 * How far the slowest shard is behind: one that stands still must not hide behind the others.
 * @param {Nadi.State} state
 * @param {number} now_ms
 */
function lag(state, now_ms) {
  const times = Object.values(state.shard_ms);
  return Math.max(0, times.length ? now_ms - Math.min(...times) : state.link.lag_ms);
}

/**
 * How values may be shown.
 * @param {Trust} told
 * @param {string} tz
 * @returns {import("./value.js").Moment}
 */
export function moment(told, tz) {
  const lost = told.name === "lost";
  return { now_ms: lost ? told.from_ms : told.now_ms, tz, frozen: lost, blank: lost && told.lost_ms > FROZEN_MS };
}
