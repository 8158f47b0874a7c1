// @ts-check
// The two bars on top, and the banner under them: where one is, and whether the screen can be trusted.
import { counts } from "./alerts.js";
import { attr, button, el, order, say, show } from "./dom.js";
import { clock, date, initials, span, timer, zone } from "./format.js";
import { icon, setIcon } from "./icons.js";
import { CLOCK_OFF_MS } from "./link.js";
import { t } from "./strings.js";

/** @typedef {import("./link.js").Trust} Told */

/** The top bar: ward, page, person. */
export class TopBar {
  /** @param {{person: () => void, help: () => void, ward: (ward: string) => void}} actions */
  constructor(actions) {
    this.title = el("h1", "ward-name");
    this.select = /** @type {HTMLSelectElement} */ (el("select", "ward-select"));
    this.select.setAttribute("aria-label", t("ward"));
    this.select.addEventListener("change", () => actions.ward(this.select.value));
    const page = /** @type {HTMLAnchorElement} */ (el("a", "page", t("ward")));
    page.href = "#beds";
    page.setAttribute("aria-current", "page");
    const nav = el("nav", "pages", page);
    nav.setAttribute("aria-label", t("pages"));
    this.help = button("top-button help", "?", actions.help);
    this.help.setAttribute("aria-label", t("help"));
    this.who = el("span", "who");
    this.person = button("top-button person", "", actions.person);
    this.person.append(icon("person"), this.who);
    this.node = el("header", "topbar", el("span", "brand", icon("pulse"), el("b", "", t("nadi"))), el("div", "ward-box", this.title, this.select), nav, el("span", "space"), this.help, this.person);
  }

  /** @param {Nadi.State} state */
  render(state) {
    say(this.title, t("ward_n", state.ward.toUpperCase()));
    const wards = (state.me?.wards ?? []).filter((w) => w !== "*");
    show(this.select, wards.length > 1);
    if (this.select.dataset.wards !== wards.join()) {
      this.select.dataset.wards = wards.join();
      order(this.select, wards.map((w) => {
        const option = /** @type {HTMLOptionElement} */ (el("option", "", t("ward_n", w.toUpperCase())));
        option.value = w;
        return option;
      }));
    }
    if (this.select.value !== state.ward) this.select.value = state.ward;
    const name = state.me ? initials(state.me.ini || state.me.user) : "";
    say(this.who, name);
    attr(this.person, "aria-label", state.me ? `${state.me.user}, ${state.me.role}` : "");
  }
}

const KINDS = /** @type {const} */ ([["high", "critical", "crit"], ["medium", "warning", "warn"], ["technical", "device", "tech"]]);
const PILL_ICON = /** @type {Record<string, string>} */ ({ lost: "broken" });

/** The trust bar: connection, counts, unowned, clock. */
export class TrustBar {
  constructor() {
    this.pillIcon = icon("link");
    this.pillText = el("b", "pill-text");
    this.pillLag = el("span", "pill-lag");
    this.pill = el("div", "pill", this.pillIcon, this.pillText, this.pillLag);
    this.counts = KINDS.map(([priority, shape, look]) => {
      const number = el("b", "");
      const node = el("div", `count count-${look}`, icon(shape), number, el("span", "sr"));
      return { priority, number, node, words: node.lastElementChild };
    });
    this.unowned = el("b", "unowned");
    this.off = el("span", "clock-off");
    this.time = el("b", "clock");
    this.day = el("span", "day");
    this.zone = el("span", "zone");
    this.node = el("section", "trustbar", this.pill, ...this.counts.map((c) => c.node), this.unowned, el("span", "space"), this.off, this.time, el("span", "date", this.day, this.zone));
    this.node.setAttribute("aria-label", t("trust"));
  }

  /**
   * @param {Nadi.State} state
   * @param {Told} told
   */
  render(state, told) {
    attr(this.pill, "data-link", told.name);
    setIcon(this.pillIcon, PILL_ICON[told.name] ?? "link");
    say(this.pillText, pillText(told));
    say(this.pillLag, told.name === "live" ? t("lag_s", (told.lag_ms / 1000).toFixed(1)) : "");
    const of = counts(state);
    for (const c of this.counts) {
      const n = of[c.priority];
      say(c.number, `${n}`);
      attr(c.node, "data-zero", n ? null : "");
      if (c.words) say(c.words, countWords(c.priority, n));
      attr(c.node, "title", countWords(c.priority, n));
    }
    say(this.unowned, t("unowned", of.unowned));
    const known = told.now_ms > 0;
    say(this.time, known ? clock(told.now_ms, state.tz) : "--:--:--");
    const z = known ? zone(told.now_ms, state.tz) : { name: "", offset: "" };
    say(this.day, known ? `${date(told.now_ms, state.tz)} · ` : "");
    say(this.zone, z.name === z.offset ? z.name : `${z.name} (${z.offset})`);
    const off = Math.abs(told.clock_ms) > CLOCK_OFF_MS;
    show(this.off, off);
    if (off) say(this.off, t("clock_off", span(Math.abs(told.clock_ms)), t(told.clock_ms > 0 ? "fast" : "slow")));
  }
}

/**
 * @param {string} priority
 * @param {number} n
 */
export function countWords(priority, n) {
  return n === 1 && priority !== "high" ? t(`n_${priority}_1`) : t(`n_${priority}`, n);
}

/** @param {Told} told */
function pillText(told) {
  if (told.name === "lagging") return t("behind", Math.round(told.lag_ms / 1000));
  if (told.name === "lost") return t("lost_pill", timer(told.lost_ms));
  return told.name === "live" || told.name === "draining" ? t("live") : t("connecting");
}

/** The banner: not live, live again, moving. */
export class Banner {
  /** @param {() => void} dismiss */
  constructor(dismiss) {
    this.icon = icon("broken");
    this.title = el("b", "banner-title");
    this.text = el("span", "banner-text");
    this.close = button("banner-close", t("close"), dismiss);
    this.node = el("div", "banner", this.icon, this.title, this.text, el("span", "space"), this.close);
  }

  /**
   * @param {Nadi.State} state
   * @param {Told} told
   */
  render(state, told) {
    const { kind, title, text } = bannerOf(state, told);
    show(this.node, kind !== "");
    attr(this.node, "data-kind", kind);
    setIcon(this.icon, kind === "lost" ? "broken" : "link");
    say(this.title, title);
    say(this.text, text);
    show(this.close, kind === "resumed");
  }
}

/**
 * @param {Nadi.State} state
 * @param {Told} told
 * @returns {{kind: string, title: string, text: string}}
 */
export function bannerOf(state, told) {
  if (told.name === "lost") return { kind: "lost", title: t("lost", timer(told.lost_ms)), text: t("lost_from", clock(told.from_ms, state.tz)) };
  if (told.name === "draining") return { kind: "draining", title: t("draining"), text: "" };
  if (told.resumed) {
    const gap = `${clock(told.resumed.from_ms, state.tz)}–${clock(told.resumed.to_ms, state.tz)}`;
    return { kind: "resumed", title: t(told.resumed.full ? "resumed" : "resumed_lost", gap), text: "" };
  }
  return { kind: "", title: "", text: "" };
}
