"""Items: the truth of a message is what the decoder makes of it; a stream has its places, its clock marks and its end."""

from __future__ import annotations

import math
from collections import defaultdict

import pytest

from flows.sim import sim_items
from operators.decode.native import decode
from operators.decode.seam import Refusal
from operators.sim.devices import monitor_message
from operators.sim.items import INPUT_PARTITIONS, MINUTE_MS, READINGS, Draft, Item, Said, beat, fact, message, partition_of, place
from operators.sim.order import START_MS, in_order
from schemas.codes import ABOVE, ABSENT, ABSENT_SHIFT, BEAT, BELOW, BY_LOINC, CONVERTED, NO_CLOCK, NO_VALUE, SUSPECT
from schemas.facts import DeviceFact, PatientFact
from schemas.topics import INPUTS

NOW = START_MS + 5_000


def why(reason: str) -> int:
    return NO_VALUE | ABSENT.index(reason) << ABSENT_SHIFT


def check(item: Item) -> None:
    """The decoder must read the body exactly as the truth says."""
    assert item.body is not None
    found = decode(item.body, item.arrival_ms)
    if isinstance(found, Refusal):
        assert (found.reason, ()) == (item.expect, item.truth), item.body[:200]
        return
    assert (found.partial.reason if found.partial else "ok") == item.expect
    assert len(found.rows) == len(item.truth)
    for row, truth in zip(found.rows, item.truth, strict=True):
        assert row.code == (BY_LOINC[truth.loinc].number if truth.loinc else 0)
        assert (None if math.isnan(row.value) else row.value) == truth.value
        assert row.flags | found.flags == truth.flags_expected, (truth, row)
        assert found.t_ms == (item.arrival_ms if truth.t_ms is None else truth.t_ms)
        assert found.device == truth.device


def as_item(draft: Draft) -> Item:
    return next(item for item in place([draft]) if not item.mark)


@pytest.mark.parametrize(
    ("said", "value", "flags"),
    [
        (Said("8867-4", 72.0, "/min"), 72.0, 0),
        (Said("8889-8", 72.0, "/min"), 72.0, 0),
        (Said("8867-4", 0.0, "/min"), None, why("zero")),
        (Said("59408-5", 0.0, "%"), None, why("zero")),
        (Said("8867-4", 72.0, "bpm"), None, why("unit-unknown")),
        (Said("8867-4", 72.0), None, why("unit-unknown")),
        (Said("8867-4", 310.0, "/min"), 310.0, SUSPECT),
        (Said("8867-4", -5.0, "/min"), None, why("impossible")),
        (Said("8480-6", 11647.0, "mm[Hg]"), None, why("impossible")),
        (Said("8480-6", 12.4, "kPa"), 12.4 * 7.50062, CONVERTED),
        (Said("8310-5", 98.6, "Cel"), None, why("unit-suspect")),
        (Said("8310-5", 0.0, "[degF]"), None, CONVERTED | why("impossible")),
        (Said("3150-6", 0.4, "%"), None, why("unit-suspect")),
        (Said("3150-6", 0.4, "{fraction}"), 40.0, CONVERTED),
        (Said("3150-6", 50.0, "torr"), None, why("unit-unknown")),
        (Said("99504-3", 6.0, "mg/dL"), None, CONVERTED | why("unit-suspect")),
        (Said("99504-3", 450.0, "mg/dL"), 450 * (1 / 18.016), CONVERTED),
        (Said("99504-3", 2.2, "mmol/L", compare="<"), 2.2, BELOW),
        (Said("99504-3", 22.2, "mmol/L", compare=">"), 22.2, ABOVE),
        (Said("59408-5", absent="lead-off"), None, why("lead-off")),
        (Said("59408-5", 90.0, "%", absent="motion"), None, why("motion")),
        (Said("59408-5", absent="aliens"), None, why("unknown")),
        (Said("59408-5", 95.0, "%", quality="suspect"), 95.0, SUSPECT),
        (Said("67775-7", 2.0, "{acvpu}"), 2.0, 0),
        (Said("67775-7", 1.5, "{acvpu}"), None, why("impossible")),
    ],
)
def test_the_truth_of_a_reading_is_told_and_the_decoder_agrees(said: Said, value: float | None, flags: int) -> None:
    item = as_item(message(NOW, "d-1", NOW - 100, [said]))
    assert [(truth.value, truth.flags_expected) for truth in item.truth] == [(value, flags)]
    check(item)


def test_what_refuses_a_message_or_one_reading() -> None:
    good = Said("8867-4", 72.0, "/min")
    for said, expect, rows in (
        ([good, Said("99999-9", 1.0, "1")], "unknown_code", 1),
        ([good, Said("59408-5", 97.0, "%", quality="test")], "test_data", 0),
        ([Said("59408-5", 97.0, "%"), Said("2708-6", 96.0, "%")], "code_twice", 0),
    ):
        item = as_item(message(NOW, "d-1", NOW, said))
        assert (item.expect, len(item.truth)) == (expect, rows)
        check(item)


def test_a_beat_and_a_device_without_a_clock() -> None:
    with_clock, without = as_item(beat(NOW, "d-1", NOW - 7)), as_item(beat(NOW, "d-1", None))
    assert with_clock.truth[0].flags_expected == BEAT | NO_VALUE
    assert without.truth[0].flags_expected == BEAT | NO_VALUE | NO_CLOCK
    check(with_clock)
    check(without)


def test_the_quick_encoding_of_monitors_says_the_same_as_the_general_one() -> None:
    for heart, breath, oxygen in ((80.0, 16.0, 97.0), (15.0, 3.0, 45.0), (301.0, 81.0, 100.0)):
        for leads, probe in ((False, False), (True, False), (False, True), (True, True)):
            draft = monitor_message(NOW, "monitor-4b-01", NOW - 40, 7, [heart, breath, oxygen], leads, probe)
            said = [
                Said("8867-4", absent="lead-off") if leads else Said("8867-4", heart, "/min"),
                Said("9279-1", absent="lead-off") if leads else Said("9279-1", breath, "/min"),
                Said("59408-5", absent="no-signal") if probe else Said("59408-5", oxygen, "%"),
            ]
            assert draft.truth == message(NOW, "monitor-4b-01", NOW - 40, said, seq=7).truth
            check(as_item(draft))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_message_of_a_dirty_ward_is_what_its_truth_says(seed: int) -> None:
    refusals = set()
    for item in sim_items(20, "mixed", seed, 20, dirt=True):
        if item.topic == READINGS and not item.mark:
            check(item)
            refusals.add(item.expect)
    assert {"ok", "not_json", "bad_shape", "unknown_code", "test_data"} <= refusals


def merge_key(item: Item) -> tuple[int, int, int, int]:
    return item.arrival_ms, INPUTS.index(item.topic), item.partition, item.offset


@pytest.mark.parametrize("dirt", [False, True])
def test_a_stream_is_in_the_order_of_the_merge_and_each_partition_counts_from_0(dirt: bool) -> None:
    items = list(sim_items(12, "mixed", 4, 10, dirt))
    keys = [merge_key(item) for item in items]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)
    by_partition = defaultdict(list)
    for item in items:
        by_partition[item.topic, item.partition].append(item)
    assert set(by_partition) == set(INPUT_PARTITIONS)
    for partition in by_partition.values():
        assert [item.offset for item in partition] == list(range(len(partition)))
        arrivals = [item.arrival_ms for item in partition]
        assert arrivals == sorted(arrivals)
        assert [item.mark for item in partition].index("end") == len(partition) - 1
        clocks = [item.arrival_ms for item in partition if item.mark == "clock"]
        assert clocks == [START_MS - MINUTE_MS + n * MINUTE_MS for n in range(11)]


def test_marks_have_no_body_and_stand_after_the_records_of_their_ms() -> None:
    on_the_minute = [message(START_MS + MINUTE_MS, f"d-{n}", NOW, [Said("8867-4", 70.0 + n, "/min")]) for n in range(9)]
    items = list(place(on_the_minute))
    for item in items:
        assert (item.body is None) == bool(item.mark)
        if not item.mark:
            later = [i for i in items if (i.topic, i.partition) == (item.topic, item.partition) and i.offset > item.offset]
            assert any(i.mark == "clock" and i.arrival_ms == item.arrival_ms for i in later)


def test_an_empty_hour_has_no_marks_and_a_run_may_end_before_its_drafts() -> None:
    early, late = (message(START_MS + ms, "d-1", NOW, [Said("8867-4", 70.0, "/min")]) for ms in (1, 3_600_001))
    assert sorted({item.arrival_ms for item in place([early, late]) if item.mark == "clock"}) == [
        START_MS,
        START_MS + MINUTE_MS,
        START_MS + 3_600_000 + MINUTE_MS,
    ]
    cut = list(place([early, late], START_MS + 1_800_000))
    assert sum(not item.mark for item in cut) == 1
    assert {item.arrival_ms for item in cut if item.mark == "end"} == {START_MS + 1_800_000}


def test_sparse_records_may_share_their_marks() -> None:
    drafts = [message(START_MS + 90_000 * n + 1, f"d-{n % 5}", NOW, [Said("8867-4", 70.0, "/min")]) for n in range(50)]
    items = list(place(drafts, marks_after=20))
    assert [merge_key(item) for item in items] == sorted(merge_key(item) for item in items)
    assert sum(item.mark == "clock" for item in items) == 4 * len(INPUT_PARTITIONS)
    assert [item.body for item in items if not item.mark] == [item.body for item in place(drafts) if not item.mark]


def test_drafts_out_of_order_are_a_fault_of_the_generator() -> None:
    drafts = [message(START_MS + ms, "d-1", NOW, [Said("8867-4", 70.0, "/min")]) for ms in (1, 200_000, 2)]
    with pytest.raises(ValueError, match="out of order"):
        list(place(drafts))


def test_in_order_sorts_within_its_horizons_and_keeps_ties() -> None:
    drafts = [message(at, f"d-{n}", NOW, []) for n, at in enumerate((5, 3, 9, 3, 7, 12, 11))]
    found = list(in_order([(4, drafts[:3]), (8, drafts[3:5]), (20, drafts[5:])]))
    assert [draft.arrival_ms for draft in found] == [3, 3, 5, 7, 9, 11, 12]
    assert [draft.key for draft in found[:2]] == ["d-1", "d-3"]


def test_facts_go_to_the_topic_of_their_type() -> None:
    patient = fact(NOW, PatientFact("p-1", "r1", "a1"))
    device = fact(NOW, DeviceFact("d-1", "r1", "monitor", 5000))
    assert [(d.topic, d.key) for d in (patient, device)] == [("patients", "p-1"), ("devices", "d-1")]
    assert partition_of("patients", "p-1") == 0
    assert {partition_of(READINGS, f"d-{n}") for n in range(50)} == {0, 1, 2, 3}
