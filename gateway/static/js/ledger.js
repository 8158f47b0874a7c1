// @ts-check
// The page's ledger: the id of each alert event that came, once, and how many came again. `window.nadiLedger`; tests compare it with the log.

const MOST = 100_000;

export class Ledger {
  constructor() {
    /** @type {Set<string>} */
    this.seen = new Set();
    this.repeats = 0;
    /** @type {any} */ (window).nadiLedger = this;
  }

  /** Ids in the order in which they came first. */
  get ids() {
    return [...this.seen];
  }

  /** @param {{id: string}} event */
  take(event) {
    if (this.seen.has(event.id)) this.repeats += 1;
    else if (this.seen.size < MOST) this.seen.add(event.id);
  }
}
