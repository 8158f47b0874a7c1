"""Random wards in any order, run in the page: no value without its state, and grouping changes nothing."""

from __future__ import annotations

import pytest

from tests.support.browser import Board
from tests.support.fold import run

pytest_plugins = ["tests.support.board_fixtures"]
pytestmark = pytest.mark.browser

FUZZ = """
function random(seed) { let s = seed; return () => { s = (s * 1664525 + 1013904223) >>> 0; return s / 4294967296; }; }
const CODES = ["8867-4", "59408-5", "9279-1", "8480-6", "8462-4", "8310-5", "2339-0", "99504-3", "67775-7", "107117-4", "3151-8", "3150-6"];
const CLASSES = ["monitor", "spot", "cgm", "charted"], ABSENT = ["lead-off", "zero", "impossible", "unknown"];
function events(r, n) {
  const out = [];
  let now = 1_700_000_000_000, offset = 10;
  const some = (list) => list[Math.floor(r() * list.length)];
  const vital = () => {
    const has = r() < 0.7;
    return { device: `d${Math.floor(r() * 3)}`, device_class: some(CLASSES), t_ms: now - Math.floor(r() * r() * 4e6), received_ms: now, interval_ms: some([0, 1000, 5000, 300000]),
      ...(has ? { value: some([0, 1, 2, 37, 96, 120.5]) } : { absent: some(ABSENT), ...(r() < 0.5 ? { last_value: 90, last_t_ms: now - 60000 } : {}) }), flags: some([0, 0, 2, 4, 8]) };
  };
  const device = () => ({ device: `d${Math.floor(r() * 3)}`, device_class: some(CLASSES), interval_ms: 5000, bound_ms: now - 1e6, ...(r() < 0.7 ? { last_ms: now } : {}), ...(r() < 0.2 ? { silent_since_ms: now } : {}) });
  const patient = () => {
    const vitals = {};
    for (const code of CODES) if (r() < 0.5) vitals[code] = Array.from({ length: Math.floor(r() * 3) }, vital);
    return { patient: `p-${Math.floor(r() * 4)}`, vitals, ...(r() < 0.4 ? { ward: "4b", bed: `0${Math.floor(r() * 4)}`, initials: "XY", devices: [device(), device()], diabetes: r() < 0.5 } : {}),
      ...(r() < 0.5 ? { score: r() < 0.2 ? { none: "age unknown" } : { at_ms: now, parts: { pulse: 1, spo2: r() < 0.5 ? null : 2, respiration_rate: 0, oxygen: 0, systolic: 0, consciousness: 0, temperature: 3 } } } : {}),
      ...(r() < 0.03 ? { admitted: false } : {}) };
  };
  const seqs = {};
  for (let i = 0; i < n; i++) {
    now += Math.floor(r() * 3000);
    const mono = now - 1_700_000_000_000, kind = r();
    if (kind < 0.6) out.push({ k: "frame", mono, wall: now, f: { t: "live", frames: [patient(), patient()], shard_ms: { 0: now } } });
    else if (kind < 0.8) {
      const id = `a${Math.floor(r() * 6)}`, seq = (seqs[id] = (seqs[id] ?? 0) + 1);
      out.push({ k: "frame", mono, wall: now, f: { t: "ev", s: 0, o: offset++, e: { id: `${id}-${seq}`, transition: some(["raised", "worsened", "cleared", "closed"]), patient: `p-${Math.floor(r() * 4)}`,
        at_ms: now, cause: "x", seq, alert: id, state: alert(seq, { alert: id, patient: `p-${Math.floor(r() * 4)}`, status: some(["active", "active", "cleared", "closed"]),
        kind: some(["limit", "news2", "silent", "signal_lost", "not_judged"]), priority: some(["high", "medium", "technical"]), device: "d1", code: some(CODES) }) } } });
    } else if (kind < 0.9) out.push({ k: "frame", mono, wall: now, f: { t: "hb", now_ms: now, lag_ms: 100, shard_ms: { 0: now } } });
    else if (kind < 0.95) out.push({ k: "closed", code: 1006, mono });
    else out.push({ ...key({ now_ms: now, patients: [{ ...patient(), patient: "p-1", ward: "4b", bed: "01", alerts: [] }] }), mono, wall: now });
  }
  return out;
}
"""


@pytest.mark.parametrize("seed", range(6))
def test_no_order_of_events_shows_a_value_without_its_state(page: Board, seed: int) -> None:
    """Every number on a tile, a card and in the panel comes with a state that allows it; dashes are never a number."""
    found = run(
        page,
        FUZZ
        + """
        const { trust, moment } = await load("link"); const { bedsOf, tileView } = await load("tileview"); const { card, railOrder } = await load("cards");
        const { rowsOf } = await load("bedview"); const { shownOf } = await load("score");
        const NUMBER = new Set(["live", "aging", "spot"]), bad = [];
        let state = start(), numbers = 0, dashed = 0;
        for (const e of events(random(argument), 150)) {
          state = fold(state, e);
          for (const late of [0, 4000, 70000]) {
            const told = trust(state, e.mono + late), at = moment(told, "Asia/Kuala_Lumpur");
            for (const place of bedsOf(state)) {
              const view = tileView(state, place, at);
              for (const c of view.cells) {
                const digits = /\\d/.test(c.text.replace(/O₂/g, ""));
                if (digits) numbers += 1; else dashed += 1;
                if (digits && !NUMBER.has(c.state)) bad.push(["number without state", c]);
                if (digits && told.name === "lost" && told.lost_ms > 60000) bad.push(["number while lost", c]);
                if (digits && told.name === "lost" && !view.frozen) bad.push(["lost and not grey", c]);
                if (!c.label || (c.id !== "mind" && !c.unit)) bad.push(["without label or unit", c]);
                if (c.state === "spot" && digits && c.id !== "mind" && !c.age) bad.push(["spot without age", c]);
                if (c.state === "aging" && !c.age) bad.push(["aging without age", c]);
                if (/undefined|NaN|null/.test(JSON.stringify([c.text, c.age, c.last, view.footer, view.badge]))) bad.push(["nonsense", c, view.footer]);
              }
              if (view.badge && view.badge.text !== "" && !view.badge.dashed && told.name === "lost" && told.lost_ms > 60000) bad.push(["whole score while lost", view.badge]);
              const p = state.patients[place.patient];
              if (p) for (const row of rowsOf(p, at)) if (/\\d/.test(row[1]) && !row[3]) bad.push(["table value without age", row]);
              if (p) for (const code of CODES) {
                const s = shownOf(p, code, at);
                if (NUMBER.has(s.state) !== (s.number !== null)) bad.push(["state and number differ", s]);
                if (s.number === null || !["monitor", "cgm"].includes(s.vital.device_class)) continue;
                if (p.devices.find((d) => d.device === s.vital.device)?.silent_since_ms) bad.push(["number of a silent device", s]);
                if (s.vital.interval_ms && at.now_ms - s.vital.t_ms > 5 * s.vital.interval_ms) bad.push(["number older than five intervals", s]);
              }
            }
            for (const id of railOrder(state, null).ids) {
              const view = card(state, state.alerts[id], at, e.mono, { roomy: true, held: false, live: true, may: true });
              if (/undefined|NaN/.test(JSON.stringify(view))) bad.push(["nonsense in a card", view]);
            }
          }
        }
        return { bad: bad.slice(0, 3), numbers, dashed };
        """,
        seed * 7919 + 1,
    )
    assert found["bad"] == []
    assert found["numbers"] > 200
    assert found["dashed"] > 200


@pytest.mark.parametrize("seed", range(4))
def test_frames_may_be_grouped_in_any_way(page: Board, seed: int) -> None:
    """The same deltas in one frame or in many give the same ward."""
    assert run(
        page,
        FUZZ
        + """
        const r = random(argument), list = events(r, 200);
        const joined = [];
        for (const e of list) {
          const last = joined[joined.length - 1];
          if (e.f?.t === "live" && last?.f?.t === "live" && r() < 0.7) joined[joined.length - 1] = { ...e, f: { ...e.f, frames: [...last.f.frames, ...e.f.frames] } };
          else joined.push(e);
        }
        const split = list.flatMap((e) => (e.f?.t === "live" ? e.f.frames.map((f) => ({ ...e, f: { ...e.f, frames: [f] } })) : [e]));
        const [a, b, c] = [list, joined, split].map((x) => JSON.stringify(all(start(), x)));
        return [joined.length < list.length, split.length > list.length, a === b, a === c];
        """,
        seed + 11,
    ) == [True, True, True, True]
