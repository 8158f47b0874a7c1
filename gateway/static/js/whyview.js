// @ts-check
// Why? as plain texts: rule, version, inputs with values and ages, the limit and whose it is, what would have kept it quiet, the course.
import { evidenceOf, person, sign } from "./alerts.js";
import { labelOf, numberOf, unitOf } from "./codes.js";
import { clock, span } from "./format.js";
import { has, t } from "./strings.js";

/**
 * @typedef {{rule: string, about: string[], inputs: {name: string, value: string, age: string, points: string, from: string}[], limit: string[], whose: string,
 *            quiet: string, course: {at: string, text: string}[], judged: boolean}} Why
 */

/**
 * @param {Nadi.State} state
 * @param {Nadi.Alert} a
 * @param {string} tz
 * @returns {Why}
 */
export function whyView(state, a, tz) {
  const evidence = evidenceOf(state, a);
  const about = [];
  const show = (/** @type {number} */ v) => (a.code ? `${numberOf(a.code, v)} ${unitOf(a.code)}` : `${v}`);
  if (a.value !== null) about.push(t("raised_value", show(a.value)));
  if (a.worst !== null && a.worst !== a.value) about.push(t("worst", show(a.worst)));
  if (a.device) about.push(`${t("device")} ${a.device}`);
  return {
    rule: `${t(`rule_${a.rule}`)}, ${t("version", a.rule_version)}`, about, judged: evidence !== null,
    inputs: (evidence?.inputs ?? []).map((i) => inputOf(i, tz)), limit: limitOf(a, evidence), whose: whoseOf(evidence?.limit_source ?? ""),
    quiet: readable(evidence?.quiet_if ?? ""),
    course: courseOf(state, a, tz),
  };
}

/**
 * @param {Nadi.Input} i
 * @param {string} tz
 */
function inputOf(i, tz) {
  const name = i.part ? t(`p_${i.part}`) : i.code ? labelOf(i.code) : i.device ?? "";
  const absent = i.absent ? (has(`a_${i.absent}`) ? t(`a_${i.absent}`) : i.absent) : "";
  let value = absent;
  if (typeof i.value === "number" && i.code) value = `${numberOf(i.code, i.value)} ${unitOf(i.code)}`.trim();
  else if (!i.code && i.interval_ms) value = t("expected", span(i.interval_ms));
  const age = i.t_ms ? `${clock(i.t_ms, tz)}, ${t("age", span(i.age_ms ?? 0))}` : "";
  return { name, value, age, points: typeof i.points === "number" ? t("points", i.points) : "", from: i.code ? i.device ?? "" : "" };
}

/**
 * @param {Nadi.Alert} a
 * @param {Nadi.Evidence | null} evidence
 */
function limitOf(a, evidence) {
  if (a.kind === "news2") return [t("news_limit")];
  const limit = evidence?.limit;
  if (!limit) return [];
  const unit = unitOf(a.code);
  const lines = [];
  if (limit.op) lines.push(`${sign(limit.op)} ${limit.limit} ${unit}${limit.delay_s ? ` ${t("after", span(limit.delay_s * 1000))}` : ""}`);
  if (typeof limit.clear === "number") lines.push(t("clears", `${limit.clear} ${unit}`, span((limit.hold_s ?? 0) * 1000)));
  return lines;
}

/** @param {string} source */
function whoseOf(source) {
  if (source.startsWith("patient:")) return t("from_patient", source.split(" by ")[1] || "–");
  if (source.startsWith("site:")) return t("from_site");
  return source === "default" ? t("from_default") : source;
}

/** UCUM as people write it. @param {string} text */
function readable(text) {
  return text.replaceAll("mm[Hg]", "mmHg").replaceAll(" Cel", " °C").replaceAll("<=", "⩽").replaceAll(">=", "⩾");
}

/**
 * @param {Nadi.State} state
 * @param {Nadi.Alert} a
 * @param {string} tz
 */
function courseOf(state, a, tz) {
  const events = state.course[a.alert] ?? [];
  const seen = events.map((e) => {
    const latched = e.transition === "acknowledged" && e.state?.status === "closed";
    const key = latched ? "t_seen" : `t_${e.transition}`;
    const by = person(state, e.by) || e.by || "";
    const value = typeof e.state?.value === "number" && (e.transition === "raised" || e.transition === "worsened") ? `: ${a.code ? numberOf(a.code, e.state.value) : e.state.value}` : "";
    const reason = e.transition === "closed" && e.evidence?.reason ? `: ${e.evidence.reason}` : "";
    return { at: clock(e.at_ms, tz), text: (has(key) ? t(key, by) : e.transition) + value + reason };
  });
  if (!events.some((e) => e.transition === "raised")) seen.unshift({ at: clock(a.raised_ms, tz), text: t("t_raised") });
  return seen;
}

