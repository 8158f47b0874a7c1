// @ts-check
// The strip of a demo: what happens on the simulated ward, when. Small, and closed for good by its button.
import { button, el, say, show } from "./dom.js";
import { timer } from "./format.js";
import { t } from "./strings.js";

/**
 * The newest line whose time has come, and the next one. Pure.
 * @param {{at_s: number, text: string}[]} script
 * @param {number} since_ms since the start of the ward
 */
export function linesAt(script, since_ms) {
  const sorted = [...script].sort((a, b) => a.at_s - b.at_s);
  const past = sorted.filter((s) => s.at_s * 1000 <= since_ms);
  const next = sorted[past.length];
  return { now: past[past.length - 1] ?? null, next: next ?? null };
}

export class Script {
  constructor() {
    this.closed = false;
    this.time = el("b", "script-time");
    this.text = el("span", "script-text");
    this.next = el("span", "script-next");
    this.node = el("div", "script", el("span", "script-label", t("demo")), this.time, this.text, el("span", "space"), this.next, button("banner-close", t("close"), () => {
      this.closed = true;
      this.node.hidden = true;
    }));
  }

  /**
   * @param {Nadi.State} state
   * @param {number} now_ms
   */
  render(state, now_ms) {
    const { script, start_ms } = state.site ?? {};
    const shown = !this.closed && !!script?.length && !!start_ms && now_ms > 0;
    show(this.node, shown);
    if (!shown || !script || !start_ms) return;
    const { now, next } = linesAt(script, now_ms - start_ms);
    say(this.time, timer((now?.at_s ?? 0) * 1000));
    say(this.text, now?.text ?? "");
    say(this.next, next ? `${timer(next.at_s * 1000)} ${next.text}` : "");
  }
}
