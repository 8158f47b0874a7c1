"""A poll in columns says the same as each message alone, whatever the messages; and no bytes make either raise."""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.decode.native import decode
from operators.decode.poll import Native, decode_poll
from operators.decode.seam import Decoded, Poll, Refusal, is_fhir
from operators.decode.units import KINDS, measure, measure_all
from tests.support.ingest import T0
from tests.support.poison import poison, valid
from tests.test_decode_native import KEPT, NO_VALUE_ROWS, REFUSED

Plain = tuple[object, ...]
ALL = [raw for _, raw in REFUSED] + [raw for _, _, raw in NO_VALUE_ROWS] + [raw for _, _, raw in KEPT]


def number(value: float) -> object:
    return None if math.isnan(value) else value


def one_by_one(values: list[bytes | None], received: list[int]) -> tuple[list[Plain], list[Plain]]:
    """(rows with all that belongs to them, refusals) by the scalar way."""
    rows: list[Plain] = []
    refused: list[Plain] = []
    for place, (raw, at) in enumerate(zip(values, received, strict=True)):
        got = decode(raw, at)
        if isinstance(got, Refusal):
            refused.append((place, got))
            continue
        if got.partial is not None:
            refused.append((place, got.partial))
        rows += ((place, got.device, got.t_ms, got.flags, r.nth, r.code, number(r.value), r.flags) for r in got.rows)
    return rows, refused


def by_column(poll: Poll) -> tuple[list[Plain], list[Plain]]:
    rows: list[Plain] = []
    for owner, nth, code, value, flags in zip(
        *(c.tolist() for c in (poll.owner, poll.nth, poll.code, poll.value, poll.flags)), strict=True
    ):
        message = (int(poll.place[owner]), poll.devices[owner], int(poll.t[owner]), int(poll.message_flags[owner]))
        rows.append((*message, nth, code, number(value), flags))
    return rows, list(poll.refused)


def assert_same(values: list[bytes | None]) -> None:
    received = [T0 + 1000 + i // 3 for i in range(len(values))]
    assert by_column(decode_poll(values, np.array(received, np.int64))) == one_by_one(values, received)


def test_the_whole_table_in_one_poll_and_alone() -> None:
    assert_same(list(ALL))
    for raw in ALL:
        assert_same([raw])
    assert_same([])


@pytest.mark.parametrize("seed", range(12))
def test_hostile_and_valid_messages_mixed(seed: int) -> None:
    import random

    rng = random.Random(seed)
    bad = (raw for _, raw in poison(seed, ["d1", "d2", "d3"], T0))
    share = (0.0, 0.01, 0.3, 1.0)[seed % 4]
    values: list[bytes | None] = [next(bad) if rng.random() < share else valid(rng, ["d1", "d2", "d3"], T0) for _ in range(400)]
    assert_same(values)


def test_chunks_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operators.decode.poll.CHUNK", 7)
    assert_same(list(ALL))
    assert_same([raw for _, _, raw in KEPT + NO_VALUE_ROWS])


@given(st.lists(st.binary(max_size=60) | st.none(), max_size=6))
def test_no_bytes_make_it_raise(values: list[bytes | None]) -> None:
    assert_same(values)


@given(st.integers(0, len(KINDS) - 1), st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 120).map(float))
def test_units_in_columns_and_alone(number_of: int, value: float) -> None:
    chosen = KINDS[number_of]
    for x in (value, chosen.code.low, chosen.code.high, chosen.code.suspect_low, (chosen.code.high - chosen.addend) / chosen.factor):
        column, flags = measure_all(np.array([number_of]), np.array([float(x)]))
        alone, alone_flags = measure(chosen.code.loinc, float(x), chosen.unit, None, suspect=False)
        assert (number(float(column[0])), int(flags[0])) == (number(alone), alone_flags)


def test_a_message_is_read_on_its_own() -> None:
    """Joined decoding would fuse these halves into one valid reading of another patient's device."""
    halves: list[bytes | None] = [
        b'{"device":"d1","t":%d,"readings":[{"code":"8867-4","value":70,"unit":"/min"}' % T0,
        b',{"code":"59408-5","value":97,"unit":"%"}]}',
    ]
    poll = decode_poll(halves, np.array([T0, T0]))
    assert poll.devices == []
    assert [why.reason for _, why in poll.refused] == ["not_json", "not_json"]


def test_names_found_well_formed_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operators.decode.poll.MAX_NAMES", 3)
    native = Native()
    for i in range(10):
        values = [b'{"device":"d%d","t":%d,"readings":[{"code":"8867-4","value":70,"unit":"/min"}]}' % (i, T0)]
        assert native.many(values, np.array([T0])).devices == [f"d{i}"]
        assert isinstance(native.one(values[0], T0), Decoded)


def test_fhir_is_told_by_content() -> None:
    assert is_fhir(b'{"resourceType":"Bundle"}')
    assert not is_fhir(b" " * 5000 + b'{"resourceType":"Bundle"}')


def test_poison_is_the_same_for_the_same_seed() -> None:
    first, again = (list(islice(poison(7, ["d1"], T0), 200)) for _ in range(2))
    assert first == again
