// @ts-check
// What a screen reader hears without asking: one assertive and one polite voice, at most one message in 5 s each, joined. Never values.
import { isOpen, person, whatOf, whereOf } from "./alerts.js";
import { el } from "./dom.js";
import { t } from "./strings.js";

const PAUSE_MS = 5000;
const WORDS = { high: "critical", medium: "warning", technical: "device" };

/**
 * What is worth saying between two states. Pure.
 * @param {Nadi.State} before
 * @param {Nadi.State} now
 * @returns {{loud: Nadi.Alert[], calm: Nadi.Alert[], owned: string[]}}
 */
export function news(before, now) {
  const found = { loud: /** @type {Nadi.Alert[]} */ ([]), calm: /** @type {Nadi.Alert[]} */ ([]), owned: /** @type {string[]} */ ([]) };
  if (!before.key_pos || before.ward !== now.ward || before.alerts === now.alerts) return found;
  for (const a of Object.values(now.alerts)) {
    const was = before.alerts[a.alert];
    if (isOpen(a) && !a.owner && (!was || was.priority !== a.priority)) (a.priority === "high" ? found.loud : found.calm).push(a);
    if (was && !was.owner && a.owner) found.owned.push(t("say_owned", whereOf(now, a).bed, person(now, a.owner)));
  }
  return found;
}

/**
 * @param {Nadi.State} state
 * @param {Nadi.Alert[]} alerts of one priority
 * @param {import("./value.js").Moment} moment
 */
export function sentence(state, alerts, moment) {
  const word = WORDS[alerts[0].priority];
  const beds = alerts.map((a) => whereOf(state, a).bed);
  if (alerts.length > 1) return t(`say_${word}`, alerts.length, [...new Set(beds)].join(", "));
  return t(`say_${word}_1`, beds[0], [whatOf(state, alerts[0], moment).name, alerts[0].side && t(`side_${alerts[0].side}`)].filter(Boolean).join(" "));
}

class Voice {
  /** @param {string} manner assertive or polite */
  constructor(manner) {
    this.node = el("div", "sr");
    this.node.setAttribute("aria-live", manner);
    this.node.setAttribute("role", manner === "assertive" ? "alert" : "status");
    /** @type {Map<string, Nadi.Alert>} */
    this.alerts = new Map();
    /** @type {string[]} */
    this.lines = [];
    this.spoken_mono = -PAUSE_MS;
  }

  /**
   * @param {Nadi.State} state
   * @param {import("./value.js").Moment} moment
   * @param {number} mono
   */
  speak(state, moment, mono) {
    if (mono - this.spoken_mono < PAUSE_MS) return;
    const still = [...this.alerts.values()].filter((a) => a.alert in state.alerts);
    const parts = ["high", "medium", "technical"].map((p) => still.filter((a) => a.priority === p)).filter((g) => g.length).map((g) => sentence(state, g, moment));
    const text = [...this.lines, ...parts].join(". ");
    this.alerts.clear();
    this.lines = [];
    if (!text) return;
    this.node.textContent = text;
    this.spoken_mono = mono;
  }
}

export class Announcer {
  constructor() {
    this.loud = new Voice("assertive");
    this.calm = new Voice("polite");
    this.node = el("div", "voices", this.loud.node, this.calm.node);
    this.link = "";
  }

  clear() {
    for (const voice of [this.loud, this.calm]) {
      voice.alerts.clear();
      voice.lines = [];
      voice.node.textContent = "";
    }
  }

  /**
   * @param {Nadi.State} before
   * @param {Nadi.State} now
   * @param {import("./value.js").Moment} moment
   * @param {string} link name of the connection state
   * @param {number} mono
   */
  hear(before, now, moment, link, mono) {
    const found = news(before, now);
    for (const a of found.loud) this.loud.alerts.set(a.alert, a);
    for (const a of found.calm) this.calm.alerts.set(a.alert, a);
    this.calm.lines.push(...found.owned);
    if (link !== this.link) {
      if (link === "lost") this.loud.lines.push(t("say_lost"));
      if (link === "live" && this.link === "lost") this.loud.lines.push(t("say_live"));
      this.link = link;
    }
    this.loud.speak(now, moment, mono);
    this.calm.speak(now, moment, mono);
  }
}
