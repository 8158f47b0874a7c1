// @ts-check
// The keyboard: one listener. Single keys can be switched off; Esc and the arrows over tiles work always.
import { settings } from "./menu.js";

const BED_MS = 2500;

/**
 * @typedef {{next: (step: number) => void, have: () => void, why: () => void, undo: () => void, bed: (bed: string) => void, move: (key: string) => boolean,
 *            observe: () => void, help: () => void, back: () => void}} Actions
 * @param {Actions} actions
 */
export function listen(actions) {
  let digits = "";
  let since = -Infinity;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return actions.back();
    if (/** @type {Element} */ (event.target).closest("input, select, textarea")) return;
    if (event.key.startsWith("Arrow")) {
      if (actions.move(event.key)) event.preventDefault();
      return;
    }
    if (settings.get("keys", "on") !== "on") return;
    const now = event.timeStamp;
    if (now - since < BED_MS && /^\d$/.test(event.key)) {
      digits += event.key;
      if (digits.length === 2) {
        actions.bed(digits);
        since = -Infinity;
      }
      event.preventDefault();
      return;
    }
    /** @type {Record<string, () => void>} */
    const keys = { j: () => actions.next(1), k: () => actions.next(-1), a: actions.have, w: actions.why, u: actions.undo, o: actions.observe, "?": actions.help };
    if (event.key === "b") {
      digits = "";
      since = now;
    } else if (keys[event.key]) {
      keys[event.key]();
    } else {
      return;
    }
    event.preventDefault();
  });
}
