// @ts-check
// Draws a sparkline: paths in an SVG that stretches, gaps as hatched boxes that do not; again only when minute, points or limits changed.
import { el, show, svg } from "./dom.js";
import { spark } from "./trend.js";

const SIZE = 100;
const LEFT = 1;
const RIGHT = 97; // room for the dot
const LEAST_GAP = 0.02;
const MINUTE_MS = 60_000;
const px = (/** @type {number} */ x) => LEFT + x * (RIGHT - LEFT);
const at = (/** @type {number} */ x, /** @type {number} */ y) => `${px(x).toFixed(1)} ${(y * SIZE).toFixed(1)}`;

/** @typedef {import("./tileview.js").Line} Line */

export class Sparkline {
  constructor() {
    const frame = { viewBox: `0 0 ${SIZE} ${SIZE}`, preserveAspectRatio: "none", "aria-hidden": "true" };
    this.band = svg("rect", { class: "spark-band", x: "0", width: `${SIZE}`, y: "0", height: "0" });
    this.line = svg("path", { class: "spark-line" });
    this.out = svg("path", { class: "spark-out" });
    this.dot = svg("path", { class: "spark-dot" });
    const drawing = svg("svg", frame);
    drawing.append(this.band, this.line, this.out, this.dot);
    this.gaps = el("div", "spark-gaps");
    this.node = el("div", "spark", drawing, this.gaps);
    /** @type {Line | null} */
    this.drawn = null;
    this.hatched = false;
  }

  /**
   * @param {Line} wanted
   * @param {boolean} hatched nothing has come yet: one gap
   */
  draw(wanted, hatched) {
    const d = this.drawn;
    const same = d && d.series === wanted.series && d.minute_ms === wanted.minute_ms && d.gaps === wanted.gaps && d.gap_ms === wanted.gap_ms && d.from_ms === wanted.from_ms;
    if (same && hatched === this.hatched && String(d.limits) === String(wanted.limits)) return;
    this.drawn = wanted;
    this.hatched = hatched;
    const s = spark(wanted, wanted.minute_ms + MINUTE_MS);
    this.band.setAttribute("y", (s.band[0] * SIZE).toFixed(1));
    this.band.setAttribute("height", Math.max(0, (s.band[1] - s.band[0]) * SIZE).toFixed(1));
    show(this.band, !hatched);
    this.line.setAttribute("d", pathOf(s.stretches.filter((x) => !x.out)));
    this.out.setAttribute("d", pathOf(s.stretches.filter((x) => x.out)));
    this.dot.setAttribute("d", s.dot ? `M${at(...s.dot)}h.01` : "");
    this.gaps.replaceChildren(...(hatched ? [gap(0, s.dot ? 0.97 : 1.04)] : s.gaps.map(([from, to]) => gap(from, to))));
  }
}

/**
 * @param {number} from
 * @param {number} to
 */
function gap(from, to) {
  const node = el("div", "spark-gap");
  const start = Math.min(from, to - LEAST_GAP);
  node.style.left = `${px(start).toFixed(1)}%`;
  node.style.width = `${(px(to) - px(start)).toFixed(1)}%`;
  return node;
}

/** @param {import("./trend.js").Stretch[]} stretches */
function pathOf(stretches) {
  return stretches.map((s) => (s.line.length > 1 ? `M${s.line.map(([x, y]) => at(x, y)).join("L")}` : `M${at(...s.line[0])}h.01`)).join("");
}
