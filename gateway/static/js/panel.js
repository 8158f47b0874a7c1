// @ts-check
// The one panel beside the rail: opened by a person, closed by Esc or its button; focus goes in and comes back. The rail stays in sight.
import { attr, button, el, say } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./strings.js";

/**
 * What fills the panel. `render` is called when anything may have changed.
 * @typedef {{title: string, node: HTMLElement, first?: HTMLElement | null, render: (state: Nadi.State, moment: import("./value.js").Moment, mono: number) => void}} Content
 */

export class Panel {
  constructor() {
    this.title = el("h2", "panel-title");
    this.title.id = "panel-title";
    this.title.tabIndex = -1;
    this.close = button("panel-close", "", () => this.shut());
    this.close.append(icon("close"));
    this.close.setAttribute("aria-label", t("close"));
    this.body = el("div", "panel-body");
    this.node = el("section", "panel", el("div", "panel-head", this.title, el("span", "space"), this.close), this.body);
    this.node.setAttribute("role", "dialog");
    this.node.setAttribute("aria-labelledby", "panel-title");
    this.node.hidden = true;
    /** @type {Content | null} */
    this.content = null;
    /** @type {Element | null} */
    this.from = null;
  }

  /** @param {Content} content */
  open(content) {
    if (!this.node.contains(document.activeElement)) this.from = document.activeElement;
    this.content = content;
    say(this.title, content.title);
    this.body.replaceChildren(content.node);
    this.body.scrollTop = 0;
    attr(this.node, "hidden", null);
    (content.first ?? this.title).focus();
  }

  /** @returns {boolean} true when it was open */
  shut() {
    if (!this.content) return false;
    const inside = this.node.contains(document.activeElement);
    this.content = null;
    this.node.hidden = true;
    this.body.replaceChildren();
    if (inside && this.from instanceof HTMLElement && this.from.isConnected) this.from.focus();
    else if (inside) document.getElementById("beds")?.focus();
    return true;
  }

  /**
   * @param {Nadi.State} state
   * @param {import("./value.js").Moment} moment
   * @param {number} mono
   */
  render(state, moment, mono) {
    if (!this.content) return;
    this.content.render(state, moment, mono);
    say(this.title, this.content.title);
  }
}
