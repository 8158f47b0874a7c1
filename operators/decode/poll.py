"""A whole poll of native messages at once: each document is read on its own, then units and checks run over columns.

A Python step a message costs as much as a whole column operation does a hundred rows, so the plain messages (whole ms, readings with a
number, a known unit and nothing else) are taken apart by comprehensions. All others take the scalar way of `native`: both ways agree by
construction where it is rare and by test where it is common.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators.decode.native import (
    DEVICE_NAME,
    T_FROM_MS,
    T_UNTIL_MS,
    VERSION,
    check_message,
    decode,
    read_message,
    rows_of,
    unreadable,
)
from operators.decode.seam import Decoded, Poll, Refusal
from operators.decode.units import KIND_CODE, KIND_OF, measure_all
from schemas.readings import MAX_MESSAGE_BYTES, MAX_READINGS, Message, Reading

MAX_NAMES = 200_000
NO_KIND = 0
"""Of a row whose message goes the scalar way after all: any kind, for the row is left out."""
_VITAL_BIT: NDArray[np.uint64] = np.uint64(1) << np.unique(KIND_CODE).searchsorted(KIND_CODE).astype(np.uint64)
"""Kind -> one bit a vital: two readings of one vital in a message meet in it."""
_NO_UNITS: dict[str, int] = {}

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Others = list[tuple[int, Decoded | Refusal]]
"""(input, what the scalar way made of it)."""


class Native:
    """The native contract behind the `Decoder` seam. Remembers only which device names it has already found well-formed."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def one(self, raw: bytes, received_ms: int) -> Decoded | Refusal:
        return decode(raw, received_ms)

    def many(self, values: Sequence[bytes | None], received: Ints) -> Poll:
        """Never raises. `received`: ms, one a value."""
        others: Others = []
        messages, places = _read(values, others)
        odd = _odd_messages(messages)
        if odd:
            others += ((places[i], _scalar(messages[i], int(received[places[i]]))) for i in odd)
            gone = set(odd)
            places = [place for i, place in enumerate(places) if i not in gone]
            messages = [message for i, message in enumerate(messages) if i not in gone]
        devices = [message.device for message in messages]
        return _columns(messages, devices, np.array(places, np.int64), self._well_formed(devices), received, others)

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


def _read(values: Sequence[bytes | None], others: Others) -> tuple[list[Message], Sequence[int]]:
    """(the documents that could be read, the input of each). At best in one comprehension; if one of them cannot be read, one by one."""
    try:
        if max(map(len, values), default=0) <= MAX_MESSAGE_BYTES:  # type: ignore[arg-type]  # None raises TypeError: one by one then
            return [read_message(raw) for raw in values], range(len(values))  # type: ignore[arg-type]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError):
        pass
    messages: list[Message] = []
    places: list[int] = []
    for place, raw in enumerate(values):
        if raw is None or len(raw) > MAX_MESSAGE_BYTES:
            others.append((place, decode(raw, 0)))
            continue
        try:
            messages.append(read_message(raw))
            places.append(place)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            others.append((place, unreadable(error)))
    return messages, places


def _odd_messages(messages: list[Message]) -> list[int]:
    """Those with anything but a device, a time in whole ms and readings."""
    return [
        i
        for i, m in enumerate(messages)
        if not m.readings
        or m.code is not None
        or m.value is not None
        or m.unit is not None
        or m.alarms
        or m.v != VERSION
        or m.patient is not None
        or m.waveform is not None
        or type(m.t) is not int
    ]


def _scalar(message: Message, received_ms: int) -> Decoded | Refusal:
    return check_message(message) or rows_of(message, received_ms)


def _times(messages: list[Message]) -> Ints:
    """t of each message, 0 where it does not even fit the column."""
    times: list[int] = [message.t for message in messages]  # type: ignore[misc]  # the odd ones are gone
    try:
        return np.array(times, np.int64)
    except OverflowError:
        return np.array([t if T_FROM_MS <= t < T_UNTIL_MS else 0 for t in times], np.int64)


def _kinds(readings: list[Reading]) -> tuple[list[int], list[int]]:
    """(the kind of each reading, the readings that have none)."""
    try:
        return [KIND_OF[reading.code][reading.unit] for reading in readings], []  # type: ignore[index]  # None raises KeyError
    except KeyError:
        found = [KIND_OF.get(reading.code, _NO_UNITS).get(reading.unit or "", -1) for reading in readings]
        odd = [i for i, kind in enumerate(found) if kind < 0]
        for i in odd:
            found[i] = NO_KIND
        return found, odd


def _numbers(readings: list[Reading]) -> tuple[list[float], list[int]]:
    """(the number of each reading, the readings that have none, or more than a number and a unit)."""
    odd = [i for i, r in enumerate(readings) if r.absent is not None or r.compare is not None or r.quality != "good"]
    numbers: list[float | None] = [reading.value for reading in readings]
    if None in numbers:
        missing = [i for i, number in enumerate(numbers) if number is None]
        for i in missing:
            numbers[i] = 1.0
        odd += missing
    return numbers, odd  # type: ignore[return-value]  # no None is left


def _columns(messages: list[Message], devices: list[str], place: Ints, good: Bools | None, received: Ints, others: Others) -> Poll:
    """The plain messages in columns; what turns out not to be plain goes the scalar way, whole."""
    readings = [reading for message in messages for reading in message.readings]
    n, single = len(messages), len(readings) == len(messages)
    counts = np.ones(n, np.int64) if single else np.array([len(message.readings) for message in messages], np.int64)
    owner = np.arange(n) if single else np.repeat(np.arange(n), counts)
    t = _times(messages)
    kinds, odd_kinds = _kinds(readings)
    numbers, odd_numbers = _numbers(readings)
    kind = np.array(kinds, np.int64)
    value, flags = measure_all(kind, np.array(numbers, np.float64))
    keep = (t >= T_FROM_MS) & (t < T_UNTIL_MS) & (counts <= MAX_READINGS)
    if good is not None:
        keep &= good
    if odd_kinds or odd_numbers:
        keep[owner[odd_kinds + odd_numbers]] = False
    starts = np.cumsum(counts) - counts
    if not single:
        keep &= np.bitwise_count(np.bitwise_or.reduceat(_VITAL_BIT[kind], starts)) == counts
    nth = (np.arange(len(kind)) - starts[owner]).astype(np.uint16)
    plain = Poll(devices, place, t, np.zeros(n, np.uint32), owner, nth, KIND_CODE[kind], value, flags, [])
    if not keep.all():
        others += ((int(place[i]), _scalar(messages[i], int(received[place[i]]))) for i in np.flatnonzero(~keep).tolist())
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
