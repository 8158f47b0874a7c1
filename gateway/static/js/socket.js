// @ts-check
// The line to the gateway: opens, signs in, subscribes from the last position, comes back by itself. All decisions are the fold's.

const PROTOCOL = "nadi.v1";
const FIRST_MS = 500;
const LONGEST_MS = 8000;
const SHARDS = 8;
/** No frame for this long: the line is dead whatever the browser thinks. */
export const DEAD_MS = 6000;
const SLEPT_MS = 1500;

export class Line {
  /**
   * @param {(e: import("./fold.js").Happening) => void} happened
   * @param {() => Nadi.State} state
   * @param {(e: Nadi.AlertEvent) => void} ledger
   */
  constructor(happened, state, ledger) {
    this.happened = happened;
    this.state = state;
    this.ledger = ledger;
    this.token = "";
    this.tries = 0;
    /** @type {WebSocket | null} */
    this.socket = null;
    this.due_mono = Infinity;
    this.retry_ms = 0;
    this.opened_mono = 0;
    this.ticked_mono = 0;
  }

  /** @param {string} token */
  start(token) {
    this.token = token;
    this.tries = 0;
    this.open();
  }

  stop() {
    this.token = "";
    this.due_mono = Infinity;
    this.socket?.close(1000);
    this.socket = null;
  }

  open() {
    this.due_mono = Infinity;
    this.opened_mono = performance.now();
    this.happened({ k: "opening" });
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`, PROTOCOL);
    this.socket = socket;
    socket.addEventListener("open", () => {
      if (socket !== this.socket) return;
      this.happened({ k: "open", mono: performance.now() });
      socket.send(JSON.stringify({ t: "auth", token: this.token }));
    });
    socket.addEventListener("message", (event) => {
      if (socket === this.socket) this.take(JSON.parse(event.data));
    });
    socket.addEventListener("close", (event) => {
      if (socket === this.socket) this.closed(event.code);
    });
  }

  /** @param {any} f */
  take(f) {
    if (f.t === "ev") this.ledger(f.e);
    if (f.t === "bye") this.retry_ms = f.retry_ms ?? 0;
    this.happened({ k: "frame", f, mono: performance.now(), wall: Date.now() });
    if (f.t === "welcome") this.subscribe(f.incarnation);
    if (f.t === "key") this.repeat();
    if (f.t === "key") this.tries = 0;
  }

  /**
   * From the last position; at first load from the log's beginning, so that *Why?* knows the judgements if the gateway still holds them.
   * @param {string} incarnation
   */
  subscribe(incarnation) {
    const { ward, pos } = this.state();
    if (!ward) return;
    this.send({ t: "sub", ward, pos: pos ?? { incarnation, offsets: Array(SHARDS).fill(0) } });
  }

  /** What was asked before the line broke is asked again under its id: it yields one event, however often it is asked. */
  repeat() {
    for (const c of Object.values(this.state().commands)) if (!c.taken) this.command(c);
  }

  /** @param {Nadi.Command} c */
  command(c) {
    const { sent_mono: _, taken: __, ...wire } = c;
    return this.send({ t: "cmd", ...wire });
  }

  /**
   * @param {object} frame
   * @returns {boolean}
   */
  send(frame) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  /** @param {number} code */
  closed(code) {
    this.socket = null;
    const now = performance.now();
    this.happened({ k: "closed", code, mono: now });
    if (this.state().link.phase === "out" || !this.token) return;
    const most_ms = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.tries++);
    this.due_mono = now + (code === 4001 && this.retry_ms ? Math.min(this.retry_ms, LONGEST_MS) * Math.random() : most_ms * (0.5 + Math.random() / 2));
    this.retry_ms = 0;
  }

  /** Called by the ticker, some times a second: timers of a hidden page sleep, the ticker's worker does not. */
  tick() {
    const now = performance.now();
    const slept = now - this.ticked_mono > SLEPT_MS;
    this.ticked_mono = now;
    if (slept) return; // the page itself stood still: what came meanwhile waits to be read, so nobody is dead yet
    if (now >= this.due_mono) this.open();
    const link = this.state().link;
    const heard = link.phase === "live" ? link.heard_mono : this.opened_mono;
    if (this.socket && now - heard > DEAD_MS) {
      const dead = this.socket;
      this.closed(1006);
      dead.close();
    }
  }
}
