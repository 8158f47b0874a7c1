"""From a reading to a text, run in the page: a number only while it is true, whole scores, slopes, lines, words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.browser import Board
from tests.support.fold import run

pytest_plugins = ["tests.support.board_fixtures"]
pytestmark = pytest.mark.browser


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
