"""A whole poll of native messages at once: each document is read on its own, then units and checks run over columns.

A message that is not plain (a reason instead of a number, a bound, a beat, an RFC 3339 time, an unknown unit, ...) takes the scalar way of
`native`: both ways agree by construction where it is rare and by test where it is common.
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
from operators.decode.seam import Decoded, Poll, Refusal, Row
from operators.decode.units import KIND_CODE, KIND_OF, measure_all
from schemas.readings import MAX_MESSAGE_BYTES, MAX_READINGS, Message, Reading

MAX_NAMES = 200_000
_NO_UNITS: dict[str, int] = {}
_BIT_OF_KIND: list[int] = [1 << int(np.unique(KIND_CODE).searchsorted(code)) for code in KIND_CODE]
"""One bit a vital: two readings of one vital in a message meet in it."""


class _Columns:
    """What the loop over messages fills. Plain rows are (kind, number); those of the scalar way hold a place there and are put in later."""

    __slots__ = ("counts", "devices", "kinds", "message_flags", "place", "ready", "refused", "t", "values")

    def __init__(self) -> None:
        self.devices: list[str] = []
        self.place: list[int] = []
        self.t: list[int] = []
        self.counts: list[int] = []
        self.kinds: list[int] = []
        self.values: list[float] = []
        self.ready: list[tuple[int, Row]] = []
        self.message_flags: list[tuple[int, int]] = []
        self.refused: list[tuple[int, Refusal]] = []

    def add(self, place: int, got: Decoded | Refusal) -> None:
        """A message that came the scalar way."""
        if isinstance(got, Refusal):
            self.refused.append((place, got))
            return
        if got.partial is not None:
            self.refused.append((place, got.partial))
        if not got.rows:
            return
        if got.flags:
            self.message_flags.append((len(self.devices), got.flags))
        self.devices.append(got.device)
        self.place.append(place)
        self.t.append(got.t_ms)
        self.counts.append(len(got.rows))
        for row in got.rows:
            self.ready.append((len(self.kinds), row))
            self.kinds.append(0)
            self.values.append(1.0)


class Native:
    """The native contract behind the `Decoder` seam. Remembers only which device names it has already found well-formed."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def one(self, raw: bytes, received_ms: int) -> Decoded | Refusal:
        return decode(raw, received_ms)

    def many(self, values: Sequence[bytes | None], received: NDArray[np.int64]) -> Poll:
        """Never raises. `received`: ms, one a value."""
        if len(self._names) > MAX_NAMES:
            self._names.clear()
        return _assemble(_read(values, received, self._names))


def decode_poll(values: Sequence[bytes | None], received: NDArray[np.int64]) -> Poll:
    """A poll without memory of earlier ones."""
    return Native().many(values, received)


def _read(values: Sequence[bytes | None], received: NDArray[np.int64], names: set[str]) -> _Columns:
    """The loop over messages: as little as possible a message, since a Python step costs more than a whole column operation a row."""
    columns = _Columns()
    devices, places, times, counts = columns.devices.append, columns.place.append, columns.t.append, columns.counts.append
    kinds, numbers = columns.kinds, columns.values
    for place, raw in enumerate(values):
        if raw is None or len(raw) > MAX_MESSAGE_BYTES:
            columns.add(place, decode(raw, 0))
            continue
        try:
            message = read_message(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            columns.refused.append((place, unreadable(error)))
            continue
        device, t, readings = message.device, message.t, message.readings
        if device not in names and DEVICE_NAME.fullmatch(device):
            names.add(device)
        if (
            type(t) is int
            and T_FROM_MS <= t < T_UNTIL_MS
            and device in names
            and _plain(message)
            and (count := _put(message, readings, kinds, numbers))
        ):
            devices(device)
            places(place)
            times(t)
            counts(count)
        else:
            columns.add(place, check_message(message) or rows_of(message, int(received[place])))
    return columns


def _plain(message: Message) -> bool:
    """Nothing in it but a device, its time and readings."""
    return message.v == VERSION and message.patient is None and message.waveform is None and not message.alarms


def _put(message: Message, readings: list[Reading], kinds: list[int], numbers: list[float]) -> int:
    """Appends the plain numbers of a message; how many, or 0 (and nothing appended) if one of them is not plain or there is none."""
    if message.code is not None:
        kind = KIND_OF.get(message.code, _NO_UNITS).get(message.unit or "")
        if readings or kind is None or message.value is None:
            return 0
        kinds.append(kind)
        numbers.append(message.value)
        return 1
    count, seen, start = len(readings), 0, len(kinds)
    if count > MAX_READINGS or message.value is not None or message.unit is not None:
        return 0
    for reading in readings:
        value = reading.value
        kind = KIND_OF.get(reading.code, _NO_UNITS).get(reading.unit or "")
        if value is None or kind is None or reading.absent is not None or reading.compare is not None or reading.quality != "good":
            break
        kinds.append(kind)
        numbers.append(value)
        seen |= _BIT_OF_KIND[kind]
    if seen.bit_count() != count:  # a vital twice, or stopped on the way
        del kinds[start:], numbers[start:]
        return 0
    return count


def _assemble(columns: _Columns) -> Poll:
    """Columns of the poll; the rows of the scalar way are put into their places."""
    counts = np.array(columns.counts, np.int64)
    kind = np.array(columns.kinds, np.int64)
    value, flags = measure_all(kind, np.array(columns.values, np.float64))
    code = KIND_CODE[kind]
    messages = np.arange(len(counts))
    if len(kind) == len(counts):
        owner, nth = messages, np.zeros(len(kind), np.uint16)
    else:
        owner = np.repeat(messages, counts)
        nth = (np.arange(len(kind)) - np.repeat(np.cumsum(counts) - counts, counts)).astype(np.uint16)
    for at, row in columns.ready:
        nth[at], code[at], value[at], flags[at] = row
    message_flags = np.zeros(len(counts), np.uint32)
    for at, added in columns.message_flags:
        message_flags[at] = added
    return Poll(
        columns.devices,
        np.array(columns.place, np.int64),
        np.array(columns.t, np.int64),
        message_flags,
        owner,
        nth,
        code,
        value,
        flags,
        columns.refused,
    )
