"""Repeats and lateness in columns, held against the rule said row by row; and what a snapshot keeps of it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.ingest import slots as module
from operators.ingest.slots import Slots
from tests.support.ingest import DAY, T0


class Line(NamedTuple):
    pair: int
    code: int
    t: int
    value: float
    old: bool


def rule(lines: list[Line], newest: dict[tuple[int, int], tuple[int, float]]) -> list[str]:
    """`semantics.md` 3 and 6, one row at a time."""
    said = []
    for line in lines:
        slot = line.pair, line.code
        t, value = newest.get(slot, (-1, 0.0))
        same = line.value == value or (math.isnan(line.value) and math.isnan(value))
        if line.t == t and same:
            said.append("repeat")
        elif line.old or line.t <= t:
            said.append("late")
        else:
            newest[slot] = line.t, line.value
            said.append("new")
    return said


def columns(slots: Slots, lines: list[Line]) -> list[str]:
    pairs = [slots.pair(1000 + line.pair, 2000 + line.pair) for line in lines]
    repeat, late = slots.judge(
        np.array(pairs, np.int64),
        np.array([line.code for line in lines], np.uint32),
        np.array([line.t for line in lines], np.int64),
        np.array([line.value for line in lines], np.float64),
        np.array([line.old for line in lines], np.bool_),
    )
    assert not (repeat & late).any()
    return ["repeat" if r else "late" if x else "new" for r, x in zip(repeat.tolist(), late.tolist(), strict=True)]


LINES = st.lists(
    st.builds(
        Line, st.integers(0, 2), st.sampled_from((0, 8867, 107117)), st.sampled_from((0, 1, T0, T0 + 1, T0 + 2, T0 + 3)),
        st.sampled_from((1.0, 2.0, math.nan)), st.booleans(),
    ),
    max_size=30,
)  # fmt: skip


@given(st.lists(LINES, max_size=4))
def test_columns_say_what_the_rule_says_over_polls_and_restarts(polls: list[list[Line]]) -> None:
    slots, newest = Slots(8), dict[tuple[int, int], tuple[int, float]]()
    for lines in polls:
        assert columns(slots, lines) == rule(lines, newest)
        again = Slots(8)
        again.restore(slots.snapshot())
        slots = again


def test_a_run_longer_than_one_sort_can_hold_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_RUN", 7)
    lines = [Line(i % 3, 8867, T0 + (i * 7) % 40, float(i % 2), i % 11 == 0) for i in range(100)]
    assert columns(Slots(8), lines) == rule(lines, {})


def test_thousands_of_rows_of_one_slot_in_one_poll() -> None:
    lines = [Line(0, 8867, T0 + i, float(i), False) for i in range(5000)]
    assert columns(Slots(8), lines + lines) == ["new"] * 5000 + ["late"] * 4999 + ["repeat"]


def test_slots_grow_and_keep_what_they_held() -> None:
    slots = Slots(8)
    lines = [Line(i, 8867, T0, 1.0, False) for i in range(300)]
    assert columns(slots, lines) == ["new"] * 300
    assert columns(slots, lines) == ["repeat"] * 300
    assert slots.pair(1000, 2000) == 0
    assert int(slots.shard[slots.pair(1005, 2005)]) == 1005 % 8


def test_what_is_old_is_forgotten() -> None:
    slots = Slots(8)
    columns(slots, [Line(0, 8867, T0, 1.0, False), Line(1, 8867, T0 + DAY, 1.0, False)])
    slots.forget(T0 + 1)
    assert slots.snapshot()["t"].tolist() == [T0 + DAY]


def test_a_code_that_this_version_does_not_know_is_left_out_of_a_snapshot() -> None:
    slots, again = Slots(8), Slots(8)
    columns(slots, [Line(0, 8867, T0, 1.0, False), Line(0, 9279, T0, 2.0, False)])
    state = slots.snapshot()
    state["code"] = state["code"] + np.uint32(1) * (state["code"] == 9279)
    again.restore(state)
    assert again.snapshot()["code"].tolist() == [8867]
