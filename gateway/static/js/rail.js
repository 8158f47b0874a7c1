// @ts-check
// The alert rail: cards that keep their nodes; frozen while a hand is in it; what does not fit is counted by shape at its foot.
import { button, attr, el, order, say, show } from "./dom.js";
import { card, railOrder } from "./cards.js";
import { mayAct } from "./fold.js";
import { icon, setIcon } from "./icons.js";
import { t } from "./strings.js";

/** @typedef {import("./cards.js").Card} CardView */
/** @typedef {{have: (alert: string) => void, undo: (alert: string) => void, why: (alert: string) => void}} Actions */

const FROZEN_MS = 10_000;
const DEAD_MS = 400;
const PARTS = 7;

/** One alert. */
class Card {
  /** @param {Actions} actions */
  constructor(actions) {
    /** @type {CardView | null} */
    this.view = null;
    this.moved_mono = -DEAD_MS;
    this.top = NaN;
    this.shape = icon("");
    this.word = el("span", "word");
    this.bed = el("span", "bed");
    this.initials = el("span", "initials");
    this.timer = el("span", "timer");
    this.head = el("div", "card-head", this.shape, this.word, this.bed, this.initials, el("span", "space"), this.timer);
    this.title = el("span", "title");
    this.detail = el("span", "detail");
    this.span = el("span", "lasted");
    this.parts = Array.from({ length: PARTS }, () => el("div", "part", el("span", "part-label"), el("b", "part-value"), el("span", "part-points")));
    this.partsBox = el("div", "parts", ...this.parts);
    this.guidance = el("p", "guidance");
    this.person = icon("nobody");
    this.owner = el("span", "owner");
    this.since = el("span", "since");
    this.ownerBox = el("div", "owner-row", this.person, this.owner, el("span", "space"), this.since);
    this.mark = icon("tick");
    this.actLabel = el("span", "act-label");
    this.act = button("act", "", () => this.press(actions));
    this.act.append(this.mark, this.actLabel);
    this.why = button("why", "", () => this.view && this.ready() && actions.why(this.view.alert));
    this.why.append(el("span", "why-text", t("why")));
    this.note = el("p", "card-note");
    this.buttons = el("div", "buttons", this.act, this.why);
    this.node = el("li", "card", this.head, el("div", "title-row", this.title, this.span, this.detail), this.partsBox, this.guidance, this.ownerBox, this.note, this.buttons);
    this.node.tabIndex = -1;
  }

  /** A button that has just moved under a finger does nothing. */
  ready() {
    return performance.now() - this.moved_mono > DEAD_MS;
  }

  /** @param {Actions} actions */
  press(actions) {
    const v = this.view;
    if (!v || v.busy || v.dead || !this.ready()) return;
    if (v.action === "undo") actions.undo(v.alert);
    else if (v.action) actions.have(v.alert);
  }

  /** @param {CardView} v */
  render(v) {
    this.view = v;
    const n = this.node;
    attr(n, "data-alert", v.alert);
    attr(n, "data-size", v.size);
    attr(n, "data-look", v.look);
    attr(n, "data-latched", v.latched ? "" : null);
    attr(n, "data-owned", v.owned ? "" : null);
    attr(n, "data-gone", v.gone ? "" : null);
    setIcon(this.shape, v.icon);
    say(this.word, v.gone ? t("gone") : v.word);
    say(this.bed, v.size === "line" ? v.bed : t("bed_n", v.bed));
    say(this.initials, v.initials);
    say(this.timer, v.timer);
    say(this.title, v.title);
    say(this.detail, v.detail);
    say(this.span, v.span);
    show(this.span, v.span !== "");
    this.renderParts(v);
    say(this.guidance, v.guidance);
    show(this.guidance, v.guidance !== "");
    setIcon(this.person, v.owner ? "person" : "nobody");
    say(this.owner, v.owner || t("no_owner"));
    say(this.since, v.owner ? v.since : "");
    show(this.ownerBox, !v.latched && (v.size !== "line" || v.owner !== ""));
    say(this.note, v.note);
    show(this.note, v.note !== "");
    say(this.actLabel, v.label);
    setIcon(this.mark, v.action === "undo" ? "undo" : "tick");
    show(this.mark, v.size !== "line" && !v.busy);
    show(this.act, v.action !== "");
    attr(this.act, "aria-disabled", v.busy || v.dead || v.gone ? "true" : null);
    attr(this.act, "aria-label", `${v.label}, ${t("bed_n", v.bed)}`);
    attr(this.act, "data-action", v.action);
    attr(this.why, "aria-label", `${t("why")} ${t("bed_n", v.bed)}, ${v.title}`);
    attr(n, "aria-label", `${v.word}, ${t("bed_n", v.bed)}, ${v.initials}, ${v.title}`);
  }

  /** @param {CardView} v */
  renderParts(v) {
    show(this.partsBox, v.parts.length > 0);
    v.parts.forEach((p, i) => {
      attr(this.parts[i], "data-points", p.points);
      [p.label, p.value, p.points].forEach((text, k) => say(this.parts[i].children[k], text));
    });
  }
}

export class Rail {
  /** @param {Actions} actions */
  constructor(actions) {
    this.actions = actions;
    /** @type {Map<string, Card>} */
    this.cards = new Map();
    /** @type {Map<string, Nadi.Alert>} */
    this.last = new Map();
    /** @type {string[] | null} */
    this.held = null;
    this.held_mono = 0;
    this.inside = false;
    this.waiting = el("span", "waiting");
    this.list = el("ol", "cards");
    this.list.setAttribute("aria-label", t("alerts"));
    this.footText = el("span", "foot-count");
    this.footShapes = el("span", "foot-shapes");
    this.foot = button("rail-foot", "", () => this.list.scrollBy({ top: this.list.clientHeight * 0.8 }));
    this.foot.append(this.footText, this.footShapes, el("span", "space"), el("span", "caret", "▼"));
    this.node = el("aside", "rail", el("div", "rail-head", el("h2", "", t("alerts")), el("span", "hint", t("severe_first")), el("span", "space"), this.waiting), this.list, this.foot);
    this.node.id = "alerts";
    this.node.tabIndex = -1;
    this.node.setAttribute("aria-label", t("alerts"));
    this.node.addEventListener("pointerenter", () => this.hold(true));
    this.node.addEventListener("pointermove", () => this.rearm());
    this.node.addEventListener("pointerleave", () => this.hold(this.node.contains(document.activeElement)));
    this.node.addEventListener("focusin", () => this.hold(true));
    this.node.addEventListener("focusout", (event) => this.hold(this.node.contains(/** @type {Node | null} */ (event.relatedTarget)) || this.node.matches(":hover")));
    this.list.addEventListener("scroll", () => this.count(), { passive: true });
  }

  /** A hand that moves again after the order was let go holds it anew. */
  rearm() {
    if (performance.now() - this.held_mono > FROZEN_MS + DEAD_MS) this.held_mono = performance.now();
  }

  /** @param {boolean} inside a pointer or the focus is in the rail */
  hold(inside) {
    if (inside && !this.inside) this.held_mono = performance.now();
    this.inside = inside;
  }

  /**
   * @param {Nadi.State} state
   * @param {import("./value.js").Moment} moment
   * @param {number} mono
   * @param {boolean} live
   */
  render(state, moment, mono, live) {
    const holding = this.inside && performance.now() - this.held_mono < FROZEN_MS;
    if (!holding) this.held = null;
    const { ids, waiting } = railOrder(state, this.held);
    const how = { roomy: window.innerWidth >= 1500, held: holding, live, may: mayAct(state) };
    const nodes = ids.flatMap((id) => {
      const a = state.alerts[id] ?? this.last.get(id);
      if (!a) return [];
      this.last.set(id, a);
      const held = this.cards.get(id) ?? new Card(this.actions);
      this.cards.set(id, held);
      held.render(card(state, a, moment, mono, how, held.view?.size));
      return [held];
    });
    order(this.list, nodes.map((c) => c.node));
    if (holding) this.held = ids;
    const here = new Set(ids);
    for (const id of this.cards.keys()) if (!here.has(id)) [this.cards, this.last].forEach((m) => m.delete(id));
    for (const c of nodes) {
      const top = c.node.offsetTop;
      if (top !== c.top && !Number.isNaN(c.top)) c.moved_mono = performance.now();
      c.top = top;
    }
    say(this.waiting, waiting === 0 ? "" : waiting === 1 ? t("new_1") : t("new_n", waiting));
    this.count();
  }

  clear() {
    this.held = null;
    this.cards.clear();
    this.last.clear();
    this.list.replaceChildren();
  }

  /** Counts by shape what lies below the visible part. */
  count() {
    const bottom = this.list.scrollTop + this.list.clientHeight;
    const below = [...this.cards.values()].filter((c) => c.node.offsetTop + c.node.offsetHeight > bottom + 2);
    show(this.foot, below.length > 0);
    if (!below.length) return;
    say(this.footText, `+${below.length}`);
    attr(this.foot, "aria-label", t("more_below", below.length));
    const by = ["critical", "warning", "device", "latched"].map((name) => [name, below.filter((c) => c.view?.icon === name).length]).filter(([, n]) => n);
    const key = by.join();
    if (this.footShapes.dataset.key === key) return;
    this.footShapes.dataset.key = key;
    this.footShapes.replaceChildren(...by.map(([name, n]) => el("span", `foot-${name}`, icon(`${name}`), `${n}`)));
  }

  /** @returns {Card | undefined} the card that has the focus */
  current() {
    return [...this.cards.values()].find((c) => c.node.contains(document.activeElement));
  }

  /** @param {number} step +1 next, -1 previous alert */
  move(step) {
    const nodes = [...this.list.children];
    const at = nodes.findIndex((n) => n.contains(document.activeElement));
    const next = /** @type {HTMLElement | undefined} */ (nodes[at < 0 ? (step > 0 ? 0 : nodes.length - 1) : Math.min(nodes.length - 1, Math.max(0, at + step))]);
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }
}
