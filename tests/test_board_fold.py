"""The board's fold, run in the page itself: events in any order, positions, commands, keys."""

from __future__ import annotations

import pytest

from tests.support.browser import Board
from tests.support.fold import run

pytest_plugins = ["tests.support.board_fixtures"]
pytestmark = pytest.mark.browser


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
