"""A whole poll of native messages at once: each document is read on its own, then units and checks run over columns.

A Python step a message costs as much as a whole column operation does a hundred rows. So a message is first read as a *plain* one - a
device, a time in whole ms, readings with a number and a unit, nothing else that matters - which needs no look at its fields afterwards.
What is not plain takes the scalar way of `native`: both ways agree by construction where it is rare and by test where it is common.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from operators.decode.native import DEVICE_NAME, T_FROM_MS, T_UNTIL_MS, decode
from operators.decode.seam import Decoded, Poll, Refusal
from operators.decode.units import KIND_CODE, KIND_OF, measure_all
from schemas.readings import MAX_MESSAGE_BYTES, MAX_READINGS

MAX_NAMES = 200_000
CHUNK = 1000
"""Messages held as objects at a time: few enough to stay in the processor's cache until they are taken apart."""
_VITAL_BIT: NDArray[np.uint64] = np.uint64(1) << np.unique(KIND_CODE).searchsorted(KIND_CODE).astype(np.uint64)
"""Kind -> one bit a vital: two readings of one vital in a message meet in it."""
_NO_UNITS: dict[str, int] = {}
NO_KIND = -1
"""Of a reading whose message goes the scalar way after all: the last kind stands in for it, and the row is left out."""

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Others = list[tuple[int, Decoded | Refusal]]
"""(input, what the scalar way made of it)."""


class _Reading(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """`readings.Reading` with a number, a unit and nothing that takes it away or marks it."""

    code: str
    value: float
    unit: str
    quality: Literal["good"] = "good"
    index: float | None = None


class _Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """`readings.Message` without what needs a second look. Whatever this takes, `native` takes with the same rows."""

    device: str
    t: int
    readings: Annotated[list[_Reading], Meta(min_length=1, max_length=MAX_READINGS)]
    v: Literal[1] = 1
    boot: str | None = None
    seq: int | None = None
    battery_percent: float | None = None
    buffered: int | None = None


_read_plain = msgspec.json.Decoder(_Plain).decode


class Native:
    """The native contract behind the `Decoder` seam. Remembers only which device names it has already found well-formed."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def one(self, raw: bytes, received_ms: int) -> Decoded | Refusal:
        return decode(raw, received_ms)

    def many(self, values: Sequence[bytes | None], received: Ints) -> Poll:
        """Never raises. `received`: ms, one a value."""
        lists, others = _Lists([], [], [], [], [], [], []), Others()
        for start in range(0, len(values), CHUNK):
            _take(values[start : start + CHUNK], start, received, lists, others)
        place = np.array(lists.places, np.int64) if others else np.arange(len(values))
        return _columns(lists, place, self._well_formed(lists.devices), values, received, others)

    def _well_formed(self, devices: list[str]) -> Bools | None:
        """Which names are; None = all."""
        names = self._names
        if names.issuperset(devices):
            return None
        if len(names) > MAX_NAMES:
            names.clear()
        names.update(name for name in devices if DEVICE_NAME.fullmatch(name))
        good = np.array([name in names for name in devices])
        return None if good.all() else good


def decode_poll(values: Sequence[bytes | None], received: Ints) -> Poll:
    """A poll without memory of earlier ones."""
    return Native().many(values, received)


class _Lists(NamedTuple):
    """What is taken out of the plain messages: one entry a message in the first four, one a reading in the next two."""

    devices: list[str]
    places: list[int]
    """The input of each."""
    times: list[int]
    counts: list[int]
    kinds: list[int]
    numbers: list[float]
    odd: list[int]
    """The readings without kind."""


def _take(values: Sequence[bytes | None], start: int, received: Ints, lists: _Lists, others: Others) -> None:
    """Reads a chunk of messages, the first of which is input `start`, and takes them apart."""
    messages, places = _read(values, start, received, others)
    readings = [reading for message in messages for reading in message.readings]
    lists.devices.extend([message.device for message in messages])
    lists.places.extend(places)
    lists.times.extend([message.t for message in messages])
    single = len(readings) == len(messages)
    lists.counts.extend([1] * len(messages) if single else [len(message.readings) for message in messages])
    lists.numbers.extend([reading.value for reading in readings])
    try:
        lists.kinds.extend([KIND_OF[reading.code][reading.unit] for reading in readings])
    except KeyError:
        kinds = [KIND_OF.get(reading.code, _NO_UNITS).get(reading.unit, NO_KIND) for reading in readings]
        lists.odd.extend(len(lists.kinds) + i for i, kind in enumerate(kinds) if kind == NO_KIND)
        lists.kinds.extend(kinds)


def _read(values: Sequence[bytes | None], start: int, received: Ints, others: Others) -> tuple[list[_Plain], Sequence[int]]:
    """(the plain messages, the input of each). At best in one comprehension; if one of them is not plain, one by one."""
    try:
        if max(map(len, values)) <= MAX_MESSAGE_BYTES:  # type: ignore[arg-type]  # None raises TypeError: one by one then
            return [_read_plain(raw) for raw in values], range(start, start + len(values))  # type: ignore[arg-type]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError):
        pass
    messages: list[_Plain] = []
    places: list[int] = []
    for place, raw in enumerate(values, start):
        try:
            if raw is not None and len(raw) <= MAX_MESSAGE_BYTES:
                messages.append(_read_plain(raw))
                places.append(place)
                continue
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
        others.append((place, decode(raw, int(received[place]))))
    return messages, places


def _times(times: list[int]) -> Ints:
    """t of each message, 0 where it does not even fit the column."""
    try:
        return np.array(times, np.int64)
    except OverflowError:
        return np.array([t if T_FROM_MS <= t < T_UNTIL_MS else 0 for t in times], np.int64)


def _columns(lists: _Lists, place: Ints, good: Bools | None, values: Sequence[bytes | None], received: Ints, others: Others) -> Poll:
    """The plain messages in columns. A vital twice, an unknown code or unit, a bad name or time: the scalar way after all."""
    n, single = len(lists.devices), len(lists.kinds) == len(lists.devices)
    counts = np.array(lists.counts, np.int64)
    owner = np.arange(n) if single else np.repeat(np.arange(n), counts)
    t, kind = _times(lists.times), np.array(lists.kinds, np.int64)
    value, flags = measure_all(kind, np.array(lists.numbers, np.float64))
    keep = (t >= T_FROM_MS) & (t < T_UNTIL_MS)
    if good is not None:
        keep &= good
    keep[owner[np.array(lists.odd, np.int64)]] = False
    nth = np.zeros(n, np.uint16)
    if not single:
        starts = np.cumsum(counts) - counts
        nth = (np.arange(len(kind)) - starts[owner]).astype(np.uint16)
        keep &= np.bitwise_count(np.bitwise_or.reduceat(_VITAL_BIT[kind], starts)) == counts
    plain = Poll(lists.devices, place, t, np.zeros(n, np.uint32), owner, nth, KIND_CODE[kind], value, flags, [])
    if not keep.all():
        others += ((i, decode(values[i], int(received[i]))) for i in place[~keep].tolist())
        plain = _only(plain, keep)
    return _merged(plain, others) if others else plain


def _only(poll: Poll, keep: Bools) -> Poll:
    """The messages marked, with their rows."""
    rows = keep[poll.owner]
    renumbered = np.cumsum(keep) - 1
    return Poll(
        [device for device, kept in zip(poll.devices, keep.tolist(), strict=True) if kept],
        poll.place[keep],
        poll.t[keep],
        poll.message_flags[keep],
        renumbered[poll.owner[rows]],
        poll.nth[rows],
        poll.code[rows],
        poll.value[rows],
        poll.flags[rows],
        poll.refused,
    )


def _merged(plain: Poll, others: Others) -> Poll:
    """The plain messages and those of the scalar way, in the order of the input."""
    others.sort(key=lambda other: other[0])
    refused: list[tuple[int, Refusal]] = []
    found: list[tuple[int, Decoded]] = []
    for place, got in others:
        if isinstance(got, Refusal):
            refused.append((place, got))
            continue
        if got.partial is not None:
            refused.append((place, got.partial))
        if got.rows:
            found.append((place, got))
    n, rows = len(plain.devices), [row for _, got in found for row in got.rows]
    places = np.concatenate((plain.place, np.array([place for place, _ in found], np.int64)))
    order = np.argsort(places)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    owner = back[np.concatenate((plain.owner, np.repeat(np.arange(n, n + len(found)), [len(got.rows) for _, got in found])))]
    by = np.argsort(owner, kind="stable")
    devices = [*plain.devices, *(got.device for _, got in found)]
    return Poll(
        [devices[i] for i in order.tolist()],
        places[order],
        np.concatenate((plain.t, np.array([got.t_ms for _, got in found], np.int64)))[order],
        np.concatenate((plain.message_flags, np.array([got.flags for _, got in found], np.uint32)))[order],
        owner[by],
        np.concatenate((plain.nth, np.array([row.nth for row in rows], np.uint16)))[by],
        np.concatenate((plain.code, np.array([row.code for row in rows], np.uint32)))[by],
        np.concatenate((plain.value, np.array([row.value for row in rows], np.float64)))[by],
        np.concatenate((plain.flags, np.array([row.flags for row in rows], np.uint32)))[by],
        refused,
    )
