"""The native contract, one message at a time: the table of what is refused, what loses its value, what is kept (`ways-in.md` 8)."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from operators.decode.native import decode, time_ms
from operators.decode.seam import Decoded, Refusal
from schemas.codes import ABOVE, BEAT, BELOW, CONVERTED, NO_CLOCK, NO_VALUE, SUSPECT, absent_reason
from tests.support.ingest import T0

NOW = T0 + 1000


def m(**fields: Any) -> bytes:
    return msgspec.json.encode({"device": "d1", "t": T0} | fields)


def one(code: str = "8867-4", value: float | None = 80, unit: str | None = "/min", **more: Any) -> bytes:
    return m(readings=[{"code": code, "value": value, "unit": unit} | more])


def deep(depth: int) -> bytes:
    return b'{"device":"d1","beat":true,"alarms":[' + b"[" * depth + b"]" * depth + b"]}"


HR = {"code": "8867-4", "value": 70, "unit": "/min"}

REFUSED: list[tuple[str, bytes | None]] = [
    ("not_json", None),
    ("not_json", b""),
    ("not_json", b"\xef\xbb\xbf" + m(beat=True)),
    ("not_json", m(beat=True)[:-1]),
    ("not_json", one() + one()),
    ("not_json", one() + b"\n" + one()),
    ("not_json", b'{"device":"\xff","beat":true}'),
    ("not_json", b'{"device":"\\ud800","beat":true}'),
    ("not_json", b'{"device":"\xed\xa0\x80","beat":true}'),
    ("not_json", b'{"device":"d1","code":"8867-4","value":NaN,"unit":"/min"}'),
    ("not_json", b'{"device":"d1","code":"8867-4","value":Infinity,"unit":"/min"}'),
    ("not_json", b"\x00"),
    ("not_json", m(beat=True) + b"\x00"),
    ("not_json", deep(20_000)),
    ("bad_shape", b"[" * 5000),
    ("bad_shape", b"[]"),
    ("bad_shape", b"{}"),
    ("bad_shape", b"null"),
    ("bad_shape", b"7"),
    ("bad_shape", m(readings={"code": "8867-4"})),
    ("bad_shape", one(value="80")),  # type: ignore[arg-type]
    ("bad_shape", one(value=True)),
    ("bad_shape", one(quality="fine")),
    ("bad_shape", one(compare="=")),
    ("bad_shape", one(absnt="lead-off")),
    ("bad_shape", m(beat=True, Device="d2")),
    ("bad_shape", m(beat=1)),
    ("bad_shape", b'{"device":"d1","beat":true,"t":1e400}'),
    ("bad_shape", b'{"device":"d1","code":"8867-4","value":1e400,"unit":"/min"}'),
    ("bad_shape", m(beat=True, t=float(T0))),
    ("bad_shape", m(readings=[HR], t=float(T0))),
    ("bad_shape", m(readings=[HR], v=1.0)),
    ("bad_shape", m(readings=[HR], seq=1.0)),
    ("bad_shape", m(beat=True, value=3)),
    ("bad_shape", m(readings=[HR], unit="/min")),
    ("too_large", b" " * 65_537),
    ("too_large", m(readings=[HR], boot="x" * 70_000)),
    ("unknown_version", m(v=2, beat=True)),
    ("unknown_version", m(v=10**30, beat=True)),
    ("bad_device", m(device="a b", beat=True)),
    ("bad_device", m(device="a b", readings=[HR])),
    ("bad_time", m(t=T0 // 1000, readings=[HR])),
    ("bad_time", m(t=10**23, readings=[HR])),
    ("bad_time", m(t=4_102_444_800_000, readings=[HR])),
    ("bad_device", m(device="d\u202e1", beat=True)),
    ("bad_device", m(device="", beat=True)),
    ("bad_device", m(device="d1\n", beat=True)),
    ("bad_device", m(device="-d", beat=True)),
    ("bad_device", m(device="d" * 65, beat=True)),
    ("bad_device", m(device="\u0661", beat=True)),
    ("patient_not_allowed", m(beat=True, patient="p1")),
    ("waveform", m(waveform=[1, 2])),
    ("waveform", m(readings=[HR], waveform=[])),
    ("empty", m()),
    ("empty", m(readings=[], seq=4)),
    ("too_many", m(readings=[{"code": "8867-4"}] * 65)),
    ("too_many", m(readings=[{"code": "8867-4"}] * 64, code="9279-1")),
    ("too_many", m(beat=True, alarms=[{}] * 33)),
    ("bad_time", m(t=1, beat=True)),
    ("bad_time", m(t=-1, beat=True)),
    ("bad_time", m(t=T0 // 1000, beat=True)),
    ("bad_time", m(t=T0 * 1_000_000, beat=True)),
    ("bad_time", m(t=10**23, beat=True)),
    ("bad_time", m(t="2026-03-01 08:00:00", beat=True)),
    ("bad_time", m(t="2026-03-01T08:00:00", beat=True)),
    ("bad_time", m(t="2026-03-01", beat=True)),
    ("bad_time", m(t="2026-W09-1T08:00:00Z", beat=True)),
    ("bad_time", m(t="2026-02-30T08:00:00Z", beat=True)),
    ("bad_time", m(t="1999-12-31T23:59:59Z", beat=True)),
    ("bad_time", m(t="0001-01-01T00:00:00+14:00", beat=True)),
    ("bad_time", m(t="2026-03-01T08:00:00+99:00", beat=True)),
    ("bad_time", m(t="", beat=True)),
    ("code_twice", m(readings=[{"code": "59408-5"}, {"code": "2708-6"}])),
    ("code_twice", m(readings=[HR, HR])),
    ("code_twice", m(readings=[HR], code="8889-8", value=71, unit="/min")),
    ("test_data", one(quality="test")),
    ("test_data", one(quality="demo")),
    ("test_data", one(value=None, absent="lead-off", quality="demo")),
    ("test_data", m(readings=[HR, {"code": "1-8", "quality": "test"}])),
]

NO_VALUE_ROWS: list[tuple[str, int, bytes]] = [
    ("zero", 0, one(value=0)),
    ("zero", 0, b'{"device":"d1","t":%d,"code":"8867-4","value":-0.0,"unit":"/min"}' % T0),
    ("zero", 0, one("59408-5", 0, "%")),
    ("zero", 0, one("8480-6", 0, "mm[Hg]")),
    ("zero", CONVERTED, one("8480-6", 0, "kPa")),
    ("impossible", 0, one("8480-6", 11647, "mm[Hg]")),
    ("impossible", 0, one("59408-5", 101, "%")),
    ("impossible", 0, one(value=-5)),
    ("impossible", 0, one(value=1e308)),
    ("impossible", CONVERTED, one("8310-5", 0, "[degF]")),
    ("impossible", 0, one("67775-7", 1.5, "{acvpu}")),
    ("impossible", 0, one("67775-7", 5, "{acvpu}")),
    ("not-a-number", CONVERTED, one("8480-6", 1e308, "kPa")),
    ("unit-suspect", 0, one("8310-5", 98.6, "Cel")),
    ("unit-suspect", 0, one("8310-5", 70, "Cel")),
    ("unit-suspect", 0, one("2339-0", 110, "mmol/L")),
    ("unit-suspect", 0, one("99504-3", 40.1, "mmol/L")),
    ("unit-suspect", CONVERTED, one("2339-0", 6, "mg/dL")),
    ("unit-suspect", 0, one("3150-6", 0.4, "%")),
    ("unit-suspect", 0, one("2339-0", 110, "mmol/L", compare=">")),
    ("unit-unknown", 0, one("3150-6", 0.4, None)),
    ("unit-unknown", 0, one(unit=None)),
    ("unit-unknown", 0, one(unit="bpm")),
    ("unit-unknown", 0, one(unit="")),
    ("unit-unknown", 0, one("2339-0", 6, "Cel")),
    ("lead-off", 0, one(absent="lead-off")),
    ("lead-off", 0, one(value=None, absent="lead-off")),
    ("motion", 0, m(readings=[{"code": "8867-4", "absent": "motion"}])),
    ("unknown", 0, one(value=None)),
    ("unknown", 0, m(code="8867-4")),
    ("unknown", 0, one(value=None, absent="aliens")),
    ("impossible", 0, one(value=-1, compare="<")),
    ("impossible", 0, one(value=500, compare="<")),
    ("impossible", 0, one("59408-5", 1e300, "%", compare=">")),
    ("impossible", 0, one("67775-7", 2, "{acvpu}", compare=">")),
]

KEPT: list[tuple[float, int, bytes]] = [
    (80, 0, one()),
    (80, 0, m(code="8867-4", value=80, unit="/min")),
    (80, 0, one(index=12.5)),
    (80, CONVERTED, one(unit="{beats}/min")),
    (37.5, CONVERTED, one("8310-5", 99.5, "[degF]")),
    (36.85, CONVERTED, one("8310-5", 310.0, "K")),
    (93.007688, CONVERTED, one("8478-0", 12.4, "kPa")),
    (5.5, CONVERTED, one("2339-0", 99.088, "mg/dL")),
    (40, CONVERTED, one("3150-6", 0.4, "{fraction}")),
    (39 / 18.016, CONVERTED | BELOW, one("99504-3", 39, "mg/dL", compare="<")),
    (20 / 18.016, CONVERTED | BELOW, one("2339-0", 20, "mg/dL", compare="<")),
    (500 / 18.016, CONVERTED | ABOVE, one("99504-3", 500, "mg/dL", compare=">")),
    (33, ABOVE | SUSPECT, one("2339-0", 33, "mmol/L", compare=">", quality="suspect")),
    (310, SUSPECT, one(value=310)),
    (40, SUSPECT, one("59408-5", 40, "%")),
    (80, SUSPECT, one(quality="suspect")),
    (0, 0, one("3151-8", 0, "L/min")),
    (4, 0, one("67775-7", 4, "{acvpu}")),
    (0, 0, one("107117-4", 0, "{oxygen}")),
    (97, 0, one("2708-6", 97, "%")),
    (80, NO_CLOCK, msgspec.json.encode({"device": "d1", "readings": [HR | {"value": 80}]})),
    (80, 0, one() + b" \n"),
]


@pytest.mark.parametrize(("reason", "raw"), REFUSED)
def test_what_is_refused(reason: str, raw: bytes | None) -> None:
    got = decode(raw, NOW)
    assert isinstance(got, Refusal)
    assert got.reason == reason
    assert got.detail.isascii()
    assert len(got.detail) <= 120


@pytest.mark.parametrize(("reason", "flags", "raw"), NO_VALUE_ROWS)
def test_what_loses_its_value_is_still_a_row(reason: str, flags: int, raw: bytes) -> None:
    got = decode(raw, NOW)
    assert isinstance(got, Decoded)
    (row,) = got.rows
    assert math.isnan(row.value)
    assert absent_reason(row.flags) == reason
    assert row.flags & 0xFF == NO_VALUE | flags


@pytest.mark.parametrize(("value", "flags", "raw"), KEPT)
def test_what_is_kept(value: float, flags: int, raw: bytes) -> None:
    got = decode(raw, NOW)
    assert isinstance(got, Decoded)
    (row,) = got.rows
    assert row.value == pytest.approx(value, rel=1e-9)
    assert row.flags | got.flags == flags
    assert got.partial is None


@pytest.mark.parametrize(
    ("t", "ms"),
    [
        ("2026-03-01T08:00:00+08:00", T0),
        ("2026-03-01t00:00:00z", T0),
        ("2026-03-01T00:00:00.1Z", T0 + 100),
        ("2026-02-28T23:59:59.9999-00:00", T0 - 1),
        ("2026-03-01T00:00:00.123456789Z", T0 + 123),
        (T0, T0),
        (946_684_799_999, None),
        (946_684_800_000, 946_684_800_000),
        (4_102_444_800_000, None),
    ],
)
def test_times(t: int | str, ms: int | None) -> None:
    assert time_ms(t) == ms


def test_an_unknown_code_is_refused_alone_and_places_stay() -> None:
    got = decode(m(readings=[{"code": "99999-9", "value": 1, "unit": "%"}, HR]), NOW)
    assert isinstance(got, Decoded)
    assert got.partial is not None
    assert got.partial.reason == "unknown_code"
    assert [(row.nth, row.code, row.value) for row in got.rows] == [(1, 8867, 70)]


def test_nothing_but_unknown_codes_leaves_no_row() -> None:
    got = decode(m(readings=[{"code": "99999-9", "value": 1, "unit": "%"}]), NOW)
    assert isinstance(got, Decoded)
    assert got.rows == ()


def test_device_alarms_are_refused_while_readings_go_on() -> None:
    got = decode(m(readings=[HR], alarms=[{"id": "a", "phase": "start"}]), NOW)
    assert isinstance(got, Decoded)
    assert got.partial is not None
    assert got.partial.reason == "alarms_not_supported"
    assert len(got.rows) == 1


def test_the_short_form_comes_first() -> None:
    got = decode(m(readings=[HR], code="9279-1", value=16, unit="/min"), NOW)
    assert isinstance(got, Decoded)
    assert [(row.nth, row.code) for row in got.rows] == [(0, 9279), (1, 8867)]


@pytest.mark.parametrize("sign", [{"beat": True}, {"battery_percent": 80}, {"buffered": 4}])
def test_a_sign_of_life_is_a_beat(sign: dict[str, object]) -> None:
    got = decode(m(**sign), NOW)
    assert isinstance(got, Decoded)
    (row,) = got.rows
    assert (row.code, row.flags) == (0, BEAT | NO_VALUE)
    assert math.isnan(row.value)
    with_reading = decode(m(readings=[HR], **sign), NOW)
    assert isinstance(with_reading, Decoded)
    assert [row.code for row in with_reading.rows] == [8867]


def test_without_a_clock_t_is_when_it_was_received() -> None:
    got = decode(b'{"device":"d1","beat":true}', NOW)
    assert isinstance(got, Decoded)
    assert (got.t_ms, got.flags) == (NOW, NO_CLOCK)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"device":"d1","t":%d,"code":"8867-4","value":98,"value":40,"unit":"/min"}' % T0,
        b'{"device":"d1","t":%d,"code":"8867-4","value":98,"\\u0076alue":40,"unit":"/min"}' % T0,
        b'{"device":"d2","device":"d1","t":%d,"readings":[{"code":"8867-4","value":98,"value":40,"unit":"/min"}]}' % T0,
    ],
)
def test_a_key_given_twice_counts_as_its_last(raw: bytes) -> None:
    """`semantics.md` 6 over `ways-in.md` 8."""
    got = decode(raw, NOW)
    assert isinstance(got, Decoded)
    assert (got.device, got.rows[0].value) == ("d1", 40)
