"""A simulated ward: one seed is one ward; its stories show; scores become complete; the demo does what its script says."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from flows.sim import script_of, sim_drafts, sim_items
from operators.clinical import tables
from operators.sim.items import COMMANDS, READINGS, Item
from operators.sim.order import START_MS
from operators.sim.physiology import DBP, GLUCOSE, HR, RR, SBP, SPO2, TEMP, Body
from operators.sim.stories import DEMO_EMPTY_BED, SCENARIOS, Course, plan
from schemas.facts import DeviceFact, PatientFact
from schemas.topics import INPUTS
from tests.oracle_ingest import Ingest, judge
from tests.oracle_state import eligible, news2_parts
from tests.support.entries import Event


def run(story: str, people: int = 6, minutes: float = 20, seed: int = 1) -> list[Event]:
    return judge(sim_items(people, story, seed, minutes)).events


def raised(events: list[Event], rule: str, loinc: str = "") -> list[Event]:
    return [e for e in events if e.transition == "raised" and e.rule == rule and e.slot.startswith(loinc)]


def test_one_seed_is_one_ward_byte_for_byte_and_another_seed_another() -> None:
    def bodies(seed: int) -> list[tuple[object, ...]]:
        return [(i.arrival_ms, i.topic, i.partition, i.offset, i.key, i.body, i.expect) for i in sim_items(10, "mixed", seed, 8, dirt=True)]

    assert bodies(5) == bodies(5)
    assert bodies(5) != bodies(6)


def test_a_longer_run_begins_as_the_shorter_one() -> None:
    """A generator steps no further than it is asked: what is pulled from an endless ward is the start of a bounded one."""
    endless = list(islice(sim_drafts(6, "healthy", 3, None), 300))
    bounded = list(islice(sim_drafts(6, "healthy", 3, 60), 300))
    assert [d.body for d in endless] == [d.body for d in bounded]


def test_facts_come_first_patients_before_devices() -> None:
    drafts = list(islice(sim_drafts(8, "mixed", 2, 10), 60))
    first_reading = next(n for n, d in enumerate(drafts) if d.topic == READINGS)
    known: set[str] = set()
    for draft in drafts[:first_reading]:
        if isinstance(draft.fact, PatientFact):
            known.add(draft.fact.patient)
        elif isinstance(draft.fact, DeviceFact):
            assert draft.fact.leases[0].patient in known
    assert len(known) == 8


@pytest.mark.parametrize("story", SCENARIOS)
def test_every_story_runs_clean(story: str) -> None:
    verdict = judge(sim_items(9, story, 1, 6))
    assert verdict.rows > 1000
    assert verdict.dead_letters == 0 or story == "mixed"


def test_an_unknown_story_and_an_empty_ward_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown story 'plague'; choose from healthy"):
        plan("plague", 3, 1)
    with pytest.raises(ValueError, match="at least one person"):
        sim_drafts(0)


def parts_at(items: list[Item], until_ms: int) -> dict[str, int]:
    """Patient -> known parts of NEWS2 when `until_ms` has come, of those who have a score at all."""
    ingest = Ingest()
    for item in items:
        if item.arrival_ms > until_ms:
            break
        ingest.item(item)
    fold = ingest.fold
    return {name: len(news2_parts(p, fold.devices, until_ms)) for name, p in fold.patients.items() if eligible(p)}


@pytest.mark.parametrize("story", ["healthy", "mixed", "demo"])
def test_scores_become_complete_within_half_a_minute(story: str) -> None:
    people = 16 if story == "demo" else 20
    items = list(sim_items(people, story, 1, 2))
    found = parts_at(items, START_MS + 30_000)
    assert len(found) >= 15 - (story != "demo")
    assert set(found.values()) == {len(tables.PARTS)}


def test_stories_raise_the_alerts_that_they_are_about() -> None:
    assert raised(run("hypoxia"), "limit", "59408-5:low")
    assert raised(run("sepsis", 6, 30), "news2")
    assert raised(run("low-glucose", 6, 30), "limit", "99504-3:low")
    assert raised(run("probe-off"), "signal_lost", "59408-5")
    assert raised(run("brady"), "limit", "8867-4:low")
    assert raised(run("af"), "limit", "8867-4:high")


def test_a_site_outage_silences_every_monitor_and_they_come_back() -> None:
    events = run("site-outage", 10, 15)
    silent = {e.slot for e in raised(events, "silent")}
    assert {f"monitor-4b-{n:02d}" for n in range(1, 11)} <= silent
    assert silent <= {e.slot for e in events if e.transition == "cleared" and e.rule == "silent"}


def test_a_mixed_ward_has_people_who_leave_and_return_and_limits_that_change() -> None:
    items = [item for item in sim_items(30, "mixed", 1, 30) if item.fact is not None]
    states = [item.fact.state for item in items if isinstance(item.fact, PatientFact)]
    assert states.count("discharged") >= 2
    assert len({item.fact.admission for item in items if isinstance(item.fact, PatientFact)}) > 30
    assert any(item.topic == "rules" for item in items)
    own = [item.fact.limits for item in items if isinstance(item.fact, PatientFact) and item.fact.limits]
    assert any(limit.medium is None for limits in own for limit in limits)
    assert {None, 12} <= {item.fact.age_years for item in items if isinstance(item.fact, PatientFact)}
    assert any(item.topic == COMMANDS for item in items)


class TestDemo:
    """Ward 4b of 16 beds; within two minutes one patient deteriorates, one probe falls off, one glucose goes low."""

    def test_the_ward(self) -> None:
        folk = [i.fact for i in sim_items(16, "demo", 1, 1) if isinstance(i.fact, PatientFact)]
        assert sorted(p.bed for p in folk) == [f"{n:02d}" for n in range(1, 17) if f"{n:02d}" != DEMO_EMPTY_BED]
        assert {p.ward for p in folk} == {"4b"}
        assert [p.bed for p in folk if p.spo2_scale_2] == ["03"]
        assert {p.zone for p in folk} == {"KTN01"}
        assert all(p.patient == f"p-{p.bed}" and len(p.initials) == 2 and p.age_years for p in folk)

    @pytest.mark.parametrize("seed", range(1, 6))
    def test_the_first_two_minutes(self, seed: int) -> None:
        events = [e for e in run("demo", 16, 2, seed) if e.transition in {"raised", "worsened"}]
        assert any(e.rule == "news2" and e.priority == "high" for e in events)
        assert raised(events, "limit", "59408-5:low:monitor-4b-05")
        assert raised(events, "signal_lost", "59408-5:monitor-4b-11")
        assert raised(events, "limit", "99504-3:low:cgm-4b-14")
        others = [e for e in events if e.rule != "news2" and e.slot.rsplit("-", 1)[-1] not in {"05", "11", "14"}]
        assert not others

    def test_the_script_is_data_in_order_of_time(self) -> None:
        script = script_of("demo")
        times = [float(str(line["at_s"])) for line in script]
        assert times == sorted(times)
        assert len([t for t in times if t <= 120]) >= 4
        assert all(str(line["text"]).endswith(".") for line in script)
        assert script_of("healthy") == []

    @pytest.mark.parametrize("people", [4, 10, 15, 16, 40])
    def test_other_sizes_keep_the_parts_of_the_script(self, people: int) -> None:
        beds = {p.bed for p in plan("demo", people, 1).people}
        assert {"03", "05", "11", "14"} <= beds
        assert len({p.patient for p in plan("demo", people, 1).people}) == len(plan("demo", people, 1).people)


@pytest.fixture(scope="module")
def day() -> np.ndarray[tuple[int, ...], np.dtype[np.floating]]:
    """(minutes, people, vitals) of 24 hours."""
    body = Body(plan("healthy", 200, 1).people, 11, 60.0, 0.0)
    return np.stack([body.step() for _ in range(24 * 60)])


class TestBody:
    """The numbers of `ways-in.md` 7 come out of the generator, within bounds that a seed cannot miss."""

    def test_means_and_spread(self, day: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> None:
        mean, between = day.mean((0, 1)), day.mean(0).std(0)
        for vital, low, high in ((HR, 76, 84), (RR, 16, 18), (SPO2, 95, 98), (SBP, 118, 132), (DBP, 64, 72), (TEMP, 36.7, 37.1)):
            assert low < mean[vital] < high, vital
        assert 6 < between[HR] < 14
        assert day[..., GLUCOSE].min() > 0

    def test_fast_and_slow_memory(self, day: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> None:
        """Autocorrelation within an hour of minute values: HR .62 after one minute in recorded people, SpO2 .70."""

        def within_hour(vital: int, lag: int) -> float:
            x = day[..., vital].reshape(24, 60, -1)
            x = x - x.mean(1, keepdims=True)
            return float((x[:, lag:] * x[:, :-lag]).mean() / (x * x).mean())

        assert 0.45 < within_hour(HR, 1) < 0.85
        assert within_hour(HR, 5) < within_hour(HR, 1)
        assert 0.5 < within_hour(SPO2, 1) < 0.9

    def test_systolic_and_diastolic_move_together(self, day: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> None:
        x = day - day.mean(0)
        assert 0.4 < np.corrcoef(x[..., SBP].ravel(), x[..., DBP].ravel())[0, 1] < 0.8

    @pytest.mark.parametrize(
        ("story", "vital", "sign"),
        [
            ("sepsis", HR, 1),
            ("haemorrhage", SBP, -1),
            ("opioid", RR, -1),
            ("hypoxia", SPO2, -1),
            ("dka", GLUCOSE, 1),
            ("hypo", GLUCOSE, -1),
        ],
    )
    def test_a_course_moves_its_vital_and_treatment_brings_it_back(self, story: str, vital: int, sign: int) -> None:
        course = Course(story, 600.0, 300.0, 7200.0)
        people = [p._replace(course=course, diabetes=True) for p in plan("healthy", 60, 2).people]
        body = Body(people, 3, 60.0, 1.0)
        path = np.stack([body.step()[:, vital].mean() for _ in range(300)])
        before, ill, after = path[:9].mean(), path[100:118].mean(), path[260:].mean()
        assert sign * (ill - before) > 2
        assert abs(after - before) < abs(ill - before) / 2


def test_inputs_of_the_merge_are_those_of_ingest() -> None:
    assert {item.topic for item in sim_items(3, "mixed", 1, 2)} == set(INPUTS)
