"""One side of one limit as a pure state machine (`semantics.md` 7).

A side raises after its delay, worsens when its level rises (a ratchet), and clears when values were on the good side of the clear
level for the hold without break. What happens is told as data (`Happening`); ids, evidence and texts are made elsewhere.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from schemas.facts import Limit, LimitLevel

MEDIUM, HIGH = 1, 2
LEVELS: tuple[tuple[int, str], ...] = ((HIGH, "high"), (MEDIUM, "medium"))
"""Highest first: of two levels that are due at once the higher counts."""


class Happening(NamedTuple):
    """`raise` at `level`, `worsen` to `level` or `clear`, by a row (`kind` empty) or by a deadline of `kind` at `at_ms`."""

    what: Literal["raise", "worsen", "clear"]
    level: int
    kind: Literal["", "delay", "hold"]
    at_ms: int


class Side(msgspec.Struct):
    """Running state of one side. `onset` names the first row of the running excursion; deadlines are ms, 0 = none."""

    onset: str = ""
    onset_ms: int = 0
    onset_value: float = 0.0
    delay_medium_ms: int = 0
    delay_high_ms: int = 0
    hold_ms: int = 0
    level: int = 0
    alert: str = ""
    """Id of the open episode, empty without one."""

    @property
    def idle(self) -> bool:
        """Nothing runs and nothing is open."""
        return not (self.onset or self.alert)

    def due_ms(self) -> int:
        """The next deadline, 0 = none."""
        return min((d for d in (self.delay_high_ms, self.delay_medium_ms, self.hold_ms) if d), default=0)


def beyond(level: LimitLevel | None, value: float) -> bool:
    """Is the value beyond this level?"""
    if level is None:
        return False
    if level.op == "<":
        return value < level.limit
    if level.op == "<=":
        return value <= level.limit
    return value > level.limit if level.op == ">" else value >= level.limit


def good(limit: Limit, value: float) -> bool:
    """Is the value on the good side of the clear level? A value beyond a level never is, wherever `clear` lies."""
    if beyond(limit.medium, value) or beyond(limit.high, value):
        return False
    return value >= limit.clear if limit.side == "low" else value <= limit.clear


def fire(side: Side, until_ms: int) -> list[Happening]:
    """Fires the deadlines up to `until_ms`, in the order of their times (a high delay before a medium one)."""
    out: list[Happening] = []
    while (due := side.due_ms()) and due <= until_ms:
        if side.delay_high_ms == due:
            side.delay_high_ms = side.delay_medium_ms = 0
            out.append(_reach(side, HIGH, "delay", due))
        elif side.delay_medium_ms == due:
            side.delay_medium_ms = 0
            out.append(_reach(side, MEDIUM, "delay", due))
        else:
            side.hold_ms = side.level = 0
            out.append(Happening("clear", 0, "hold", due))
    return out


def _reach(side: Side, level: int, kind: Literal["", "delay"], at_ms: int) -> Happening:
    """The level counts from now."""
    what: Literal["raise", "worsen"] = "worsen" if side.level else "raise"
    side.level = level
    return Happening(what, level, kind, at_ms)


def row(side: Side, limit: Limit, value: float, received_ms: int, onset: str) -> list[Happening]:
    """A row with value. Deadlines up to `received_ms` were fired before. `onset` names this row."""
    out: list[Happening] = []
    inside = True
    for level, name in LEVELS:
        spec: LimitLevel | None = getattr(limit, name)
        if level <= side.level:
            continue
        if not beyond(spec, value) or spec is None:
            setattr(side, f"delay_{name}_ms", 0)
            continue
        inside = False
        if not side.onset:
            side.onset, side.onset_ms, side.onset_value = onset, received_ms, value
        if spec.delay_s <= 0:
            side.delay_high_ms = side.delay_high_ms if level == MEDIUM else 0
            side.delay_medium_ms = 0
            out.append(_reach(side, level, "", received_ms))
        elif not getattr(side, f"delay_{name}_ms"):
            setattr(side, f"delay_{name}_ms", received_ms + round(spec.delay_s * 1000))
    if inside and not side.level:
        side.onset = ""
    if side.level:
        out += _hold(side, limit, value, received_ms)
    return out


def _hold(side: Side, limit: Limit, value: float, received_ms: int) -> list[Happening]:
    """An open episode: starts, keeps or stops the hold."""
    if not good(limit, value):
        side.hold_ms = 0
        return []
    if limit.hold_s <= 0:
        side.level = side.hold_ms = 0
        return [Happening("clear", 0, "", received_ms)]
    side.hold_ms = side.hold_ms or received_ms + round(limit.hold_s * 1000)
    return []


def no_value(side: Side) -> None:
    """A row without value stops a hold and touches nothing else."""
    side.hold_ms = 0


def stopped(side: Side) -> None:
    """The limit was changed: delays and the hold begin anew with the next rows; an open episode stays."""
    side.onset = ""
    side.hold_ms = side.delay_medium_ms = side.delay_high_ms = 0


def finished(side: Side) -> None:
    """The episode has ended (cleared or closed): what comes next is a new one."""
    side.onset, side.alert = "", ""
    side.level = side.hold_ms = side.delay_medium_ms = side.delay_high_ms = 0
