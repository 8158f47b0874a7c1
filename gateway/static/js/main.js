// @ts-check
// The page: joins line, fold and views. It decides nothing that the pure parts can decide.
import { Announcer } from "./announce.js";
import { counts } from "./alerts.js";
import { bedPanel } from "./bed.js";
import { UNDO_MS } from "./cards.js";
import { attr, el, show } from "./dom.js";
import { empty, fold, mayAct, serverNow } from "./fold.js";
import { Grid } from "./grid.js";
import { listen } from "./keys.js";
import { Ledger } from "./ledger.js";
import { moment, trust } from "./link.js";
import { applyTheme, helpPanel, personPanel } from "./menu.js";
import { Panel } from "./panel.js";
import { Rail } from "./rail.js";
import { Script } from "./script.js";
import { SignIn } from "./signin.js";
import { Line } from "./socket.js";
import { t } from "./strings.js";
import { Banner, TopBar, TrustBar, countWords } from "./trust.js";
import { whyPanel } from "./why.js";

const TOKEN = "nadi.token";
const SITE_AGAIN_MS = 3000;

class App extends HTMLElement {
  constructor() {
    super();
    this.state = empty();
    this.heardState = this.state;
    this.trouble = "";
    this.due = false;
    this.ledger = new Ledger();
    this.line = new Line((e) => this.happened(e), () => this.state, (e) => this.ledger.take(e));
    this.signIn = new SignIn((token) => this.enter(token));
    this.panel = new Panel();
    this.top = new TopBar({ person: () => this.openPerson(), help: () => this.panel.open(helpPanel()), ward: (ward) => this.goWard(ward) });
    this.bar = new TrustBar();
    this.banner = new Banner(() => this.happened({ k: "dismiss" }));
    this.script = new Script();
    this.rail = new Rail({ have: (a) => this.act("acknowledge", a), undo: (a) => this.act("unacknowledge", a), why: (a) => this.openWhy(a) });
    this.grid = new Grid((patient, bed) => this.openBed(patient, bed, false));
    this.announcer = new Announcer();
    const skips = el("div", "skips", ...["alerts", "beds"].map((id) => {
      const link = /** @type {HTMLAnchorElement} */ (el("a", "", t(`to_${id}`)));
      link.href = `#${id}`;
      link.addEventListener("click", (event) => {
        event.preventDefault();
        document.getElementById(id)?.focus();
      });
      return link;
    }));
    this.frame = el("div", "frame", skips, this.top.node, this.bar.node, this.banner.node, this.script.node, el("div", "content", this.rail.node, this.grid.node, this.panel.node));
  }

  connectedCallback() {
    applyTheme();
    this.append(this.frame, this.signIn.node, this.announcer.node);
    listen({
      next: (step) => this.rail.move(step), have: () => this.rail.current()?.act.click(), why: () => this.rail.current()?.why.click(), undo: () => this.undo(),
      bed: (bed) => void this.grid.focusBed(bed), move: (key) => this.grid.move(key), observe: () => this.observe(), help: () => this.panel.open(helpPanel()),
      back: () => void this.panel.shut(),
    });
    const ticker = new Worker("/static/js/ticker.js", { type: "module" });
    ticker.addEventListener("message", () => this.tick());
    document.addEventListener("visibilitychange", () => this.wake());
    addEventListener("resize", () => this.wake());
    addEventListener("hashchange", () => this.goWard(wardOfHash()));
    void this.readSite();
    const token = sessionStorage.getItem(TOKEN);
    if (token) this.enter(token);
    else this.paint();
  }

  async readSite() {
    try {
      const answer = await fetch("/api/site");
      if (!answer.ok) throw new Error(String(answer.status));
      this.trouble = "";
      this.happened({ k: "site", site: await answer.json() });
    } catch {
      this.trouble = t("site_unreachable");
      this.wake();
      setTimeout(() => void this.readSite(), SITE_AGAIN_MS);
    }
  }

  /** @param {string} token */
  enter(token) {
    sessionStorage.setItem(TOKEN, token);
    this.state = { ...empty(), site: this.state.site, tz: this.state.tz, ward: wardOfHash() };
    this.heardState = this.state;
    this.line.start(token);
    this.wake();
  }

  leave() {
    this.line.stop();
    this.happened({ k: "leave" });
  }

  /** @param {import("./fold.js").Happening} e */
  happened(e) {
    this.state = fold(this.state, e);
    if (e.k === "frame" && e.f.t === "welcome" && !this.state.ward) {
      const ward = this.state.me?.wards.find((w) => w !== "*") ?? "";
      this.state = fold(this.state, { k: "ward", ward });
    }
    if (this.state.link.phase === "out") {
      sessionStorage.removeItem(TOKEN);
      this.panel.shut();
    }
    this.wake();
  }

  /** Draws with the next frame; a hidden page draws nothing, and all of it when it is seen again. */
  wake() {
    if (this.due || document.hidden) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.paint();
    });
  }

  tick() {
    this.line.tick();
    if (document.hidden) this.hear();
    else this.wake();
  }

  hear() {
    const now = performance.now();
    const told = trust(this.state, now);
    this.announcer.hear(this.heardState, this.state, moment(told, this.state.tz), told.name, now);
    this.heardState = this.state;
    this.retitle(told.name);
  }

  /** @param {string} link */
  retitle(link) {
    const of = counts(this.state);
    const parts = [of.high && countWords("high", of.high), of.medium && countWords("medium", of.medium)].filter(Boolean);
    const head = link === "lost" ? t("lost", "").split(":")[0] : parts.join(", ");
    const text = this.state.ward && link !== "out" ? [head, t("ward_n", this.state.ward.toUpperCase())].filter(Boolean).join(" - ") : t("nadi");
    if (document.title !== text) document.title = text;
  }

  paint() {
    const now = performance.now();
    const state = this.state;
    const told = trust(state, now);
    const inside = told.name !== "out" && state.link.phase !== "idle";
    show(this.frame, inside);
    show(this.signIn.node, !inside);
    attr(this, "data-link", told.name);
    this.hear();
    if (!inside) {
      this.signIn.render(state, this.trouble);
      if (told.name === "out") this.wipe();
      return;
    }
    const at = moment(told, state.tz);
    const live = told.name !== "lost" && told.name !== "connecting";
    this.top.render(state);
    this.bar.render(state, told);
    this.banner.render(state, told);
    this.script.render(state, told.now_ms);
    this.grid.render(state, at, state.key_pos !== null);
    this.rail.render(state, at, now, live);
    this.panel.render(state, at, now);
  }

  /** Nothing of the ward stays in the document. */
  wipe() {
    this.grid.clear();
    this.rail.clear();
    this.announcer.clear();
    this.panel.shut();
  }

  /** @param {string} ward */
  goWard(ward) {
    if (!ward || ward === this.state.ward || !this.state.me) return;
    history.replaceState(null, "", `#/ward/${encodeURIComponent(ward)}`);
    this.panel.shut();
    this.happened({ k: "ward", ward });
    this.line.send({ t: "sub", ward });
  }

  /**
   * @param {string} kind acknowledge or unacknowledge
   * @param {string} alert
   */
  act(kind, alert) {
    const a = this.state.alerts[alert];
    if (a) this.command({ kind, alert, patient: a.patient });
  }

  /**
   * Sends a command, and shows that it is on its way until the log has answered.
   * @param {{kind: string, patient: string, alert?: string, at_ms?: number | null, readings?: import("./bedview.js").Reading[]}} wanted
   * @returns {string} its id
   */
  command(wanted) {
    const command = { ...wanted, id: uuid(), sent_mono: performance.now(), taken: false };
    this.happened({ k: "command", command });
    this.line.command(command);
    return command.id;
  }

  /** Undo within ten seconds of the last thing I took. */
  undo() {
    const mine = Object.values(this.state.outcomes).filter((o) => o.kind === "acknowledge" && o.done && o.alert && performance.now() - o.mono < UNDO_MS).sort((a, b) => b.mono - a.mono)[0];
    if (mine?.alert && this.state.alerts[mine.alert]?.owner === this.state.me?.user) this.act("unacknowledge", mine.alert);
  }

  observe() {
    const tile = this.grid.tiles().find((x) => x.contains(document.activeElement));
    const patient = tile?.view?.patient ?? this.rail.current()?.view?.patient;
    if (patient) this.openBed(patient, this.state.patients[patient]?.bed ?? "", true);
  }

  /** @param {string} patient @param {string} bed @param {boolean} record */
  openBed(patient, bed, record) {
    const observe = (/** @type {string} */ p, /** @type {import("./bedview.js").Reading[]} */ readings, /** @type {number} */ minutes) => {
      const at_ms = minutes ? Math.round(serverNow(this.state, performance.now()) - minutes * 60_000) : null;
      return this.command({ kind: "observe", patient: p, at_ms, readings });
    };
    this.show(bedPanel(patient, bed, record && mayAct(this.state), { observe, why: (a) => this.openWhy(a) }));
  }

  /** @param {string} alert */
  openWhy(alert) {
    this.show(whyPanel(alert, (a) => this.act("unacknowledge", a)));
  }

  openPerson() {
    if (this.state.me) this.show(personPanel(this.state.me, () => this.leave()));
  }

  /** @param {import("./panel.js").Content} content */
  show(content) {
    const now = performance.now();
    content.render(this.state, moment(trust(this.state, now), this.state.tz), now);
    this.panel.open(content);
  }
}

/** A random UUID, also where the page has no secure context and so no `randomUUID`. */
function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const hex = [...crypto.getRandomValues(new Uint8Array(16))].map((b, i) => (i === 6 ? (b & 15) | 64 : i === 8 ? (b & 63) | 128 : b).toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** `#/ward/4b` -> "4b" */
function wardOfHash() {
  const found = /^#\/ward\/([^/]+)/.exec(location.hash);
  return found ? decodeURIComponent(found[1]) : "";
}

customElements.define("nadi-app", App);
