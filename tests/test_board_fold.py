"""The board's pure parts, run in the page itself: the fold, the one way from a reading to a text, the trust in the line, slopes and lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.board import Ward
from tests.support.browser import Board

pytest_plugins = ["tests.support.board_fixtures"]
pytestmark = pytest.mark.browser

HELPERS = """
const { empty, fold, serverNow } = await load("fold");
const FRAME = (f, mono = 0) => ({ k: "frame", f, mono, wall: mono });
const all = (state, events) => events.reduce(fold, state);
const alert = (seq, more = {}) => ({ alert: "a1", patient: "p-1", kind: "limit", rule: "limit", rule_version: 1, priority: "medium", code: "8867-4",
  side: "high", status: "active", onset_ms: 1, raised_ms: 1, value: 130, worst: 130, seq, ...more });
const ev = (o, id, transition, state, more = {}) => FRAME({ t: "ev", s: 0, o, e: { id, transition, patient: "p-1", at_ms: o, cause: id, seq: state ? state.seq : 0,
  alert: state?.alert, state, ...more } });
const key = (more = {}) => FRAME({ t: "key", ward: "4b", now_ms: 1000, shard_ms: { 0: 900 }, recovered: null, pos: { incarnation: "i", offsets: [10, 0] },
  patients: [{ patient: "p-1", ward: "4b", bed: "01", initials: "AB", vitals: {}, alerts: [] }], trends: {}, ...more });
const start = () => all(empty(), [{ k: "ward", ward: "4b" }, FRAME({ t: "welcome", user: "n-01", role: "nurse", wards: ["4b"], tz: "Asia/Kuala_Lumpur", now_ms: 0 }), key()]);
"""


@pytest.fixture(scope="module")
def page(browser: Browser, shown: Ward) -> Iterator[Board]:
    board = Board(browser, shown.gateway.http).open()
    yield board
    board.check()
    board.close()


def run(page: Board, code: str, argument: Any = None) -> Any:
    return page.run(HELPERS + code, argument)


def test_an_event_twice_changes_nothing(page: Board) -> None:
    assert run(
        page,
        """
        const raised = ev(10, "e1", "raised", alert(1)), answer = ev(11, "e2", "observed", null, { command: "c1" });
        const once = all(start(), [raised, answer]);
        return JSON.stringify(once) === JSON.stringify(all(once, [raised, answer, raised]));
        """,
    )


def test_an_older_event_only_completes_the_course(page: Board) -> None:
    state = run(
        page,
        """
        const owned = alert(2, { owner: "n-02" });
        const state = all(start(), [ev(11, "e2", "acknowledged", owned), ev(10, "e1", "raised", alert(1))]);
        return [state.alerts.a1.owner, state.course.a1.map((e) => e.transition)];
        """,
    )
    assert state == ["n-02", ["raised", "acknowledged"]]


def test_what_lies_before_the_key_opens_nothing(page: Board) -> None:
    """Resume tells what was missed; the key is already the newest state."""
    state = run(
        page,
        """
        const state = all(start(), [ev(3, "e1", "raised", alert(1)), ev(4, "e2", "closed", alert(2, { status: "closed" }))]);
        const middle = fold(start(), ev(3, "e1", "raised", alert(1)));
        return [Object.keys(middle.alerts), Object.keys(state.alerts), state.course.a1.length];
        """,
    )
    assert state == [[], [], 2]


def test_an_alert_that_the_fold_behind_has_lost_is_closed_below_the_position(page: Board) -> None:
    assert run(
        page,
        """
        const open = key({ patients: [{ patient: "p-1", ward: "4b", bed: "01", alerts: [alert(1)] }] });
        return Object.keys(all(start(), [open, ev(9, "e9", "closed", alert(2, { status: "closed" }))]).alerts).length === 0;
        """,
    )


def test_the_position_follows_key_events_and_heartbeats(page: Board) -> None:
    assert run(
        page,
        """
        const a = fold(start(), ev(14, "e1", "raised", alert(1)));
        const b = fold(a, FRAME({ t: "hb", now_ms: 5, lag_ms: 1, shard_ms: {}, pos: { incarnation: "i", offsets: [20, 3] } }));
        return [a.pos.offsets, b.pos.offsets];
        """,
    ) == [[15, 0], [20, 3]]


def test_deltas_replace_whole_vitals_and_keep_the_rest(page: Board) -> None:
    assert run(
        page,
        """
        const v = (value) => [{ device: "m", device_class: "monitor", t_ms: 1, received_ms: 1, value, interval_ms: 5000 }];
        const live = (frames) => FRAME({ t: "live", frames, shard_ms: { 0: 950 } });
        const state = all(start(), [live([{ patient: "p-1", vitals: { a: v(1), b: v(2) } }]), live([{ patient: "p-1", vitals: { a: v(3) } }]),
          live([{ patient: "p-9", ward: "5a", bed: "09" }]), live([{ patient: "p-2", ward: "4b", bed: "02" }])]);
        const gone = fold(state, live([{ patient: "p-1", admitted: false }]));
        return [state.patients["p-1"].vitals.a[0].value, state.patients["p-1"].vitals.b[0].value, Object.keys(state.patients), Object.keys(gone.patients), gone.left["p-1"]];
        """,
    ) == [3, 2, ["p-1", "p-2"], ["p-2"], {"bed": "01", "initials": "AB"}]


def test_a_whole_frame_forgets_devices_that_are_no_longer_bound(page: Board) -> None:
    assert run(
        page,
        """
        const d = (device) => ({ device, device_class: "monitor", interval_ms: 5000, bound_ms: 1 });
        const live = (f) => FRAME({ t: "live", frames: [{ patient: "p-1", ...f }] });
        const both = all(start(), [live({ ward: "4b", bed: "01", devices: [d("x"), d("y")] })]);
        return [both.patients["p-1"].devices.length, fold(both, live({ ward: "4b", bed: "01", devices: [d("y")] })).patients["p-1"].devices.map((x) => x.device)];
        """,
    ) == [2, ["y"]]


def test_a_command_ends_with_its_own_event_alone(page: Board) -> None:
    assert run(
        page,
        """
        const asked = { k: "command", command: { id: "c1", kind: "acknowledge", alert: "a1", patient: "p-1", sent_mono: 0, taken: false } };
        const before = all(start(), [ev(10, "e1", "raised", alert(1)), asked]);
        const taken = fold(before, FRAME({ t: "taken", id: "c1" }));
        const others = fold(taken, ev(11, "e2", "acknowledged", alert(2, { owner: "n-02" }), { command: "c2" }));
        const refused = fold(others, ev(12, "e3", "refused", null, { command: "c1", alert: "a1", evidence: { reason: "owned_by_other" } }));
        return [Object.keys(taken.commands), taken.alerts.a1.owner, Object.keys(others.commands), Object.keys(refused.commands), refused.outcomes.c1.done, refused.outcomes.c1.reason];
        """,
    ) == [["c1"], None, ["c1"], [], False, "owned_by_other"]


def test_a_lost_answer_is_settled_by_the_key(page: Board) -> None:
    """recovered=false: the event that answered is gone; the key says who has it."""
    assert run(
        page,
        """
        const asked = { k: "command", command: { id: "c1", kind: "acknowledge", alert: "a1", patient: "p-1", sent_mono: 0, taken: true } };
        const mine = key({ recovered: false, patients: [{ patient: "p-1", ward: "4b", bed: "01", alerts: [alert(2, { owner: "n-01" })] }] });
        const theirs = key({ recovered: false, patients: [{ patient: "p-1", ward: "4b", bed: "01", alerts: [alert(2, { owner: "n-02" })] }] });
        return [mine, theirs].map((k) => all(start(), [ev(10, "e1", "raised", alert(1)), asked, k]).commands.c1 === undefined);
        """,
    ) == [True, False]


@pytest.mark.parametrize("code", [4401, 4500, 4501, 4503, 4504])
def test_a_final_close_wipes_everything(page: Board, code: int) -> None:
    assert run(
        page,
        """
        const open = key({ patients: [{ patient: "p-1", ward: "4b", bed: "01", alerts: [alert(1)] }], trends: { "p-1": { a: [[1, 2]] } } });
        const state = all(start(), [open, { k: "closed", code: argument, mono: 5 }]);
        return [state.link.phase, state.link.code, ["patients", "alerts", "trends", "course", "commands"].every((k) => Object.keys(state[k]).length === 0), state.me, state.pos];
        """,
        code,
    ) == ["out", code, True, None, None]


def test_trends_stay_in_order_whatever_order_they_come_in(page: Board) -> None:
    assert run(
        page,
        """
        const m = (minute, v) => FRAME({ t: "trend", minute_ms: minute * 60000, m: [["p-1", "a", v]] });
        return all(start(), [m(3, 3), m(1, 1), m(2, 2), m(2, 20), m(200, 4)]).trends["p-1"].a;
        """,
    ) == [[200 * 60000, 4]]


def test_live_again_fades_only_when_nothing_was_lost(page: Board) -> None:
    told = run(
        page,
        """
        const { trust } = await load("link");
        const cut = [{ k: "closed", code: 1006, mono: 1000 }];
        const back = (recovered) => ({ ...key({ recovered, now_ms: 41_000 }), mono: 41_000 });
        const beat = { ...FRAME({ t: "hb", now_ms: 53_000, lag_ms: 0, shard_ms: { 0: 53_000 } }), mono: 53_000 };
        const short = all(start(), [{ k: "closed", code: 4001, mono: 1000 }, { ...key({ recovered: true, now_ms: 2000 }), mono: 2000 }]);
        const full = all(start(), [...cut, back(true), beat]), part = all(start(), [...cut, back(false), beat]);
        return [trust(full, 42_000).resumed?.full, trust(full, 53_000).resumed, trust(part, 53_000).resumed?.full, fold(part, { k: "dismiss" }).link.resumed, trust(short, 2500).resumed];
        """,
    )
    assert told == [True, None, False, None, None]


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


VALUE = """
const { valueOf } = await load("value");
const at = { now_ms: 1_000_000, tz: "Asia/Kuala_Lumpur", frozen: false, blank: false, ...argument.moment };
const vital = argument.vital && { device: "d", device_class: "monitor", received_ms: 0, interval_ms: 5000, ...argument.vital };
const s = valueOf(argument.code ?? "59408-5", vital ?? undefined, argument.device ?? undefined, at);
return [s.text, s.state, s.age, s.last];
"""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"vital": {"t_ms": 999_000, "value": 96}}, ["96", "live", "", ""]),
        ({"vital": {"t_ms": 990_000, "value": 96}}, ["96", "live", "", ""]),  # 2 intervals
        ({"vital": {"t_ms": 989_000, "value": 96}}, ["96", "aging", "11 s", ""]),
        ({"vital": {"t_ms": 975_000, "value": 96}}, ["96", "aging", "25 s", ""]),  # 5 intervals
        ({"vital": {"t_ms": 974_000, "value": 96}}, ["– –", "stale", "", "last 96 % at 07:46"]),
        (
            {"vital": {"t_ms": 999_000, "value": 96}, "device": {"silent_since_ms": 900_000, "last_ms": 1}},
            ["– –", "silent", "", "last 96 % at 07:46"],
        ),
        (
            {"vital": {"t_ms": 999_000, "absent": "lead-off", "last_value": 95, "last_t_ms": 940_000}},
            ["– –", "absent", "", "last 95 % at 07:45"],
        ),
        ({"vital": {"t_ms": 999_000, "absent": "lead-off"}}, ["– –", "absent", "", ""]),
        ({"vital": {"t_ms": 400_000, "value": 124, "device_class": "spot"}, "code": "8480-6"}, ["124", "spot", "10 m", ""]),
        (
            {"vital": {"t_ms": 400_000, "value": 124, "device_class": "spot"}, "device": {"silent_since_ms": 1, "last_ms": 1}},
            ["124", "spot", "10 m", ""],
        ),
        (
            {"vital": {"t_ms": 820_000, "value": 6.25, "device_class": "cgm", "interval_ms": 300_000}, "code": "99504-3"},
            ["6.3", "live", "3 m", ""],
        ),
        ({"vital": {"t_ms": 999_000, "value": 2.1, "flags": 4}, "code": "99504-3"}, ["<2.1", "live", "", ""]),
        ({"vital": {"t_ms": 999_000, "value": 301, "flags": 2}, "code": "8867-4"}, ["301?", "live", "", ""]),
        ({"vital": {"t_ms": 999_000, "value": 96}, "moment": {"blank": True, "frozen": True}}, ["– –", "lost", "", "last 96 % at 07:46"]),
        ({"vital": None, "device": {"bound_ms": 5}}, ["– –", "waiting", "", ""]),
        ({"vital": None, "device": {"bound_ms": 5, "last_ms": 6}}, ["– –", "none", "", ""]),
        ({"vital": None}, ["– –", "none", "", ""]),
        ({"vital": {"t_ms": 1_000_500, "value": 96}}, ["96", "live", "", ""]),  # a device clock slightly ahead
        ({"vital": {"t_ms": 999_000, "value": 36.25}, "code": "8310-5"}, ["36.3", "live", "", ""]),  # half-up, as the score rounds
    ],
)
def test_a_number_only_while_it_is_true(page: Board, given: dict[str, Any], expected: list[str]) -> None:
    assert page.run(VALUE, given) == expected


def test_a_score_is_whole_only_while_its_seven_values_are_shown(page: Board) -> None:
    """The server judged seven parts; a monitor that has gone silent since takes its three away."""
    told = run(
        page,
        """
        const { newsOf } = await load("score"); const { badgeOf } = await load("tileview");
        const parts = { respiration_rate: 1, spo2: 2, oxygen: 0, systolic: 0, pulse: 1, consciousness: 0, temperature: 0 };
        const v = (device_class, value, t_ms) => [{ device: device_class, device_class, t_ms, received_ms: t_ms, value, interval_ms: 5000 }];
        const now = 100_000_000;
        const p = (t) => ({ patient: "p", vitals: { "9279-1": v("monitor", 22, t), "59408-5": v("monitor", 93, t), "8867-4": v("monitor", 95, t), "8480-6": v("spot", 120, now - 600_000),
          "8310-5": v("spot", 37, now - 600_000), "67775-7": v("spot", 0, now - 600_000), "107117-4": v("spot", 0, now - 600_000) }, devices: [], score: { parts, total: 4, lower_bound: 4 } });
        const at = { now_ms: now, tz: "UTC", frozen: false, blank: false };
        const old = { ...p(now), vitals: { ...p(now).vitals, "8480-6": v("spot", 120, now - 3_700_000) } };
        return [p(now - 1000), p(now - 60_000), old, { ...p(now), score: { none: "age unknown" } }].map((x) => { const b = badgeOf(newsOf(x, at)); return [b.sign + b.text, b.partial, b.none, b.title]; });
        """,
    )
    assert told == [
        ["4", "", "", "NEWS2 4"],
        ["⩾0", "4 of 7", "", "Missing: respiration rate, SpO₂, heart rate"],
        ["⩾4", "6 of 7", "", "Missing: blood pressure"],
        ["", "", "no score: age unknown", "no score: age unknown"],
    ]


def test_arrows_follow_a_robust_slope(page: Board) -> None:
    told = run(
        page,
        """
        const { arrow } = await load("trend");
        const now = 120 * 60_000, series = (f) => Array.from({ length: 16 }, (_, i) => [now - (15 - i) * 60_000, f(i)]);
        const wild = series(() => 80).map(([m, v], i) => [m, i === 7 ? 200 : v]);
        return [series((i) => 80 + i * 0.3), series((i) => 80 + i), series((i) => 80 + i * 2), series((i) => 80 - i), series((i) => 80 - i * 2), wild, series((i) => 80 + i).slice(0, 4),
          series((i) => 80 + i).map(([m, v]) => [m - 600_000, v])].map((s) => arrow("8867-4", s, now));
        """,
    )
    assert told == ["", "rising", "up", "falling", "down", "", "", ""]


def test_a_line_never_bridges_a_gap(page: Board) -> None:
    told = run(
        page,
        """
        const { spark } = await load("trend");
        const now = 120 * 60_000, minute = (m, v) => [m * 60_000, v];
        const series = [minute(61, 80), minute(62, 82), minute(63, 130), minute(90, 80), minute(91, 80)];
        const line = { code: "8867-4", series, limits: [50, 120], minute_ms: now, gap_ms: 180_000, from_ms: 60 * 60_000, gaps: [] };
        const s = spark(line, now), bound = spark({ ...line, from_ms: 0 }, now);
        return [s.stretches.map((x) => [x.line.length, x.out]), s.gaps.length, bound.gaps.length, s.band.map((b) => Math.round(b * 100)), Math.round(s.dot[0] * 120)];
        """,
    )
    assert told[0] == [[3, False], [1, True], [2, False]]
    assert told[1:3] == [2, 3]  # 63..90 and 91..now; before the device was bound nothing is missing
    assert told[3:] == [[24, 90], 91]


def test_every_word_used_is_in_the_catalogue(page: Board) -> None:
    """No key shows itself."""
    missing = page.run(
        """
        const { keys, has } = await load("strings");
        const names = ["alerts", "announce", "bed", "bedview", "cards", "grid", "main", "menu", "panel", "rail", "score", "script", "signin", "tile", "tileview", "trust", "value", "why", "whyview"];
        const used = new Set();
        for (const name of names) for (const [, key] of (await (await fetch(`/static/js/${name}.js`)).text()).matchAll(/\\bt\\("([^"]+)"/g)) used.add(key);
        const doubles = Object.entries(keys().reduce((n, k) => ({ ...n, [k]: (n[k] ?? 0) + 1 }), {})).filter(([, n]) => n > 1);
        return [[...used].filter((k) => !has(k)), doubles, used.size > 60];
        """
    )
    assert missing == [[], [], True]
