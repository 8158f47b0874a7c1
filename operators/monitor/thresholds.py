"""Limits in force, as the vectorised path compares them, and what a change of them stops."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from operators.alerting import episode, limits
from operators.alerting.limits import Side
from operators.monitor import judge
from operators.monitor.state import State
from schemas.codes import BY_NUMBER
from schemas.facts import LimitLevel
from schemas.facts import Side as SideName


def _strict(level: LimitLevel | None) -> tuple[float, float]:
    """(below, above): a value strictly beyond one of them is beyond the level."""
    if level is None:
        return -np.inf, np.inf
    if level.op in ("<", "<="):
        return (level.limit if level.op == "<" else float(np.nextafter(level.limit, np.inf))), np.inf
    return -np.inf, (level.limit if level.op == ">" else float(np.nextafter(level.limit, -np.inf)))


def set_thresholds(state: State, slot: int) -> None:
    """What the vectorised path compares values of a slot with."""
    vital = BY_NUMBER.get(int(state.slots.code[slot]))
    below, above = -np.inf, np.inf
    for name in judge.SIDES if vital else ():
        found = state.limit(int(state.slots.patient[slot]), vital.loinc, name) if vital else None
        for level in (found[0].medium, found[0].high) if found else ():
            low, high = _strict(level)
            below, above = max(below, low), min(above, high)
    state.slots.below[slot], state.slots.above[slot] = below, above


LimitValues = tuple[LimitLevel | None, LimitLevel | None, float, float]


Before = dict[tuple[int, SideName], LimitValues | None]


def limits_changed(state: State, slot: int, before: Before, cause: str, at_ms: int) -> None:
    """A changed limit stops its delays and holds; an open alert stays, unless the side is off now. New values count from the next row."""
    set_thresholds(state, slot)
    if BY_NUMBER.get(int(state.slots.code[slot])) is None:
        return
    for name in judge.SIDES:
        side: Side | None = state.sides.get((slot, name))
        now = _limit_of(state, slot, name)
        if side is None or now == before.get((slot, name)):
            continue
        limits.stopped(side)
        if now is None:
            if side.alert:
                judge.record(state, episode.closed(state.alerts[side.alert], cause, at_ms, "limit switched off"))
            limits.finished(side)
    judge.settle(state, slot)


def _limit_of(state: State, slot: int, name: SideName) -> LimitValues | None:
    found = state.limit(int(state.slots.patient[slot]), BY_NUMBER[int(state.slots.code[slot])].loinc, name)
    return None if found is None else (found[0].medium, found[0].high, found[0].clear, found[0].hold_s)


def limits_before(state: State, slots: Iterable[int]) -> Before:
    """The limits of the sides on which something runs."""
    return {(s, name): _limit_of(state, s, name) for s in slots for name in judge.SIDES if (s, name) in state.sides}
