"""Hostile input of `device-readings`, without end and seeded: what a broken, careless or malicious sender could put there.

`poison(seed)` gives (kind, bytes). Of the kinds in `REFUSED_KINDS` none may ever become a row; the others (mutations) may, where a mutation left a
valid message. Some stand in pairs that are valid only when joined, one after the other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import msgspec

from schemas.codes import CODES, CONVERSIONS
from schemas.readings import MAX_MESSAGE_BYTES

_json = msgspec.json.encode
Maker = Callable[[random.Random, list[str], int], list[bytes]]


def valid(rng: random.Random, devices: list[str], t_ms: int) -> bytes:
    """A well-formed message of one of the devices: 1 to 8 vitals, any unit, now and then an odd but allowed field."""
    readings = []
    for code in rng.sample(CODES, rng.choice((1, 1, 1, 2, 4, 8))):
        unit = rng.choice([code.unit, code.unit, *CONVERSIONS[code.unit], "bpm"])
        value = rng.choice((rng.uniform(code.low, code.high), round(rng.uniform(code.suspect_low, code.suspect_high)), 0, -1, 1e308, 98.6))
        reading: dict[str, object] = {"code": code.loinc, "value": value, "unit": unit}
        if rng.random() < 0.2:
            reading |= rng.choice(
                ({"absent": "lead-off"}, {"compare": "<"}, {"compare": ">"}, {"quality": "suspect"}, {"index": 3}, {"value": None})
            )
        readings.append(reading)
    message: dict[str, object] = {"v": 1, "device": rng.choice(devices), "t": t_ms + rng.randrange(-120_000, 10_000), "readings": readings}
    if rng.random() < 0.1:
        message |= rng.choice(({"seq": 1}, {"boot": "b"}, {"battery_percent": 3}, {"buffered": 7}, {"beat": True}, {"alarms": [{"id": 1}]}))
    if rng.random() < 0.1:
        del message["t"]
    return _json(message)


def _random_bytes(rng: random.Random, devices: list[str], t_ms: int) -> list[bytes]:
    return [b"\x80" + rng.randbytes(rng.randrange(200))]  # 0x80 begins no UTF-8 character


def _mutated(rng: random.Random, devices: list[str], t_ms: int) -> list[bytes]:
    raw = bytearray(valid(rng, devices, t_ms))
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(raw))
        match rng.randrange(4):
            case 0:
                raw[at] = rng.randrange(256)
            case 1:
                del raw[at]
            case 2:
                raw.insert(at, rng.choice(b'"{}[],:0-e.\\'))
            case _:
                end = min(len(raw), at + rng.randrange(20))
                raw[at:at] = raw[at:end]
        raw = raw or bytearray(b"x")
    return [bytes(raw)]


def _joined_halves(rng: random.Random, devices: list[str], t_ms: int) -> list[bytes]:
    """Neither is a document; one behind the other they are one, of either device."""
    raw = valid(rng, devices, t_ms)
    cut = rng.randrange(1, len(raw))
    return [raw[:cut], raw[cut:]] if not raw[cut:].strip().isdigit() else [raw[:cut]]


def _two_in_one(rng: random.Random, devices: list[str], t_ms: int) -> list[bytes]:
    return [rng.choice((b"", b"\n", b",", b" ")).join((valid(rng, devices, t_ms), valid(rng, devices, t_ms)))]


def _largest(rng: random.Random, devices: list[str], t_ms: int) -> list[bytes]:
    raw = valid(rng, devices, t_ms)
    return [raw + b" " * (MAX_MESSAGE_BYTES - len(raw) + rng.randrange(1, 1000))]


def _deep(rng: random.Random, devices: list[str], t_ms: int) -> list[bytes]:
    depth, (left, right) = rng.randrange(5000, 15000), rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    inner = left * depth + (b"1" if left != b"[" else b"") + (right * depth if rng.random() < 0.5 else b"")
    return [b'{"device":"%s","alarms":[%s]}' % (devices[0].encode(), inner), inner][: rng.randrange(1, 3)]


_NUMBERS = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e400",
    b"-1e999",
    b"0x10",
    b"1_000",
    b"+1",
    b".5",
    b"1.",
    b"01",
    b'"72"',
    b"true",
    b"[72]",
    b"{}",
    b"nan",
)


def _numbers(rng: random.Random, devices: list[str], t_ms: int) -> list[bytes]:
    field = rng.choice((b"value", b"t", b"battery_percent"))
    return [b'{"device":"%s","beat":true,"code":"8867-4","unit":"/min","%s":%s}' % (devices[0].encode(), field, _number(rng, field))]


def _number(rng: random.Random, field: bytes) -> bytes:
    return rng.choice([number for number in _NUMBERS if field != b"t" or number != b'"72"'] if rng.random() < 0.9 else [b"1e400"])


def _bytes_of_text(rng: random.Random, devices: list[str], t_ms: int) -> list[bytes]:
    raw = valid(rng, devices, t_ms)
    lone = b'{"device":"%s","beat":true,"boot":"%s"}'
    surrogate = rng.choice((b"\\ud800", b"\\udfff", b"\\ud800\\u0041", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80"))
    return [
        rng.choice(
            (b"\xef\xbb\xbf" + raw, raw.decode().encode("utf-16"), b"\x00" + raw, raw + b"\x00", lone % (devices[0].encode(), surrogate))
        )
    ]


def _wrong_shape(rng: random.Random, devices: list[str], t_ms: int) -> list[bytes]:
    device = devices[0]
    shapes: list[object] = [
        None,
        7,
        "text",
        [],
        {},
        [{"device": device, "beat": True}],
        {"device": device},
        {"device": None, "beat": True},
        {"device": device, "beat": True, "readings": {}},
        {"device": device, "readings": [[]]},
        {"device": device, "readings": [{"code": 8867, "value": 1, "unit": "/min"}]},
        {"device": device, "beat": "yes"},
        {"device": device, "beat": True, "x": 1},
        {"device": device, "beat": True, "patient": "p1"},
        {"device": device, "beat": True, "waveform": [1.0]},
        {"device": device, "beat": True, "v": 2},
        {"device": device, "beat": True, "t": "yesterday"},
        {"device": device, "beat": True, "t": 10**40},
        {"device": "\u202e" + device, "beat": True},
        {"device": device, "readings": [{"code": "8867-4"}] * rng.randrange(65, 900)},
        {"device": device, "readings": [{"code": "8867-4"}] * 2},
        {"device": device, "readings": [{"code": "8867-4", "value": 60, "unit": "/min", "quality": "test"}]},
        {"resourceType": "Observation", "status": "final"},
        {"device": "nobody-knows-me", "beat": True},
    ]
    return [_json(rng.choice(shapes))]


KINDS: dict[str, Maker] = {
    "random": _random_bytes,
    "mutated": _mutated,
    "joined": _joined_halves,
    "two": _two_in_one,
    "largest": _largest,
    "deep": _deep,
    "numbers": _numbers,
    "text": _bytes_of_text,
    "shape": _wrong_shape,
}
REFUSED_KINDS = frozenset(KINDS) - {"mutated"}
_WEIGHTS = {"largest": 1, "deep": 1, "mutated": 30, "shape": 15, "numbers": 10}


def poison(seed: int, devices: list[str], t_ms: int) -> Iterator[tuple[str, bytes]]:
    """Without end; the same for the same arguments. `devices`: bound ones, the first is used by name."""
    rng = random.Random(seed)
    kinds = list(KINDS)
    weights = [_WEIGHTS.get(kind, 8) for kind in kinds]
    while True:
        kind = rng.choices(kinds, weights)[0]
        for raw in KINDS[kind](rng, devices, t_ms):
            yield kind, raw
