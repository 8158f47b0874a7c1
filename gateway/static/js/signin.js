// @ts-check
// The sign-in page: a token, or in the demo one of its people. The token lives in this tab's session alone.
import { button, el, say, show } from "./dom.js";
import { initials } from "./format.js";
import { icon } from "./icons.js";
import { has, t } from "./strings.js";

export class SignIn {
  /** @param {(token: string) => void} enter */
  constructor(enter) {
    this.enter = enter;
    this.title = el("h1", "", t("sign_in"));
    this.message = el("p", "sign-message");
    this.message.setAttribute("role", "alert");
    this.people = el("div", "people");
    this.token = /** @type {HTMLInputElement} */ (el("input", ""));
    Object.assign(this.token, { type: "password", id: "token", autocomplete: "off", spellcheck: false, required: true });
    const label = /** @type {HTMLLabelElement} */ (el("label", "", t("token")));
    label.htmlFor = "token";
    const hint = el("p", "dim", t("token_hint"));
    hint.id = "token-hint";
    this.token.setAttribute("aria-describedby", "token-hint");
    const form = el("form", "token-form", label, this.token, hint, el("button", "act", t("sign_in")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const token = this.token.value.trim();
      this.token.value = "";
      if (token) this.enter(token);
    });
    this.node = el("main", "sign-in", el("div", "sign-box", el("div", "brand", icon("pulse"), el("b", "", t("nadi"))), this.title, this.message, this.people, form, el("p", "dim", t("secondary"))));
    this.offered = "";
  }

  /**
   * @param {Nadi.State} state
   * @param {string} trouble
   */
  render(state, trouble) {
    const code = state.link.phase === "out" ? state.link.code : 0;
    const out = state.link.phase === "out" && (code !== 0 || state.link.cut_mono === null);
    say(this.title, out && code ? t("signed_out") : t("sign_in"));
    const why = code ? `${has(`out_${code}`) ? t(`out_${code}`) : ""} ${t("out_left")}` : "";
    say(this.message, trouble || why.trim());
    show(this.message, this.message.textContent !== "");
    const users = state.site?.users ?? [];
    show(this.people, users.length > 0);
    const key = JSON.stringify(users);
    if (key === this.offered) return;
    this.offered = key;
    this.people.replaceChildren(el("h2", "", t("demo_as")), ...users.map((u) => this.user(u)));
  }

  /** @param {Nadi.User} u */
  user(u) {
    const wards = u.wards.includes("*") ? t("all_wards") : u.wards.map((w) => t("ward_n", w.toUpperCase())).join(", ");
    const node = button("user", "", () => void this.demo(u.user));
    node.append(el("b", "", u.initials ? initials(u.initials) : u.user), el("span", "", t("role_wards", u.role, wards)));
    node.dataset.user = u.user;
    return node;
  }

  /** @param {string} user */
  async demo(user) {
    const answer = await fetch("/demo-token", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ user }) });
    if (answer.ok) this.enter((await answer.json()).token);
    else say(this.message, await answer.text());
    show(this.message, !answer.ok);
  }
}
