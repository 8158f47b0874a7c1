// @ts-check
// What the rail shows: (state, moment, frozen order) -> cards. Pure.
import { bySeverity, iconOf, isOpen, lasted, line, person, whatOf, whereOf } from "./alerts.js";
import { ACVPU, OXYGEN, PARTS, PART_CODES, SBP } from "./codes.js";
import { clock, hour, timer } from "./format.js";
import { mindOf, newsOf, shownOf } from "./score.js";
import { has, t } from "./strings.js";
import { isNumber } from "./value.js";

/** @typedef {import("./value.js").Moment} Moment */

export const UNDO_MS = 10_000;
export const NOTE_MS = 10_000;
export const NO_ANSWER_MS = 15_000;

/**
 * `size`: full, card, line. `action`: have, seen, undo, give, "" (none); `busy`: sent, not back yet.
 * @typedef {{part: string, label: string, value: string, points: string}} Part
 * @typedef {{alert: string, patient: string, size: string, look: string, latched: boolean, owned: boolean, icon: string, word: string, bed: string, initials: string,
 *            title: string, detail: string, span: string, timer: string, parts: Part[], guidance: string, owner: string, since: string, action: string,
 *            label: string, busy: boolean, dead: boolean, note: string, gone: boolean, say: string}} Card
 */

/**
 * The order of the rail. While a hand is in it (`held` = the order then), known cards stay where they are, also those that ended;
 * a new CRITICAL comes on top, other new ones wait and are counted.
 * @param {Nadi.State} state
 * @param {string[] | null} held
 * @returns {{ids: string[], waiting: number}}
 */
export function railOrder(state, held) {
  const sorted = Object.values(state.alerts).sort(bySeverity);
  if (!held) return { ids: sorted.map((a) => a.alert), waiting: 0 };
  const known = new Set(held);
  const fresh = sorted.filter((a) => !known.has(a.alert));
  const top = fresh.filter((a) => a.priority === "high" && isOpen(a)).map((a) => a.alert);
  return { ids: [...top, ...held], waiting: fresh.length - top.length };
}

/**
 * @param {Nadi.State} state
 * @param {Nadi.Alert} a
 * @param {Moment} moment
 * @param {number} mono
 * @param {{roomy: boolean, held: boolean, live: boolean, may: boolean}} how `roomy`: width for guidance; `held`: a hand is in the
 *   rail, sizes stay; `may`: this role may act
 * @param {string} [before] the size it had
 * @returns {Card}
 */
export function card(state, a, moment, mono, how, before) {
  const p = state.patients[a.patient];
  const where = whereOf(state, a);
  const what = whatOf(state, a, moment);
  const done = lastOutcome(state, a.alert);
  const undo = undoLeft(state, a, done, mono);
  const gone = !(a.alert in state.alerts);
  const latched = a.status === "cleared";
  const sending = Object.values(state.commands).find((c) => c.alert === a.alert);
  const size = how.held && before ? before : sizeOf(a, undo > 0);
  const action = gone || !how.may ? "" : latched ? "seen" : !a.owner ? "have" : undo > 0 ? "undo" : "";
  const labels = { have: t("have"), seen: t("seen"), undo: t("undo", timer(undo + 999)), "": "" };
  const note = noteOf(state, a, done, sending, mono, moment);
  return {
    alert: a.alert, patient: a.patient, size, look: { high: "crit", medium: "warn", technical: "tech" }[a.priority], latched, owned: !!a.owner, icon: iconOf(a),
    word: t(a.priority), bed: where.bed, initials: where.initials, title: line(what), detail: a.priority === "technical" ? "" : what.detail,
    span: latched && a.priority !== "technical" ? lasted(a, moment.tz) : "", timer: moment.frozen ? "?" : timer(moment.now_ms - a.raised_ms),
    parts: size === "full" && a.kind === "news2" && p ? partsOf(p, moment) : [],
    guidance: size === "full" || how.roomy ? guidanceOf(a) : "",
    owner: a.owner ? person(state, a.owner) : "",
    since: hour(a.owned_ms ?? a.raised_ms, moment.tz), action, label: sending ? t("sending") : labels[action],
    busy: !!sending, dead: !how.live, note, gone,
    say: `${where.bed}, ${line(what)}`,
  };
}

/**
 * @param {Nadi.Alert} a
 * @param {boolean} undoing
 */
function sizeOf(a, undoing) {
  if (!isOpen(a)) return "line";
  if (a.priority === "high") return "full";
  return a.priority === "medium" && (!a.owner || undoing) ? "card" : "line";
}

/** @param {Nadi.Alert} a */
function guidanceOf(a) {
  const key = a.kind === "limit" ? `g_${a.code}_${a.side}` : a.kind === "news2" ? `g_news2_${a.priority}` : `g_${a.kind}`;
  return has(key) ? t(key) : "";
}

/**
 * The seven parts of NEWS2: label, value, points; dashes where it is not known now.
 * @param {Nadi.Patient} p
 * @param {Moment} moment
 * @returns {Part[]}
 */
export function partsOf(p, moment) {
  const news = newsOf(p, moment);
  const mind = mindOf(p, moment);
  return PARTS.map((part) => {
    const points = news.parts[part] ?? null;
    const code = PART_CODES[part][0];
    const shown = code === ACVPU || code === OXYGEN || code === SBP ? null : shownOf(p, code, moment);
    let value = t("dash");
    if (part === "consciousness") value = isNumber(mind.mind) ? mind.mind.text : value;
    else if (part === "oxygen") value = mind.air || value;
    else if (shown ? isNumber(shown) : true) value = (shown ?? shownOf(p, SBP, moment)).text;
    return { part, label: t(`p_${part}`), value: value === t("dashes") ? t("dash") : value, points: points === null ? t("dash") : `${points}` };
  });
}

/**
 * @param {Nadi.State} state
 * @param {string} alert
 * @returns {Nadi.Outcome | undefined}
 */
function lastOutcome(state, alert) {
  return Object.values(state.outcomes).filter((o) => o.alert === alert).sort((a, b) => b.mono - a.mono)[0];
}

/**
 * How long what I took can still be undone (ms).
 * @param {Nadi.State} state
 * @param {Nadi.Alert} a
 * @param {Nadi.Outcome | undefined} done
 * @param {number} mono
 */
function undoLeft(state, a, done, mono) {
  if (!isOpen(a) || a.owner !== state.me?.user || done?.kind !== "acknowledge" || !done.done) return 0;
  return Math.max(0, UNDO_MS - (mono - done.mono));
}

/**
 * @param {Nadi.State} state
 * @param {Nadi.Alert} a
 * @param {Nadi.Outcome | undefined} done
 * @param {Nadi.Command | undefined} sending
 * @param {number} mono
 * @param {Moment} moment
 */
function noteOf(state, a, done, sending, mono, moment) {
  if (sending) return mono - sending.sent_mono > NO_ANSWER_MS ? t("no_answer") : "";
  if (!done || done.done || mono - done.mono > NOTE_MS) return "";
  return t("refused", refusal(state, done.reason, a, moment.tz));
}

/**
 * Why something was not done, in words.
 * @param {Nadi.State} state
 * @param {string} reason
 * @param {Nadi.Alert | null} a
 * @param {string} tz
 */
export function refusal(state, reason, a, tz) {
  const key = `refused_${reason}`;
  if (!has(key)) return reason;
  return reason === "owned_by_other" ? t(key, person(state, a?.owner), clock(a?.owned_ms ?? 0, tz)) : t(key);
}

