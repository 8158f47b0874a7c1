// @ts-check
// The Why? panel.
import { isOpen, line, person, whatOf, whereOf } from "./alerts.js";
import { button, el, show } from "./dom.js";
import { t } from "./strings.js";
import { whyView } from "./whyview.js";

/**
 * @param {string} alert
 * @param {(alert: string) => void} giveBack
 * @returns {import("./panel.js").Content}
 */
export function whyPanel(alert, giveBack) {
  const text = el("div", "why-text");
  const give = button("plain", t("give_back"), () => giveBack(alert));
  const node = el("div", "why-panel", text, give);
  let drawn = "";
  /** @type {Nadi.Alert | null} */
  let last = null;
  const content = {
    title: t("why"), node,
    render(/** @type {Nadi.State} */ state, /** @type {import("./value.js").Moment} */ moment) {
      const a = state.alerts[alert] ?? state.course[alert]?.at(-1)?.state ?? last;
      if (!a) return;
      last = a;
      const where = whereOf(state, a);
      const what = whatOf(state, a, moment);
      content.title = `${t("bed_n", where.bed)} ${where.initials} · ${t("why")}`;
      show(give, isOpen(a) && a.owner !== null && a.owner === state.me?.user);
      const view = whyView(state, a, state.tz);
      const heading = [t(a.priority), line(what), what.detail, a.owner ? t("owner", person(state, a.owner)) : isOpen(a) ? t("no_owner") : ""];
      const key = JSON.stringify([heading, view]);
      if (key === drawn) return;
      drawn = key;
      text.replaceChildren(...sections(heading, view, a.priority));
    },
  };
  return content;
}

/**
 * @param {string[]} heading
 * @param {import("./whyview.js").Why} v
 * @param {string} priority
 */
function sections(heading, v, priority) {
  const [word, title, ...rest] = heading;
  const out = [el("p", `why-head why-${priority}`, el("b", "word", word), " ", el("b", "", title)), el("p", "dim", rest.filter(Boolean).join(" · "))];
  out.push(section(t("rule"), [v.rule, ...v.about]));
  if (v.inputs.length) {
    const rows = v.inputs.map((i) => el("tr", "", cell("th", i.name), cell("td", i.value), cell("td", i.age), cell("td", i.points || i.from)));
    const table = el("table", "inputs", el("tbody", "", ...rows));
    out.push(el("section", "", el("h3", "", t("inputs")), table));
  }
  if (!v.judged) out.push(el("p", "dim", t("not_seen")));
  if (v.limit.length) out.push(section(t("limit_is"), v.limit));
  if (v.whose) out.push(section(t("whose"), [v.whose]));
  if (v.quiet) out.push(section(t("quiet_if"), [v.quiet]));
  out.push(el("section", "", el("h3", "", t("course")), el("ol", "course", ...v.course.map((c) => el("li", "", el("b", "", c.at), ` ${c.text}`)))));
  return out;
}

/**
 * @param {string} title
 * @param {string[]} lines
 */
function section(title, lines) {
  return el("section", "", el("h3", "", title), ...lines.map((x) => el("p", "", x)));
}

/**
 * @param {string} tag
 * @param {string} text
 */
function cell(tag, text) {
  const node = el(tag, "", text);
  if (tag === "th") node.setAttribute("scope", "row");
  return node;
}
