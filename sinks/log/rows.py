"""How the SQLite log stores one record: its row id, the bytes of its headers, its checksum. Pure.

SQLite does not notice a flipped bit: of 40 single flips in a file 33 gave wrong rows without an error. Hence a CRC-32 in each row, over
everything that the row says and where it stands, begun with the CRC of the file's incarnation, so that a page of another file is noticed
too. CRC-32 finds every single flip and every burst of up to 32 bits.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from zlib import crc32

import msgspec

from sinks.log.api import Headers

OFFSET_BITS = 48
MAX_PARTITIONS = 1 << 14

Row = tuple[int, int, int, bytes | None, bytes | None, bytes | None]
"""(id, append_ms, checksum, key, headers, value): the columns of table `record` in their order."""

_encode_headers = msgspec.msgpack.Encoder().encode
_decode_headers = msgspec.msgpack.Decoder(Headers).decode
_pack_row: Callable[[int, int, int, int, int], bytes] = struct.Struct("<qqqqq").pack
_pack_bounds: Callable[[int, int, int, int], bytes] = struct.Struct("<qqqq").pack


def row_id(partition: int, offset: int) -> int:
    """One integer orders a file by partition, then offset: the rows of a partition are one range of the primary key."""
    return partition << OFFSET_BITS | offset


def pack_headers(headers: Headers) -> bytes | None:
    """No headers are NULL: most records have none."""
    return _encode_headers(headers) if headers else None


def unpack_headers(data: bytes | None) -> Headers:
    """The inverse of `pack_headers`."""
    return () if data is None else _decode_headers(data)


def size_bytes(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """What counts against `Topic.max_bytes`, in either log."""
    size = (0 if key is None else len(key)) + (0 if value is None else len(value))
    for name, data in headers:
        size += len(name) + len(data)
    return size


def seed_of(incarnation: str) -> int:
    """What every checksum of a file begins with."""
    return crc32(incarnation.encode())


def row_checksum(seed: int, ident: int, append_ms: int, key: bytes | None, headers: bytes | None, value: bytes | None) -> int:
    """The lengths go in too (-1 = NULL): bytes cannot wander from key to value."""
    crc = crc32(
        _pack_row(
            ident,
            append_ms,
            -1 if key is None else len(key),
            -1 if headers is None else len(headers),
            -1 if value is None else len(value),
        ),
        seed,
    )
    if key:
        crc = crc32(key, crc)
    if headers:
        crc = crc32(headers, crc)
    return crc32(value, crc) if value else crc


def first_damaged(seed: int, rows: list[Row]) -> int | None:
    """Index of the first row that does not match its checksum. A flipped type byte may turn a column into another type: damaged as well."""
    for index, (ident, append_ms, checksum, key, headers, value) in enumerate(rows):
        try:
            if row_checksum(seed, ident, append_ms, key, headers, value) != checksum:
                return index
        except (TypeError, struct.error):
            return index
    return None


def bounds_checksum(seed: int, partition: int, start: int, following: int, last_ms: int) -> int:
    """Of one row of table `bounds`."""
    return crc32(_pack_bounds(partition, start, following, last_ms), seed)
