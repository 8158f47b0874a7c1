// @ts-check
// The panels of the person (theme, shortcuts, sign out) and of help.
import { button, el } from "./dom.js";
import { initials } from "./format.js";
import { t } from "./strings.js";

const KEYS = [["j  k", "k_next"], ["a", "k_have"], ["w", "k_why"], ["u", "k_undo"], ["b 0 7", "k_bed"], ["← → ↑ ↓", "k_arrows"], ["Enter", "k_enter"], ["o", "k_observe"], ["Esc", "k_esc"], ["?", "k_help"]];
const THEMES = ["auto", "light", "dark"];

/** What this screen remembers: nothing about patients. */
export const settings = {
  /** @param {string} name @param {string} fallback */
  get(name, fallback) {
    try {
      return localStorage.getItem(`nadi.${name}`) ?? fallback;
    } catch {
      return fallback;
    }
  },
  /** @param {string} name @param {string} value */
  set(name, value) {
    try {
      localStorage.setItem(`nadi.${name}`, value);
    } catch {
      // a browser that keeps nothing: the choice lasts until the page is closed
    }
  },
};

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Puts the chosen theme, or the computer's, on the page. */
export function applyTheme() {
  const chosen = settings.get("theme", "auto");
  document.documentElement.dataset.theme = chosen === "light" || chosen === "dark" ? chosen : dark.matches ? "dark" : "light";
}
dark.addEventListener("change", applyTheme);

/**
 * @param {string} group
 * @param {string} value
 * @param {string} text
 * @param {boolean} on
 * @param {() => void} pick
 */
function radio(group, value, text, on, pick) {
  const input = /** @type {HTMLInputElement} */ (el("input", ""));
  Object.assign(input, { type: "radio", name: group, value, id: `${group}-${value}`, checked: on });
  input.addEventListener("change", pick);
  const label = /** @type {HTMLLabelElement} */ (el("label", "", text));
  label.htmlFor = input.id;
  return el("span", "choice", input, label);
}

/** @returns {HTMLElement} the switch that turns single-key shortcuts off (WCAG 2.1.4) */
function keySwitch() {
  const input = /** @type {HTMLInputElement} */ (el("input", ""));
  Object.assign(input, { type: "checkbox", id: "keys-on", checked: settings.get("keys", "on") === "on" });
  input.addEventListener("change", () => settings.set("keys", input.checked ? "on" : "off"));
  const label = /** @type {HTMLLabelElement} */ (el("label", "", t("keys_on")));
  label.htmlFor = "keys-on";
  return el("p", "choice", input, label);
}

/**
 * @param {Nadi.Me} me
 * @param {() => void} leave
 * @returns {import("./panel.js").Content}
 */
export function personPanel(me, leave) {
  const themes = THEMES.map((name) => radio("theme", name, t(`theme_${name}`), settings.get("theme", "auto") === name, () => {
    settings.set("theme", name);
    applyTheme();
  }));
  const node = el("div", "menu", el("p", "dim", `${me.user} · ${me.role}`), el("fieldset", "choices", el("legend", "", t("theme")), ...themes), keySwitch(), button("plain", t("sign_out"), leave));
  return { title: initials(me.ini || me.user), node, render() {} };
}

/** @returns {import("./panel.js").Content} */
export function helpPanel() {
  const rows = KEYS.map(([key, text]) => el("tr", "", el("th", "", el("kbd", "", key)), el("td", "", t(text))));
  for (const row of rows) row.firstElementChild?.setAttribute("scope", "row");
  const table = el("table", "keys", el("caption", "", t("keys")), el("tbody", "", ...rows));
  return { title: t("help"), node: el("div", "menu", table, keySwitch(), el("p", "dim", t("units_help")), el("p", "", t("secondary"))), render() {} };
}
