// @ts-check
// The beds: a list of tiles in the ward's own order. A tile keeps its node, so nothing jumps and focus stays.
import { attr, el, order, say, show } from "./dom.js";
import { settings } from "./menu.js";
import { t } from "./strings.js";
import { Tile } from "./tile.js";
import { bedsOf, tileView } from "./tileview.js";

/** @typedef {{item: HTMLElement, tile: Tile}} Place */

/**
 * The bed numbers of a ward as this screen last saw them, for the time before the first values; no patient is in them.
 * @param {string} ward
 */
function numbers(ward) {
  return settings.get(`beds.${ward}`, "").split(",").filter(Boolean);
}

let remembered = "";

/**
 * @param {string} ward
 * @param {{bed: string}[]} beds
 */
function remember(ward, beds) {
  const text = [...new Set(beds.map((b) => b.bed))].filter(Boolean).join(",");
  if (remembered === ward + text) return;
  remembered = ward + text;
  settings.set(`beds.${ward}`, text);
}

export class Grid {
  /** @param {(patient: string, bed: string) => void} open */
  constructor(open) {
    /** @type {Map<string, Place>} */
    this.places = new Map();
    this.list = el("ul", "beds");
    this.none = el("p", "no-patients");
    this.node = el("main", "ward", this.list, this.none);
    this.node.id = "beds";
    this.node.tabIndex = -1;
    this.node.setAttribute("aria-label", t("beds"));
    this.list.addEventListener("click", (event) => {
      const tile = /** @type {Element} */ (event.target).closest("nadi-tile");
      if (!(tile instanceof Tile)) return;
      event.preventDefault();
      if (tile.view?.patient) open(tile.view.patient, tile.view.bed);
    });
  }

  /**
   * @param {Nadi.State} state
   * @param {import("./value.js").Moment} moment
   * @param {boolean} known false before the first key: bed numbers only
   */
  render(state, moment, known) {
    const beds = known ? bedsOf(state) : numbers(state.ward).map((bed) => ({ key: `bed ${bed}`, bed, patient: "" }));
    if (known) remember(state.ward, beds);
    const items = beds.map((place) => {
      const held = this.places.get(place.key) ?? this.add(place.key);
      held.tile.render(tileView(state, place, moment));
      return held.item;
    });
    const keys = new Set(beds.map((b) => b.key));
    for (const key of this.places.keys()) if (!keys.has(key)) this.places.delete(key);
    order(this.list, items);
    attr(this.list, "data-beds", beds.length <= 8 ? "8" : beds.length <= 16 ? "16" : "more");
    attr(this.list, "data-known", known ? "" : null);
    show(this.none, known && Object.keys(state.patients).length === 0 && !beds.length);
    say(this.none, t("no_patients", state.ward.toUpperCase()));
  }

  /**
   * @param {string} key
   * @returns {Place}
   */
  add(key) {
    const tile = new Tile();
    const place = { tile, item: el("li", "place", tile) };
    this.places.set(key, place);
    return place;
  }

  clear() {
    this.places.clear();
    this.list.replaceChildren();
  }

  /** @returns {Tile[]} */
  tiles() {
    return /** @type {Tile[]} */ ([...this.list.querySelectorAll("nadi-tile")]);
  }

  /**
   * @param {string} bed
   * @returns {boolean}
   */
  focusBed(bed) {
    const tile = this.tiles().find((x) => x.view?.bed === bed);
    tile?.link.focus();
    return tile !== undefined;
  }

  /**
   * Moves the focus from tile to tile by what lies above, below, left, right on the screen.
   * @param {string} key
   */
  move(key) {
    const tiles = this.tiles();
    const at = tiles.findIndex((x) => x.contains(document.activeElement));
    if (at < 0) return false;
    const tops = tiles.map((x) => x.getBoundingClientRect().top);
    const columns = tops.filter((top) => Math.abs(top - tops[0]) < 4).length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key] ?? 0;
    tiles[at + step]?.link.focus();
    return true;
  }
}
