// @ts-check
// <nadi-tile>: one bed. Built once; `render` copies a view into it and touches a text only where it changed.
import { attr, el, order, say, show } from "./dom.js";
import { icon, setIcon } from "./icons.js";
import { Sparkline } from "./spark.js";
import { t } from "./strings.js";
import { nameOf } from "./tileview.js";

/** @typedef {import("./tileview.js").View} View @typedef {import("./tileview.js").Cell} CellView */

/** One vital in a tile. */
class Cell {
  constructor() {
    this.label = el("span", "label");
    this.unit = el("span", "unit");
    this.age = el("span", "age");
    this.points = el("span", "points");
    this.number = el("span", "number");
    this.arrow = icon("");
    this.aside = el("span", "aside");
    this.last = el("div", "last");
    this.spark = new Sparkline();
    const head = el("div", "cell-head", this.label, this.unit, el("span", "space"), this.age, this.points);
    this.lastTime = el("span", "last-time");
    const value = el("div", "value", this.number, this.arrow, this.aside, this.lastTime);
    this.node = el("div", "cell", head, value, this.last, this.spark.node);
  }

  /** @param {CellView} c */
  render(c) {
    attr(this.node, "data-cell", c.id);
    attr(this.node, "data-state", c.state);
    attr(this.node, "data-mark", c.mark || null);
    say(this.label, c.label);
    say(this.unit, c.unit);
    say(this.age, c.age);
    say(this.points, c.points === null ? "" : `${c.points}`);
    attr(this.points, "data-points", c.points === null ? null : `${c.points}`);
    say(this.number, c.text);
    setIcon(this.arrow, c.arrow);
    show(this.arrow, c.arrow !== "");
    say(this.aside, c.aside);
    say(this.last, c.last);
    say(this.lastTime, c.lastTime);
    show(this.last, c.last !== "");
    show(this.spark.node, c.line !== null && c.last === "");
    if (c.line) this.spark.draw(c.line, c.hatch);
  }
}

export class Tile extends HTMLElement {
  constructor() {
    super();
    /** @type {View | null} */
    this.view = null;
    this.bed = el("span", "bed");
    this.initials = el("span", "initials");
    this.who = el("span", "who");
    this.tags = el("span", "tags");
    this.badgeLabel = el("span", "badge-label", t("news2"));
    this.badgeSign = el("span", "badge-sign");
    this.badgeText = el("span", "badge-text");
    this.badgePart = el("span", "badge-part");
    this.badge = el("span", "badge", this.badgeLabel, el("span", "badge-score", this.badgeSign, this.badgeText), this.badgePart);
    this.head = el("div", "tile-head", this.bed, this.initials, this.who, this.tags, el("span", "space"), this.badge);
    this.empty = el("div", "tile-empty", t("empty_bed"));
    this.cells = Array.from({ length: 6 }, () => new Cell());
    this.body = el("div", "tile-body", ...this.cells.map((c) => c.node));
    this.shape = icon("");
    this.word = el("span", "word");
    this.what = el("span", "what");
    this.note = el("span", "note");
    this.more = el("span", "more");
    this.person = icon("person");
    this.owner = el("span", "owner");
    this.right = el("span", "right");
    this.nobody = el("span", "nobody");
    this.foot = el("div", "tile-foot", this.shape, this.word, this.what, this.note, this.more, el("span", "space"), this.person, this.owner, this.right, this.nobody);
    this.link = /** @type {HTMLAnchorElement} */ (el("a", "tile", this.head, this.empty, this.body, this.foot));
    this.link.addEventListener("focus", () => this.name());
  }

  connectedCallback() {
    if (!this.link.isConnected) this.append(this.link);
  }

  /** Writes the name for screen readers; not at 1 Hz, only when somebody comes here. */
  name() {
    if (this.view) attr(this.link, "aria-label", nameOf(this.view));
  }

  /** @param {View} v */
  render(v) {
    const before = this.view;
    this.view = v;
    if (!before || before.bed !== v.bed || before.initials !== v.initials || before.state !== v.state) {
      attr(this.link, "href", `#bed-${v.bed || v.patient}`);
      this.name();
    }
    attr(this.link, "data-state", v.state);
    attr(this.link, "data-look", v.look);
    attr(this.link, "data-tint", v.tint ? "" : null);
    attr(this.link, "data-frozen", v.frozen && v.state !== "empty" ? "" : null);
    say(this.bed, v.bed || t("dash"));
    say(this.initials, v.initials);
    say(this.who, v.who);
    const empty = v.state === "empty";
    for (const node of [this.body, this.foot, this.badge]) show(node, !empty);
    show(this.empty, empty);
    if (empty) return;
    this.renderTags(v);
    this.renderBadge(v);
    v.cells.forEach((c, i) => this.cells[i].render(c));
    this.renderFoot(v);
  }

  /** @param {View} v */
  renderTags(v) {
    if (this.tags.dataset.tags === v.tags.map((x) => x.name + x.text).join()) return;
    this.tags.dataset.tags = v.tags.map((x) => x.name + x.text).join();
    order(this.tags, v.tags.map((tag) => {
      const node = el("span", `tag tag-${tag.name}`, ...(tag.name === "isolation" ? [icon("isolation")] : []), el("span", "tag-text", tag.text));
      node.title = tag.title;
      return node;
    }));
  }

  /** @param {View} v */
  renderBadge(v) {
    const b = v.badge;
    if (!b) return;
    attr(this.badge, "data-dashed", b.dashed ? "" : null);
    attr(this.badge, "data-high", b.high ? "" : null);
    attr(this.badge, "title", b.title);
    say(this.badgeSign, b.sign);
    say(this.badgeText, b.text);
    say(this.badgePart, b.none || b.partial);
  }

  /** @param {View} v */
  renderFoot(v) {
    const f = v.footer;
    setIcon(this.shape, f.icon);
    show(this.shape, f.icon !== "");
    say(this.word, f.word);
    say(this.what, [f.what, f.value].filter(Boolean).join(" "));
    attr(this.what, "data-bold", f.value !== "" || v.footer.what.startsWith(t("no_data", "").trim()) ? "" : null);
    say(this.note, f.note);
    say(this.more, f.more);
    show(this.person, f.owner !== "");
    say(this.owner, f.owner);
    say(this.right, f.right);
    say(this.nobody, f.nobody);
  }
}

customElements.define("nadi-tile", Tile);
