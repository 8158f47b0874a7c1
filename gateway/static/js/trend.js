// @ts-check
// Slopes and lines of the sparkline. Pure.
import { VITALS } from "./codes.js";

const ARROW_MS = 15 * 60_000;
const FRESH_MS = 3 * 60_000;
const LEAST_POINTS = 5;
const LEAST_SPAN = 0.6;
export const WINDOW_MS = 2 * 3_600_000;

/**
 * Theil-Sen: the median of the slopes of all pairs; one wild minute turns nothing.
 * @param {Nadi.Series} points
 * @returns {number} change per ms
 */
export function slope(points) {
  const slopes = [];
  for (let i = 0; i < points.length; i++) {
    for (let j = i + 1; j < points.length; j++) slopes.push((points[j][1] - points[i][1]) / (points[j][0] - points[i][0]));
  }
  slopes.sort((a, b) => a - b);
  const half = Math.floor(slopes.length / 2);
  return slopes.length % 2 ? slopes[half] : (slopes[half - 1] + slopes[half]) / 2;
}

/**
 * "", rising, up, falling, down: the change over the time that its thresholds are for.
 * @param {string} code
 * @param {Nadi.Series | undefined} series
 * @param {number} now_ms
 * @returns {string}
 */
export function arrow(code, series, now_ms) {
  const vital = VITALS[code];
  if (!vital || !series) return "";
  const window_ms = Math.max(ARROW_MS, vital.over_ms);
  const points = series.filter(([m]) => m > now_ms - window_ms && m <= now_ms + FRESH_MS);
  if (points.length < LEAST_POINTS || points[points.length - 1][0] < now_ms - FRESH_MS) return "";
  if (points[points.length - 1][0] - points[0][0] < LEAST_SPAN * window_ms) return "";
  const change = slope(points.length > 60 ? points.filter((_, i) => i % 3 === 0) : points) * vital.over_ms;
  const [small, large] = vital.arrow;
  if (Math.abs(change) < small) return "";
  if (change > 0) return change >= large ? "up" : "rising";
  return change <= -large ? "down" : "falling";
}

/**
 * One stretch of a line: points in the unit square (x: time, y: 0 = top of the axis).
 * @typedef {{line: [number, number][], out: boolean}} Stretch
 * @typedef {{stretches: Stretch[], gaps: [number, number][], band: [number, number], dot: [number, number] | null}} Spark
 */

/**
 * The sparkline of one vital: stretches inside and outside the limits, gaps that are never bridged, the band, the newest point.
 * `gap_ms`: two points farther apart have a gap between them; `from_ms`: what lies before is no gap (no device was bound).
 * @param {import("./tileview.js").Line} line
 * @param {number} now_ms
 * @returns {Spark}
 */
export function spark(line, now_ms) {
  const [floor, ceiling] = VITALS[line.code].axis;
  const start = now_ms - WINDOW_MS;
  const x = (/** @type {number} */ ms) => Math.min(1, Math.max(0, (ms - start) / WINDOW_MS));
  const y = (/** @type {number} */ v) => Math.min(1, Math.max(0, (ceiling - v) / (ceiling - floor)));
  const [low, high] = [line.limits[0] ?? null, line.limits[1] ?? null];
  const outside = (/** @type {number} */ v) => (low !== null && v < low) || (high !== null && v > high);
  const points = line.series.filter(([m]) => m > start);
  /** @type {Stretch[]} */
  const stretches = [];
  /** @type {[number, number][]} */
  const gaps = line.gaps.filter(([, to]) => to > start).map(([from, to]) => [x(from), x(to)]);
  let before = Math.max(start, line.from_ms);
  points.forEach(([m, v], i) => {
    /** @type {[number, number]} */
    const point = [x(m), y(v)];
    const last = stretches[stretches.length - 1];
    if (m - before > line.gap_ms) gaps.push([x(before), x(m)]);
    if (i && m - before <= line.gap_ms && last) {
      last.line.push(point);
      if (last.out !== outside(v)) stretches.push({ line: [point], out: outside(v) });
    } else {
      stretches.push({ line: [point], out: outside(v) });
    }
    before = m;
  });
  if (now_ms - before > line.gap_ms) gaps.push([x(before), 1]);
  const last = points[points.length - 1];
  return { stretches, gaps, band: [high === null ? 0 : y(high), low === null ? 1 : y(low)], dot: last ? [x(last[0]), y(last[1])] : null };
}
