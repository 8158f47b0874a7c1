"""Records of the timeline: kind byte R F T, version byte, payload (`semantics.md` 10).

R: rows of `columns.ROW`, raw. F: msgpack of a Fact, Begin or End. T: msgpack of Hello, Time or Bye.
A record that cannot be read raises `BadRecord` with its place: only `ingest` writes here, so that is a fault and not input.
"""

from __future__ import annotations

import msgspec
import numpy as np

from schemas.columns import ROW, Rows

VERSION = 1


class BadRecord(ValueError):
    """A timeline record that this version cannot read."""


class Fact(msgspec.Struct, frozen=True, tag="fact", array_like=True):
    """One record of a control topic as it stood, or one command.

    `version` is the source offset (a fact is applied per key if newer; None value = deleted), `partition` its source partition,
    `at` its own append time, `stamp` = last T of the writer + 1 ms: the time at which it takes effect (all ms).
    A command that `ingest` could not turn into rows carries the reason in `refused`.
    """

    topic: str
    key: str
    partition: int
    version: int
    at: int
    stamp: int
    value: bytes | None
    refused: str | None = None


class Begin(msgspec.Struct, frozen=True, tag="begin", array_like=True):
    """All current facts follow, up to the `End` of the same id."""

    id: str


class End(msgspec.Struct, frozen=True, tag="end", array_like=True):
    """The re-statement `id` is whole: `count` facts were stated on this shard."""

    id: str
    count: int


class Hello(msgspec.Struct, frozen=True, tag="hello", array_like=True):
    """Instance of a writer begins; older instances of it count no longer for time."""

    writer: str
    instance: str


class Time(msgspec.Struct, frozen=True, tag="time", array_like=True):
    """Whatever this writer appends from now on was received after `t_ms`."""

    writer: str
    instance: str
    t_ms: int


class Bye(msgspec.Struct, frozen=True, tag="bye", array_like=True):
    """Instance of a writer ends; `end`: with the end of its inputs (a recorded run), so that no other will follow it."""

    writer: str
    instance: str
    end: bool = False


FactEntry = Fact | Begin | End
TimeEntry = Hello | Time | Bye
Entry = FactEntry | TimeEntry | Rows

_pack = msgspec.msgpack.Encoder().encode
_fact = msgspec.msgpack.Decoder(FactEntry).decode
_time = msgspec.msgpack.Decoder(TimeEntry).decode
ROWS_HEAD, _F, _T = b"R" + bytes([VERSION]), b"F" + bytes([VERSION]), b"T" + bytes([VERSION])
"""First two bytes of an R record; F and T are read through `decode_entry`."""


def encode_rows(rows: Rows) -> bytes:
    """An R record."""
    return ROWS_HEAD + rows.tobytes()


def encode_fact(entry: FactEntry) -> bytes:
    """An F record."""
    return _F + _pack(entry)


def encode_time(entry: TimeEntry) -> bytes:
    """A T record."""
    return _T + _pack(entry)


def rows_payload(value: bytes, place: str = "timeline") -> bytes:
    """The raw rows of an R record (`ROWS_HEAD`)."""
    payload = value[2:]
    if len(payload) % ROW.itemsize:
        raise BadRecord(f"{place}: an R record of {len(payload)} bytes holds no whole number of rows of {ROW.itemsize} bytes")
    return payload


def decode_entry(value: bytes, place: str = "timeline") -> FactEntry | TimeEntry:
    """The entry of an F or T record."""
    head = value[:2]
    try:
        if head == _F:
            return _fact(value[2:])  # type: ignore[no-any-return]
        if head == _T:
            return _time(value[2:])  # type: ignore[no-any-return]
    except msgspec.MsgspecError as error:
        raise BadRecord(f"{place}: unreadable {head[:1]!r} record: {error}") from error
    raise BadRecord(f"{place}: unknown record head {head!r}; this version reads R, F, T of version {VERSION}")


def decode(value: bytes, place: str = "timeline") -> Entry:
    """The entry of any timeline record; rows are a read-only view."""
    if value[:2] == ROWS_HEAD:
        return np.frombuffer(rows_payload(value, place), ROW)
    return decode_entry(value, place)
