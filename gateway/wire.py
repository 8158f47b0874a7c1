"""What goes over the wire of `nadi.v1`: websocket frames made once and shared by all who get them, JSON texts joined from parts.

A server frame is not masked, so the same bytes serve every client. Parts that are JSON already (values of the log, patients
encoded once a change) are joined, never decoded and encoded again.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

TEXT = 0x81
PROTOCOL = "nadi.v1"
PROTOCOL_VERSION = 1
HEARTBEAT_MS = 2000

# Close codes: below 4500 "come back", from 4500 "do not".
DRAINING, SLOW, RATE = 4001, 4008, 4013
EXPIRED, NO_AUTH = 4401, 4408
BAD_TOKEN, BAD_REQUEST, NOT_ALLOWED, TOO_MANY = 4500, 4501, 4503, 4504

Recovered = Literal["true", "false", "null"]
Kind = Literal["ward", "patient"]
to_json = msgspec.json.encode


def frame(payload: bytes) -> bytes:
    """One unfragmented text frame of a server (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((TEXT, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", TEXT, 126, size) + payload
    return struct.pack("!BBQ", TEXT, 127, size) + payload


def payloads_of(data: bytes) -> list[bytes]:
    """The payloads of joined frames that `frame` made: for servers that take texts and not frames."""
    payloads, at = [], 0
    while at < len(data):
        size, at = data[at + 1], at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(data[at : at + width], "big"), at + width
        payloads.append(data[at : at + size])
        at += size
    return payloads


def message(kind: str, fields: Mapping[str, object]) -> bytes:
    """A frame of one small message."""
    return frame(to_json({"t": kind, **fields}))


def event(shard: int, offset: int, value: bytes) -> bytes:
    """`ev`: `value` is the JSON of an AlertEvent as it lies on the log."""
    return frame(b'{"t":"ev","s":%d,"o":%d,"e":%s}' % (shard, offset, value))


def shard_times(times: Mapping[int, int]) -> bytes:
    """`{"0": ms, ...}`."""
    return to_json({str(shard): ms for shard, ms in sorted(times.items())})


def live(frames: Iterable[bytes], times: Mapping[int, int]) -> bytes:
    """`live`: encoded PatientFrame deltas."""
    return frame(b'{"t":"live","frames":[%s],"shard_ms":%s}' % (b",".join(frames), shard_times(times)))


def beat(now_ms: int, times: Mapping[int, int], position: bytes | None) -> bytes:
    """`hb`; `lag_ms` null before the first shard time."""
    lag = to_json(max(0, now_ms - max(times.values())) if times else None)
    where = b"" if position is None else b',"pos":%s' % position
    return frame(b'{"t":"hb","now_ms":%d,"lag_ms":%s,"shard_ms":%s%s}' % (now_ms, lag, shard_times(times), where))


def key(
    kind: Kind,
    name: str,
    now_ms: int,
    times: Mapping[int, int],
    recovered: Recovered,
    position: bytes,
    patients: Iterable[bytes],
    trends: Iterable[tuple[str, bytes]],
    beds: Sequence[str] | None,
) -> bytes:
    """`key`: everything that the subscription shows, from parts that are JSON already."""
    parts = [
        b'{"t":"key",%s:%s,"now_ms":%d' % (to_json(kind), to_json(name), now_ms),
        b'"shard_ms":%s' % shard_times(times),
        b'"recovered":%s' % recovered.encode(),
        b'"pos":%s' % position,
        b'"patients":[%s]' % b",".join(patients),
        b'"trends":{%s}' % b",".join(b"%s:%s" % (to_json(patient), series) for patient, series in trends),
    ]
    if beds is not None:
        parts.append(b'"beds":%s' % to_json(beds))
    return frame(b",".join(parts) + b"}")
