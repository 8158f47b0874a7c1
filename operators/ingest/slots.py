"""The newest row of each slot (patient, device, code): what is a repeat, what is late (`semantics.md` 3 and 6). Columns throughout.

A *pair* (patient, device) is a small integer, its slots are one line of two matrices, pairs x codes. The rule a row:
exactly the newest row of its slot again -> a repeat, dropped; else not newer than that, too old, or replayed -> late, moves nothing;
else it is the newest now. So the newest before a row is the greatest t of the rows before it that are not too old: a running maximum,
whatever the number of rows of one slot in a poll.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.codes import CODES
from schemas.identity import shard_of

CODE_NUMBERS: tuple[int, ...] = (0, *sorted(code.number for code in CODES))
"""Columns of the matrices; 0 = beats."""
NEVER = -(1 << 62)
_SORTED = np.array(CODE_NUMBERS, np.uint32)
_TIME_BITS, _MAX_RUN = 44, 1 << 18
"""Times have at most 13 digits, so a slot's number and a time fit one sortable integer."""
EXPIRE_MS = 31 * 86_400_000
"""A slot whose newest row is older than this, at midnight, is forgotten: leases reach back 30 days."""


class Slots:
    """State of all slots; grows by doubling."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self._pairs: dict[tuple[int, int], int] = {}
        self.patient = np.zeros(64, np.uint64)
        self.device = np.zeros(64, np.uint64)
        self.shard = np.zeros(64, np.int16)
        self._t = np.full((64, len(CODE_NUMBERS)), NEVER, np.int64)
        self._value = np.zeros((64, len(CODE_NUMBERS)))

    def pair(self, patient: int, device: int) -> int:
        """The number of (patient key, device key), new if it was never met."""
        found = self._pairs.get((patient, device))
        return self._new(patient, device) if found is None else found

    def _new(self, patient: int, device: int) -> int:
        number = len(self._pairs)
        if number == len(self.patient):
            self._grow(2 * number)
        self._pairs[patient, device] = number
        self.patient[number], self.device[number], self.shard[number] = patient, device, shard_of(patient, self._shards)
        return number

    def _grow(self, size: int) -> None:
        old = len(self.patient)
        self.patient, self.device = np.resize(self.patient, size), np.resize(self.device, size)
        self.shard = np.resize(self.shard, size)
        t, value = np.full((size, len(CODE_NUMBERS)), NEVER, np.int64), np.zeros((size, len(CODE_NUMBERS)))
        t[:old], value[:old] = self._t, self._value
        self._t, self._value = t, value

    def judge(
        self,
        pair: NDArray[np.int64],
        code: NDArray[np.uint32],
        t: NDArray[np.int64],
        value: NDArray[np.float64],
        old: NDArray[np.bool_],
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(repeat, late) of rows in their order of application, and the newest moved on.

        `old`: too old for its class, or replayed. NaN stands for every row without value: two of them are the same.
        """
        if len(pair) > _MAX_RUN:
            halves = [self.judge(pair[part], code[part], t[part], value[part], old[part]) for part in _halves(len(pair))]
            return np.concatenate([half[0] for half in halves]), np.concatenate([half[1] for half in halves])
        slot = pair * len(CODE_NUMBERS) + np.searchsorted(_SORTED, code)
        newest_t, newest_value = self._t.reshape(-1), self._value.reshape(-1)
        if _distinct(slot):
            before_t, before_value = newest_t[slot], newest_value[slot]
            moves = (t > before_t) & ~old
            last = slot[moves]
            newest_t[last], newest_value[last] = t[moves], value[moves]
        else:
            before_t, before_value, moves = _before(slot, t, value, old, newest_t[slot], newest_value[slot])
            last = slot[moves]  # assignments run in order: the last one, the newest, stays
            newest_t[last], newest_value[last] = t[moves], value[moves]
        same = (value == before_value) | (np.isnan(value) & np.isnan(before_value))
        repeat = (t == before_t) & same
        return repeat, ~moves & ~repeat

    def forget(self, before_ms: int) -> None:
        """Drops what is older; pairs stay known, for devices point to them."""
        self._t[self._t < before_ms] = NEVER

    def snapshot(self) -> dict[str, Any]:
        """The slots that were ever filled, as plain columns."""
        pair, column = np.nonzero(self._t != NEVER)
        return {
            "patient": self.patient[pair],
            "device": self.device[pair],
            "code": _SORTED[column],
            "t": self._t[pair, column],
            "value": self._value[pair, column],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Into empty slots. Rows of a code that this version does not know are left out."""
        known = np.isin(state["code"], _SORTED)
        pairs = [
            self.pair(patient, device)
            for patient, device in zip(state["patient"][known].tolist(), state["device"][known].tolist(), strict=True)
        ]
        at = np.array(pairs, np.int64), np.searchsorted(_SORTED, state["code"][known])
        self._t[at], self._value[at] = state["t"][known], state["value"][known]


def _halves(n: int) -> tuple[slice, slice]:
    return slice(0, n // 2), slice(n // 2, n)


def _distinct(slot: NDArray[np.int64]) -> bool:
    """No slot twice."""
    if len(slot) < 2:
        return True
    ordered = np.sort(slot)
    return bool((ordered[1:] != ordered[:-1]).all())


def _before(
    slot: NDArray[np.int64],
    t: NDArray[np.int64],
    value: NDArray[np.float64],
    old: NDArray[np.bool_],
    newest_t: NDArray[np.int64],
    newest_value: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """(t and value of the slot's newest before each row, whether the row becomes the newest); by one segmented maximum."""
    order = np.argsort(slot, kind="stable")
    s, rows = slot[order], np.arange(len(slot))
    first = np.concatenate(([True], s[1:] != s[:-1]))
    base = np.cumsum(first) << _TIME_BITS
    reach = base + np.where(old[order], 0, t[order] + 1)  # 0 = no row yet
    reach = np.maximum.accumulate(np.maximum(reach, base + np.maximum(newest_t[order] + 1, 0)))
    before = np.where(first, newest_t[order], np.concatenate(([0], reach[:-1])) - base - 1)
    before[before < 0] = NEVER
    moves = ~old[order] & (t[order] > before)
    # The row that holds the newest before each row: the last one that moved it, in this slot; -1 = the one from earlier polls.
    start = np.maximum.accumulate(np.where(first, rows, 0))
    mover = np.maximum.accumulate(np.where(moves, rows, -1))
    holder = np.concatenate(([-1], mover[:-1]))
    before_value = np.where(holder >= start, value[order][holder], newest_value[order])
    back = np.empty_like(order)
    back[order] = rows
    return before[back], before_value[back], moves[back]
