"""Recorded sets as items: what each row becomes, what is counted and not sent, whose time is whose."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from flows.replay import LEAD_MS, drafts_of, items_of, shift
from flows.replay_sets import ReplayError, kind_of, load, safe_name
from operators.decode.native import decode
from operators.decode.seam import Refusal
from operators.sim.items import COMMANDS, READINGS, Item, Truth
from operators.sim.order import START_MS
from schemas.codes import ABOVE, BELOW, CONVERTED, absent_reason
from schemas.facts import Command, DeviceFact, PatientFact
from tests.oracle_ingest import judge
from tests.support import sets
from tests.support.recorded import recorded

MINUTE_MS = 60_000
FIRST_MS = START_MS + LEAD_MS


@pytest.fixture
def mimic(tmp_path: Path) -> list[Item]:
    return [item for item in items_of(sets.mimic(tmp_path)) if not item.mark]


def truths(items: list[Item], patient: str) -> list[tuple[int, Truth]]:
    return [(item.arrival_ms, truth) for item in items if item.key.startswith(f"{patient}.") for truth in item.truth]


def test_rows_arrive_at_their_storetime_and_keep_their_charttime(mimic: list[Item]) -> None:
    found = truths(mimic, "mimic3-11")
    assert found[0][0] == FIRST_MS  # stored at minute 5: the common start
    assert found[0][1].t_ms == FIRST_MS - 5 * MINUTE_MS
    late = next((at, t) for at, t in found if t.loinc == "59408-5" and t.value == 85)
    assert late[0] - FIRST_MS == 295 * MINUTE_MS
    assert late[0] - (late[1].t_ms or 0) == 240 * MINUTE_MS
    early = next((at, t) for at, t in found if t.value == 140)
    assert early[0] < (early[1].t_ms or 0)


def test_each_person_begins_at_the_common_start(mimic: list[Item]) -> None:
    assert truths(mimic, "mimic3-12")[0][0] == truths(mimic, "mimic3-11")[0][0] == FIRST_MS
    assert truths(mimic, "mimic3-12")[1][0] == FIRST_MS + 60 * MINUTE_MS


def test_a_row_without_storetime_arrives_at_its_charttime(mimic: list[Item]) -> None:
    lab = next((at, t) for at, t in truths(mimic, "mimic3-11") if t.device.endswith(".lab"))
    assert lab[0] == lab[1].t_ms
    assert lab[1].value == 50 * (1 / 18.016)


def test_units_are_sent_as_the_set_means_them_and_the_dirt_stays(mimic: list[Item]) -> None:
    by = {(t.device.rsplit(".", 1)[-1], t.loinc, t.value): t.flags_expected for _, t in truths(mimic, "mimic3-11")}
    assert by["chart", "8867-4", 88.0] == 0
    assert by["chart", "9279-1", 18.0] == 0
    assert by["chart", "8310-5", 99.5 * (5 / 9) + -160 / 9] == CONVERTED
    assert by["chart", "8310-5", 37.0] == 0
    reasons = {(t.device.rsplit(".", 1)[-1], absent_reason(t.flags_expected)) for _, t in truths(mimic, "mimic3-11") if t.value is None}
    assert reasons == {("line", "zero"), ("meter", "unit-unknown"), ("chart", "unit-unknown"), ("cuff", "impossible")}


def test_a_code_twice_in_one_instant_is_two_messages(mimic: list[Item]) -> None:
    temperatures = [i for i in mimic if any(t.loinc == "8310-5" for t in i.truth)]
    assert len(temperatures) == 2
    assert temperatures[0].arrival_ms == temperatures[1].arrival_ms
    first = next(i for i in mimic if i.key == "mimic3-11.chart" and i.topic == READINGS)
    assert len(first.truth) == 4


def test_words_become_observations_and_unsure_ones_are_counted(mimic: list[Item], tmp_path: Path) -> None:
    commands = [item.fact for item in mimic if isinstance(item.fact, Command)]
    assert [[(o.code, o.coded) for o in c.readings] for c in commands] == [
        [("107117-4", "oxygen"), ("67775-7", "A")],
        [("67775-7", "V")],
        [("67775-7", "U")],
    ]
    assert commands[0].at_ms == FIRST_MS - 4 * MINUTE_MS
    assert len({c.id for c in commands}) == 3
    assert load(tmp_path).left_out == {
        "marked as error": 1,
        "no value": 0,
        "unmapped code gcs_total": 1,
        "unknown word for consciousness: Lethargic": 1,
        "unknown word for oxygen device: (none)": 1,
        "unknown word for oxygen device: Endotracheal tube": 1,
    }


def test_people_have_an_age_and_leave_after_their_last_record(mimic: list[Item]) -> None:
    facts = [(item.arrival_ms, item.fact) for item in mimic if isinstance(item.fact, PatientFact)]
    admitted = {f.patient: f for _, f in facts if f.state == "admitted"}
    assert (admitted["mimic3-11"].age_years, admitted["mimic3-11"].sex) == (64, "F")
    assert (admitted["mimic3-12"].age_years, admitted["mimic3-12"].sex) == (90, "M")
    for at, fact in facts:
        if fact.state == "discharged":
            last = max(i.arrival_ms for i in mimic if i.key.startswith(fact.patient) and i.topic in {READINGS, COMMANDS})
            assert at == last + 1
        else:
            assert at == START_MS


def test_leases_cover_every_row(mimic: list[Item]) -> None:
    devices = {item.key: item.fact for item in mimic if isinstance(item.fact, DeviceFact)}
    assert {f.device_class for f in devices.values()} == {"charted"}
    for item in mimic:
        for truth in item.truth:
            lease = devices[truth.device].leases[0]
            assert lease.from_ms <= (truth.t_ms or 0)
            assert truth.device.startswith(f"{lease.patient}.")
    verdict = judge(mimic)
    assert verdict.dead_letters == 0


def test_cinc2012_has_minute_stamps_and_leaves_out_unknown_weights(tmp_path: Path) -> None:
    items = list(items_of(sets.cinc(tmp_path)))
    found = truths(items, "cinc2012-201")
    assert [(at - FIRST_MS) // MINUTE_MS for at, t in found if t.loinc == "8867-4"] == [0, 30, 60]
    assert all(at == t.t_ms for at, t in found)
    reasons = {t.loinc: absent_reason(t.flags_expected) for _, t in found if t.value is None}
    assert reasons == {"8310-5": "impossible", "8480-6": "zero"}
    assert [t.value for _, t in found if t.loinc == "3150-6"] == [50.0]
    assert load(tmp_path).left_out == {"weight -1 (unknown)": 1, "unmapped code pH": 1}
    people = {i.fact.patient: i.fact for i in items if isinstance(i.fact, PatientFact)}
    assert (people["cinc2012-201"].age_years, people["cinc2012-201"].sex) == (54, "F")
    assert (people["cinc2012-202"].age_years, people["cinc2012-202"].sex) == (None, None)


def test_cgm_says_low_and_high_at_the_ends_of_the_sensor(tmp_path: Path) -> None:
    items = list(items_of(sets.cgm(tmp_path)))
    numbers = [(round((t.value or 0) * 18.016), t.flags_expected) for _, t in truths(items, "cgm-AZT1D-Subject-1")]
    assert numbers == [
        (151, CONVERTED),
        (60, CONVERTED),
        (45, CONVERTED),
        (40, CONVERTED | BELOW),
        (400, CONVERTED | ABOVE),
        (120, CONVERTED),
    ]
    words = [(round((t.value or 0) * 18.016), t.flags_expected) for _, t in truths(items, "cgm-Words-B")]
    assert words == [(100, CONVERTED), (40, CONVERTED | BELOW), (400, CONVERTED | ABOVE)]
    assert load(tmp_path).left_out == {"no value": 1}
    assert {i.fact.device_class for i in items if isinstance(i.fact, DeviceFact)} == {"cgm"}
    assert kind_of(tmp_path / "AZT1D.parquet") == "cgm"
    assert len(load(tmp_path / "AZT1D.parquet").people) == 1


def test_people_are_the_first_in_the_order_of_their_ids(tmp_path: Path) -> None:
    assert set(load(sets.mimic(tmp_path / "m"), 1).people) == {"11"}
    assert set(load(sets.cinc(tmp_path / "c"), 1).people) == {"201"}
    assert set(load(sets.cgm(tmp_path / "g"), 1).people) == {"AZT1D-Subject 1"}


def test_a_folder_of_another_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="not laid out as mimic3_demo, cinc2012 or cgm"):
        load(tmp_path)
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(ReplayError, match="not laid out"):
        load(tmp_path)


def test_times_squeezed_for_a_live_log(tmp_path: Path) -> None:
    recording = load(sets.mimic(tmp_path))
    drafts = list(drafts_of(shift(recording, START_MS, 60.0), START_MS, 60.0))
    rows = [d for d in drafts if d.key == "mimic3-12.chart" and d.topic == READINGS]
    assert [d.arrival_ms - START_MS for d in rows] == [1_000, 61_000]
    assert {d.fact.interval_ms for d in drafts if isinstance(d.fact, DeviceFact)} == {60_000}


def test_names_of_a_set_become_names_of_the_log() -> None:
    assert safe_name("Subject 1 (β)") == "Subject-1-"


@pytest.mark.recorded
@pytest.mark.parametrize(("name", "people"), [("mimic3_demo", 8), ("cinc2012", 12), ("cgm", 1)])
def test_recorded_people_decode_as_their_truth_says(name: str, people: int) -> None:
    """A sample of the sets themselves: every message is taken, each row as its truth has it."""
    rows = 0
    for item in items_of(recorded(name), people):
        if item.topic == READINGS and item.body is not None:
            found = decode(item.body, item.arrival_ms)
            assert not isinstance(found, Refusal)
            assert [row.flags | found.flags for row in found.rows] == [truth.flags_expected for truth in item.truth]
            assert [None if row.value != row.value else row.value for row in found.rows] == [t.value for t in item.truth]
            rows += len(found.rows)
    assert rows > 500
