"""Poison stops nothing: whatever a sender puts there, nothing raises, and each message is a row, a repeat, or a dead letter with all its bytes."""

from __future__ import annotations

import os
from itertools import islice, pairwise
from typing import Any, NamedTuple, get_args

import numpy as np
import pytest

from operators.decode.seam import Reason
from operators.ingest.core import IngestCore
from operators.ingest.letters import MAX_BYTES
from schemas.columns import MAX_ROWS_A_RECORD, Rows
from schemas.records import Append
from schemas.topics import BY_NAME, MAX_RECORD_BYTES
from tests.support.ingest import DAY, T0, Log, Recs, entries, new_core, out, reading
from tests.support.poison import KINDS, REFUSED_KINDS, poison

DEVICES = [f"d{i}" for i in range(20)]
GOOD = "witness"
MANY, POLL = (1_000_000 if os.environ.get("NADI_LONG") == "1" else 20_000), 1000


class Sent(NamedTuple):
    kind: str
    raw: bytes


def ward() -> tuple[IngestCore, Log]:
    log, core = Log(), new_core()
    core.load_tables([log.device(name, [(f"p{name}", T0 - DAY, None)]) for name in [*DEVICES, GOOD]])
    core.start()
    return core, log


def size_of(append: Append) -> int:
    return len(append.value or b"") + len(append.key or b"") + sum(len(name) + len(value) for name, value in append.headers)


@pytest.mark.timeout(3600 if MANY > 20_000 else 120)
def test_hostile_messages_each_end_where_they_belong() -> None:
    core, log = ward()
    source = poison(20_000, DEVICES, T0)
    kinds: set[str] = set()
    reasons: set[str] = set()
    silent = 0
    for start in range(0, MANY, POLL):
        sent = [Sent(*one) for one in islice(source, POLL)]
        witness = log.said(reading(GOOD, T0 + start), T0 + start, partition=1)
        found = ended(core.apply(Recs([*(log.said(one.raw, T0 + start) for one in sent), witness]), None))
        assert found.witnesses == 1, "the well-behaved device beside them was not heard"
        for place, one in enumerate(sent, start):
            letter, is_row = found.letters.get(place), place in found.rows
            assert letter is None or letter[1] == one.raw
            assert one.kind not in REFUSED_KINDS or (letter is not None and not is_row), one
            silent += letter is None and not is_row
        kinds |= {one.kind for one in sent}
        reasons |= {reason for reason, _ in found.letters.values()}
    assert silent <= core.counters["repeats"]
    assert kinds == set(KINDS)
    assert reasons >= set(get_args(Reason)) | {"unbound", "fhir_not_yet"}


class Ended(NamedTuple):
    letters: dict[int, tuple[str, bytes]]
    """Offset -> reason, bytes."""
    rows: set[int]
    witnesses: int


def ended(appends: list[Append]) -> Ended:
    """Where the messages of partition 0 ended, and how many rows the well-behaved device in partition 1 has. Sizes are checked on the way."""
    got, witnesses = Ended({}, set(), 0), 0
    for append in appends:
        assert size_of(append) < BY_NAME[append.topic].max_bytes
        if append.topic == "dead-letter":
            headers = dict(append.headers)
            topic, partition, offset = headers["position"].decode().split("/")
            assert (topic, partition) == ("device-readings", "0")
            assert int(offset) not in got.letters
            got.letters[int(offset)] = headers["reason"].decode(), append.value or b""
    for _, entry in entries(appends):
        assert isinstance(entry, np.ndarray)
        got.rows.update(entry["offset"][entry["partition"] == 0].tolist())
        witnesses += int((entry["partition"] == 1).sum())
    return got._replace(witnesses=witnesses)


def test_hostile_bytes_on_the_control_topics_stop_nothing_either() -> None:
    core, log = ward()
    letters = 0
    for start in range(0, 2000, 200):
        raws = [raw for _, raw in islice(poison(start, DEVICES, T0), 200)]
        topics = ("rules", "patients", "devices", "alert-commands")
        records = [log.put(topics[i % 4], raw, T0, "d1" if i % 3 else None) for i, raw in enumerate(raws)]
        letters += len(out(core.apply(Recs(records), T0 + start)).letters)
    assert letters == 2000
    assert len(out(core.apply(Recs([log.said(reading("d1", T0), T0)]), None)).rows) == 1


def test_a_dead_letter_says_where_and_when_and_how_to_put_it_back() -> None:
    core, log = ward()
    record = log.put("device-readings", b"\xff{", T0 + 3, "some-key", partition=2)
    (append,) = core.apply(Recs([record]), None)
    assert (append.topic, append.partition, append.key, append.value) == ("dead-letter", 0, b"some-key", b"\xff{")
    headers = dict(append.headers)
    assert headers["reason"] == b"not_json"
    assert headers["position"] == b"device-readings/2/0"
    assert headers["arrival-ms"] == str(T0 + 3).encode()
    assert headers["detail"]
    assert {name: core.counters[name] for name in ("dead", "dead_not_json")} == {"dead": 1, "dead_not_json": 1}


def test_what_a_sender_wrote_is_in_the_value_and_in_no_header() -> None:
    core, log = ward()
    secret = "900101-14-5678"
    bodies: list[dict[str, Any]] = [
        {"device": "d1", secret: 1},
        {"device": secret + "!", "beat": True},
        {"device": "d1", "readings": [{"code": secret, "value": 1, "unit": secret}]},
        {"device": "d1", "readings": [{"code": "8867-4", "quality": secret}]},
        {"device": "d1", "beat": True, "t": secret},
        {"device": "d1", "beat": True, "patient": secret},
        {"device": secret, "beat": True},
    ]
    appends = core.apply(Recs(log.said(body, T0) for body in bodies), None)
    assert len(appends) == len(bodies)
    assert not any(secret.encode() in value for append in appends for _, value in append.headers)


@pytest.mark.parametrize(("value", "key"), [(3_000_000, 0), (1_000, 3_000_000), (3_000_000, 3_000_000), (MAX_BYTES, 0)])
def test_no_dead_letter_is_above_its_topic_s_size(value: int, key: int) -> None:
    core, log = ward()
    record = log.put("device-readings", b"x" * value, T0, "k" * key)
    (append,) = core.apply(Recs([record]), None)
    assert size_of(append) <= BY_NAME["dead-letter"].max_bytes
    assert (b"cut" in dict(append.headers)["detail"]) == (value + key > MAX_BYTES)


def test_a_tombstone_of_a_reading_is_a_dead_letter_without_bytes() -> None:
    core, log = ward()
    (append,) = core.apply(Recs([log.said(None, T0)]), None)
    assert append.value == b""


def test_fhir_waits_for_its_decoder() -> None:
    core, log = ward()
    bodies = [b'{"resourceType":"Observation"}', b'{"resourceType":"Bundle","entry":[' + b" " * 70_000 + b"]}", b'{"resourceType":']
    assert [why for why, _ in out(core.apply(Recs(log.said(body, T0) for body in bodies), None)).letters] == ["fhir_not_yet"] * 3


def many_rows(messages: int, each: int) -> list[Rows]:
    """The R records of one poll for one patient: `messages` of `each` readings."""
    core, log = ward()
    codes = [
        ("8867-4", "/min"),
        ("9279-1", "/min"),
        ("59408-5", "%"),
        ("8480-6", "mm[Hg]"),
        ("8462-4", "mm[Hg]"),
        ("8310-5", "Cel"),
        ("3150-6", "%"),
    ][:each]
    readings = [{"code": code, "value": 37, "unit": unit} for code, unit in codes]
    bodies = [{"device": "d1", "t": T0 + i, "readings": readings} for i in range(messages)]
    appends = core.apply(Recs(log.said(body, T0 + messages) for body in bodies), None)
    assert all(size_of(append) <= MAX_RECORD_BYTES for append in appends)
    return [entry for _, entry in entries(appends) if isinstance(entry, np.ndarray)]


@pytest.mark.parametrize("each", [1, 7])
def test_no_timeline_record_is_too_large_and_no_message_is_split(each: int) -> None:
    found = many_rows(24_001 // each, each)
    assert sum(map(len, found)) == 24_001 // each * each
    assert len(found) == 4
    assert max(map(len, found)) <= MAX_ROWS_A_RECORD
    ends = [(int(a["offset"][-1]), int(b["offset"][0])) for a, b in pairwise(found)]
    assert all(end < start for end, start in ends)


def test_a_poll_is_as_few_records_as_there_are_shards() -> None:
    core, log = ward()
    appends = core.apply(Recs(log.said(reading(name, T0), T0) for name in DEVICES * 5), None)
    assert len(appends) == len({append.partition for append in appends})
