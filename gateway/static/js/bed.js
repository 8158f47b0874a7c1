// @ts-check
// The panel of a bed: values with unit, age and device; its alerts; the form for consciousness, oxygen and manual readings.
import { alertsOf, line, whatOf } from "./alerts.js";
import { FIELDS, readingsOf, rowsOf } from "./bedview.js";
import { NO_ANSWER_MS, refusal } from "./cards.js";
import { ACVPU, ACVPU_TEXT, DBP, FLOW, OXYGEN, SBP, VITALS } from "./codes.js";
import { attr, button, el, say, show } from "./dom.js";
import { mayAct, serverNow } from "./fold.js";
import { clock, initials } from "./format.js";
import { t } from "./strings.js";

/** @typedef {import("./bedview.js").Reading} Reading */
/**
 * @typedef {{observe: (patient: string, readings: Reading[], minutes: number) => string, why: (alert: string) => void}} Actions
 */

/**
 * @param {string} patient
 * @param {string} bed
 * @param {boolean} record the form gets the focus
 * @param {Actions} actions
 * @returns {import("./panel.js").Content}
 */
export function bedPanel(patient, bed, record, actions) {
  const alerts = el("ul", "bed-alerts");
  const body = el("tbody", "");
  const head = el("tr", "", ...["vital", "value", "unit", "old", "device", "news2"].map((k) => column(t(k))));
  const form = new ObserveForm(patient, actions.observe);
  const table = el("table", "values", el("caption", "", t("values")), el("thead", "", head), body);
  const node = el("div", "bed-panel", alerts, table, form.node);
  let drawn = "";
  const content = {
    title: t("bed_n", bed || t("no_bed")), node, first: record ? form.first : null,
    render(/** @type {Nadi.State} */ state, /** @type {import("./value.js").Moment} */ moment, /** @type {number} */ mono) {
      const p = state.patients[patient];
      if (!p) return;
      content.title = [t("bed_n", p.bed || t("no_bed")), initials(p.initials), p.age_years ?? "", p.sex ?? ""].join(" ").trim();
      const rows = rowsOf(p, moment);
      const own = alertsOf(state, patient).map((a) => [a.alert, `${t(a.priority)} · ${line(whatOf(state, a, moment))}`, a.priority]);
      form.render(state, mono);
      const key = JSON.stringify([rows, own]);
      if (key === drawn) return;
      drawn = key;
      body.replaceChildren(...rows.map((r) => el("tr", "", ...r.map((text, i) => (i ? el("td", "", text) : rowHead(text))))));
      if (alerts.dataset.key !== JSON.stringify(own) && !alerts.contains(document.activeElement)) {
        alerts.dataset.key = JSON.stringify(own);
        alerts.replaceChildren(...own.map(([id, text, priority]) => el("li", `bed-alert bed-alert-${priority}`, el("span", "", text), button("plain", t("why"), () => actions.why(id)))));
      }
    },
  };
  return content;
}

/** @param {string} text */
function column(text) {
  const node = el("th", "", text);
  node.setAttribute("scope", "col");
  return node;
}

/** @param {string} text */
function rowHead(text) {
  const node = el("th", "", text);
  node.setAttribute("scope", "row");
  return node;
}

/** The form. What was entered stays until the record is back. */
class ObserveForm {
  /**
   * @param {string} patient
   * @param {Actions["observe"]} send
   */
  constructor(patient, send) {
    this.patient = patient;
    this.sent = "";
    /** @type {Map<string, HTMLInputElement>} */
    this.fields = new Map();
    const mind = choices(ACVPU, t("consciousness"), [["", t("not_entered")], ...ACVPU_TEXT.map((c) => [c, `${c} ${t(`acvpu_${c}`)}`])]);
    const air = choices(OXYGEN, t("oxygen_given"), [["", t("not_entered")], ["air", t("air")], ["oxygen", t("oxygen_given")]]);
    const numbers = el("div", "numbers", ...FIELDS.map((code) => this.number(code)));
    this.minutes = /** @type {HTMLInputElement} */ (el("input", ""));
    Object.assign(this.minutes, { type: "number", min: "0", max: "239", value: "0", id: "observe-minutes" });
    const ago = el("div", "field", label(t("minutes_ago"), "observe-minutes"), this.minutes);
    this.button = /** @type {HTMLButtonElement} */ (el("button", "act", t("send")));
    this.status = el("p", "form-status");
    this.status.setAttribute("role", "status");
    this.note = el("p", "dim", t("view_only"));
    this.form = /** @type {HTMLFormElement} */ (el("form", "observe", mind, air, numbers, el("div", "form-foot", ago, this.button), this.status));
    this.form.noValidate = true;
    this.node = el("section", "record", el("h3", "", t("record")), this.form, this.note);
    this.first = /** @type {HTMLElement} */ (mind.querySelector("input"));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit(send);
    });
  }

  /** @param {string} code */
  number(code) {
    const vital = VITALS[code];
    const input = /** @type {HTMLInputElement} */ (el("input", ""));
    Object.assign(input, { type: "text", inputMode: "decimal", autocomplete: "off", id: `observe-${code}`, name: code });
    this.fields.set(code, input);
    const name = code === SBP ? "BP systolic" : code === DBP ? "BP diastolic" : vital.label;
    return el("div", "field", label(`${name} (${vital.unit})`, `observe-${code}`), input);
  }

  /** @param {Actions["observe"]} send */
  submit(send) {
    if (this.button.getAttribute("aria-disabled")) return;
    const data = new FormData(this.form);
    const entries = Object.fromEntries([...data.entries()].map(([k, v]) => [k, String(v)]));
    if (entries[FLOW] && Number(entries[FLOW]) > 0 && !entries[OXYGEN]) entries[OXYGEN] = "oxygen";
    const { readings, problem, field } = readingsOf(entries);
    for (const [code, input] of this.fields) attr(input, "aria-invalid", code === field ? "true" : null);
    say(this.status, problem);
    attr(this.status, "data-bad", problem ? "" : null);
    if (problem) {
      this.fields.get(field)?.focus();
      return;
    }
    this.sent = send(this.patient, readings, Math.min(239, Math.max(0, Math.floor(Number(this.minutes.value) || 0))));
  }

  /**
   * @param {Nadi.State} state
   * @param {number} mono
   */
  render(state, mono) {
    show(this.form, mayAct(state));
    show(this.note, !mayAct(state));
    const pending = state.commands[this.sent];
    const done = state.outcomes[this.sent];
    attr(this.button, "aria-disabled", pending ? "true" : null);
    say(this.button, pending ? t("sending") : t("send"));
    if (pending) say(this.status, mono - pending.sent_mono > NO_ANSWER_MS ? t("no_answer") : t("sending"));
    if (!done) return;
    attr(this.status, "data-bad", done.done ? null : "");
    say(this.status, done.done ? t("recorded", clock(serverNow(state, done.mono), state.tz)) : t("refused", refusal(state, done.reason, null, state.tz)));
    if (done.done) this.form.reset();
    this.sent = done.done ? "" : this.sent;
  }
}

/**
 * @param {string} text
 * @param {string} id
 */
function label(text, id) {
  const node = /** @type {HTMLLabelElement} */ (el("label", "", text));
  node.htmlFor = id;
  return node;
}

/**
 * @param {string} name
 * @param {string} title
 * @param {string[][]} options [value, text]
 */
function choices(name, title, options) {
  const all = options.map(([value, text]) => {
    const input = /** @type {HTMLInputElement} */ (el("input", ""));
    Object.assign(input, { type: "radio", name, value, id: `observe-${name}-${value || "none"}`, defaultChecked: value === "" });
    return el("span", "choice", input, label(text, input.id));
  });
  return el("fieldset", "choices", el("legend", "", title), ...all);
}
