// @ts-check
// The state of the board as one pure fold: (state, what happened) -> state. No DOM, no clock, no randomness: times come in.
import { foldEvent, foldKey, foldLive, foldTrend, without } from "./fold_ward.js";

/**
 * What may happen. Times: `mono` = ms of a clock that never jumps, `wall` = this computer's idea of ms since 1970.
 * @typedef {{k: "site", site: Nadi.Site} | {k: "opening"} | {k: "frame", f: any, mono: number, wall: number} | {k: "open", mono: number}
 *   | {k: "closed", code: number, mono: number} | {k: "ward", ward: string} | {k: "command", command: Nadi.Command} | {k: "forget", id: string}
 *   | {k: "dismiss"} | {k: "leave"}} Happening
 */

const SKEWS = 30;
/** Close codes after which coming back makes no sense: nothing of the ward may stay on the screen. */
const FINAL = new Set([4401, 4500, 4501, 4503, 4504]);
const ACTING = new Set(["nurse", "doctor", "charge"]);
/** A line that is cut may come back within this time before anything is said: values are no older than on a busy line. */
export const CUT_MS = 2500;
const OUTCOMES = 50;

/** @returns {Nadi.State} */
export function empty() {
  return {
    site: null, me: null, tz: "Asia/Kuala_Lumpur", ward: "", beds: null, patients: {}, left: {}, alerts: {}, seqs: {}, answered: {}, course: {}, trends: {},
    shard_ms: {}, pos: null, key_pos: null, commands: {}, outcomes: {}, gaps: [],
    link: { phase: "idle", code: 0, ever: false, heard_mono: 0, cut_mono: null, draining: false, skews: [], wall: 0, lag_ms: 0, resumed: null },
  };
}

/**
 * Server time at `mono`: the least delayed of the newest heartbeats.
 * @param {Nadi.State} state
 * @param {number} mono
 */
export function serverNow(state, mono) {
  const skews = state.link.skews;
  return skews.length ? mono + Math.max(...skews) : 0;
}

/**
 * May this person act, or only look?
 * @param {Nadi.State} state
 */
export function mayAct(state) {
  return ACTING.has(state.me?.role ?? "");
}

/**
 * @param {Nadi.State} state
 * @param {Happening} e
 * @returns {Nadi.State}
 */
export function fold(state, e) {
  switch (e.k) {
    case "site": return { ...state, site: e.site, tz: e.site.tz ?? state.tz };
    case "ward": return e.ward === state.ward ? state : { ...wiped(state), site: state.site, me: state.me, tz: state.tz, ward: e.ward, link: state.link };
    case "opening": return { ...state, link: { ...state.link, phase: "opening", code: 0 } };
    case "open": return { ...state, link: { ...state.link, phase: "open" } };
    case "closed": return closed(state, e.code, e.mono);
    case "leave": return { ...wiped(state), site: state.site, tz: state.tz, link: { ...empty().link, phase: "out", code: 0 } };
    case "command": return { ...state, commands: { ...state.commands, [e.command.id]: e.command }, outcomes: without(state.outcomes, e.command.id) };
    case "forget": return { ...state, outcomes: without(state.outcomes, e.id) };
    case "dismiss": return { ...state, link: { ...state.link, resumed: null } };
    case "frame": return frame(heard(state, e), e.f, e.mono);
    default: return state;
  }
}

/**
 * Everything of the ward gone, as at first load.
 * @param {Nadi.State} state
 */
function wiped(state) {
  return { ...empty(), site: state.site };
}

/**
 * Any frame says that the line lives; those with the server's time move our idea of it.
 * @param {Nadi.State} state
 * @param {{f: any, mono: number, wall: number}} e
 * @returns {Nadi.State}
 */
function heard(state, e) {
  const link = { ...state.link, heard_mono: Math.max(e.mono, state.link.heard_mono), wall: e.wall - e.mono };
  const before = e.f.t === "welcome" ? [] : link.skews; // another server has its own clock
  if (typeof e.f.now_ms === "number") link.skews = [...before, e.f.now_ms - e.mono].slice(-SKEWS);
  return { ...state, link };
}

/**
 * @param {Nadi.State} state
 * @param {any} f
 * @param {number} mono
 * @returns {Nadi.State}
 */
function frame(state, f, mono) {
  switch (f.t) {
    case "welcome": return { ...state, me: { user: f.user, role: f.role, wards: f.wards ?? [], ini: f.ini ?? "" }, tz: f.tz ?? state.tz };
    case "key": return f.ward === state.ward ? key(state, f, mono) : state;
    case "live": return foldLive(state, f);
    case "trend": return foldTrend(state, f);
    case "ev": return answer(foldEvent(state, f), f.e, mono);
    case "hb": return beat(state, f);
    case "taken": return f.id in state.commands ? patchCommand(state, f.id, { taken: true }) : state;
    case "refused": return settle(state, f.id, false, f.reason, mono, null);
    case "bye": return { ...state, link: { ...state.link, draining: true } };
    default: return state;
  }
}

/**
 * @param {Nadi.State} state
 * @param {string} id
 * @param {Partial<Nadi.Command>} change
 */
function patchCommand(state, id, change) {
  return { ...state, commands: { ...state.commands, [id]: { ...state.commands[id], ...change } } };
}

/**
 * @param {Nadi.State} state
 * @param {any} f
 * @param {number} mono
 * @returns {Nadi.State}
 */
function key(state, f, mono) {
  const link = { ...state.link, phase: /** @type {const} */ ("live"), ever: true, draining: false, cut_mono: null };
  const cut = state.link.cut_mono;
  let gaps = state.gaps;
  if (cut !== null && state.link.ever) {
    const from_ms = serverNow(state, cut);
    if (mono - cut > CUT_MS) gaps = [...gaps, /** @type {[number, number]} */ ([from_ms, f.now_ms])].slice(-20);
    if (f.recovered === false || mono - cut > CUT_MS) link.resumed = { from_ms, to_ms: f.now_ms, full: f.recovered !== false, mono };
  }
  return settleByKey(foldKey({ ...state, link, gaps }, f), f, mono);
}

/**
 * A key is the truth: a wish that it fulfils is done, whatever became of its event.
 * @param {Nadi.State} state
 * @param {any} f
 * @param {number} mono
 */
function settleByKey(state, f, mono) {
  if (f.recovered !== false) return state;
  let next = state;
  for (const c of Object.values(state.commands)) {
    const alert = c.alert ? state.alerts[c.alert] : undefined;
    if (c.kind === "acknowledge" && (!alert || alert.owner === state.me?.user)) next = settle(next, c.id, true, "", mono, alert ?? null);
    if (c.kind === "unacknowledge" && (!alert || alert.owner !== state.me?.user)) next = settle(next, c.id, true, "", mono, alert ?? null);
  }
  return next;
}

/**
 * @param {Nadi.State} state
 * @param {any} f
 * @returns {Nadi.State}
 */
function beat(state, f) {
  const pos = f.pos ?? state.pos;
  const shard_ms = f.shard_ms ? { ...state.shard_ms, ...f.shard_ms } : state.shard_ms;
  return { ...state, pos, shard_ms, link: { ...state.link, lag_ms: f.lag_ms ?? 0 } };
}

/**
 * @param {Nadi.State} state
 * @param {number} code
 * @param {number} mono
 * @returns {Nadi.State}
 */
function closed(state, code, mono) {
  if (FINAL.has(code)) return { ...wiped(state), tz: state.tz, link: { ...empty().link, phase: "out", code } };
  if (state.link.phase === "out") return state;
  const cut_mono = state.link.cut_mono ?? (state.link.ever ? state.link.heard_mono || mono : null);
  return { ...state, link: { ...state.link, phase: "closed", code, cut_mono, draining: state.link.draining || code === 4001 } };
}

/**
 * The event that answers one of our commands.
 * @param {Nadi.State} state
 * @param {Nadi.AlertEvent} event
 * @param {number} mono
 */
function answer(state, event, mono) {
  if (!event.command || !(event.command in state.commands)) return state;
  const refused = event.transition === "refused";
  const alert = (event.alert && state.alerts[event.alert]) || null;
  return settle(state, event.command, !refused, refused ? event.evidence?.reason ?? "" : "", mono, alert);
}

/**
 * @param {Nadi.State} state
 * @param {string} id
 * @param {boolean} done
 * @param {string} reason
 * @param {number} mono
 * @param {Nadi.Alert | null} alert
 * @returns {Nadi.State}
 */
function settle(state, id, done, reason, mono, alert) {
  const asked = state.commands[id];
  if (!asked) return state;
  const outcome = { id, kind: asked.kind, patient: asked.patient, alert: asked.alert, done, reason, mono, owner: alert?.owner ?? null, owned_ms: alert?.owned_ms ?? null };
  const kept = Object.entries(state.outcomes).slice(1 - OUTCOMES);
  return { ...state, commands: without(state.commands, id), outcomes: { ...Object.fromEntries(kept), [id]: outcome } };
}
