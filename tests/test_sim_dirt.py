"""Dirt: every kind occurs, each message keeps its truth, and what should be harmless is."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import msgspec
import pytest

from flows.sim import sim_drafts, sim_items
from operators.decode.native import decode
from operators.decode.seam import Refusal
from operators.ingest.commands import hear
from operators.ingest.tables import Refused
from operators.sim.answers import Raised, answers
from operators.sim.bad_messages import KINDS, bad_message
from operators.sim.dirt import Dirt, dirty
from operators.sim.items import COMMANDS, READINGS, Draft, Said, message, place
from operators.sim.order import START_MS
from schemas.codes import BEAT, CONVERTED, NO_CLOCK, absent_reason
from schemas.facts import Command, DeviceFact
from schemas.readings import Message
from tests.oracle_ingest import judge

NONE = Dirt(*[0.0] * len(Dirt._fields))
MINUTES = 25.0
read = msgspec.json.Decoder(Message).decode


def ward(dirt: Dirt, seed: int = 1, people: int = 12, story: str = "healthy") -> list[Draft]:
    return list(dirty(sim_drafts(people, story, seed, MINUTES), dirt, seed, START_MS + round(MINUTES * 60_000)))


def clean(seed: int = 1, people: int = 12, story: str = "healthy") -> list[Draft]:
    return list(sim_drafts(people, story, seed, MINUTES))


def readings(drafts: list[Draft]) -> list[Draft]:
    return [draft for draft in drafts if draft.topic == READINGS]


def test_without_dirt_nothing_changes() -> None:
    assert ward(NONE) == clean()


def test_order_of_arrival_holds() -> None:
    drafts = ward(Dirt(), 3, 20, "mixed")
    assert all(one.arrival_ms <= other.arrival_ms for one, other in pairwise(drafts))


def test_what_is_held_to_the_end_leaves_no_earlier_than_the_end() -> None:
    """A device that never speaks again after its back-fill began: seed 2 once put it before what had already left."""
    arrivals = [item.arrival_ms for item in sim_items(12, "mixed", 2, 15.0, dirt=True)]
    assert arrivals == sorted(arrivals)


def test_repeats_of_messages_and_commands_change_no_event() -> None:
    repeated = ward(NONE._replace(repeat=0.3), story="mixed")
    assert len(repeated) > len(clean(story="mixed")) + 500
    before, after = (judge(place(drafts, START_MS + round(MINUTES * 60_000))) for drafts in (clean(story="mixed"), repeated))
    timed = [event for event in before.events if event.rule != "silent"]  # a repeat is dropped: no sign of life
    assert {e.id for e in after.events} >= {e.id for e in timed}
    assert after.rows >= before.rows


def test_delays_within_and_beyond_the_late_limit() -> None:
    within = ward(NONE._replace(disorder=0.5))
    beyond = ward(NONE._replace(beyond_late=0.5))
    delays = [draft.arrival_ms - (draft.truth[0].t_ms or 0) for draft in readings(within) if draft.key.startswith("monitor")]
    assert 30_000 < max(delays) < 60_000
    assert sum(d.arrival_ms - (d.truth[0].t_ms or 0) > 60_000 for d in readings(beyond) if d.key.startswith("monitor")) > 100


def test_zeros_impossible_numbers_beats_and_suspects() -> None:
    reasons = Counter(absent_reason(t.flags_expected) for d in readings(ward(NONE._replace(zero=0.2, impossible=0.2))) for t in d.truth)
    assert reasons["zero"] > 50
    assert reasons["impossible"] > 50
    assert any(t.flags_expected & BEAT for d in readings(ward(NONE._replace(beat=0.1))) for t in d.truth)


def test_devices_with_wrong_units_say_the_same_thing_in_other_words() -> None:
    drafts = readings(ward(NONE._replace(wrong_unit=1.0), people=30))
    units = {reading.unit for draft in drafts for reading in read(draft.body or b"").readings}
    assert {"[degF]", "kPa", "mg/dL", "bpm"} <= units
    for draft in drafts:
        for truth in draft.truth:
            if truth.loinc == "8310-5" and truth.value is not None:
                assert 34 < truth.value < 41
                assert truth.flags_expected & CONVERTED
            elif truth.loinc == "8867-4" and b"bpm" in (draft.body or b""):
                assert absent_reason(truth.flags_expected) == "unit-unknown"


@pytest.mark.parametrize(("kind", "least_ms", "most_ms"), [("slow", -62_500, -59_500), ("fast", 418_000, 422_000)])
def test_clocks_that_are_wrong(kind: str, least_ms: int, most_ms: int) -> None:
    drafts = readings(ward(NONE._replace(**{kind: 1.0})))
    off = [t - d.arrival_ms for d in drafts if d.key.startswith("monitor") and (t := d.truth[0].t_ms) is not None]
    wrong = [ms for ms in off if abs(ms) > 10_000]
    assert len(wrong) > 500
    assert least_ms - 2_500 < min(wrong)
    assert max(wrong) < most_ms + 2_500


def test_devices_without_a_clock() -> None:
    drafts = readings(ward(NONE._replace(no_clock=1.0)))
    without = [d for d in drafts if d.truth[0].t_ms is None]
    assert len(without) > 500
    assert all(b'"t"' not in (d.body or b"") and d.truth[0].flags_expected & NO_CLOCK for d in without)


def test_back_fill_comes_in_a_burst_oldest_first_and_counts_down() -> None:
    drafts = [d for d in readings(ward(NONE._replace(back_fill=1.0))) if d.key.startswith("monitor")]
    held = [(d, read(d.body or b"")) for d in drafts if b"buffered" in (d.body or b"")]
    assert len(held) > 100
    by_device: dict[str, list[tuple[int, int]]] = {}
    for draft, said in held:
        assert said.buffered is not None
        by_device.setdefault(draft.key, []).append((draft.truth[0].t_ms or 0, said.buffered))
    for burst in by_device.values():
        assert [t for t, _ in burst] == sorted(t for t, _ in burst)
        assert [left for _, left in burst] == list(range(len(burst)))[::-1]


def test_nothing_is_lost_by_holding_back() -> None:
    def told(drafts: list[Draft]) -> set[tuple[str, int | None]]:
        return {(d.key, d.truth[0].t_ms) for d in readings(drafts)}

    assert told(ward(NONE._replace(back_fill=1.0))) == told(clean())


def test_devices_that_move_have_leases_that_follow_on_one_another() -> None:
    facts = [d.fact for d in ward(NONE._replace(rebind=1.0)) if isinstance(d.fact, DeviceFact)]
    moved = [f for f in facts if "swap" in f.revision]
    assert len(moved) >= 8
    assert len({f.revision for f in facts}) > 1
    for one in moved:
        for before, after in pairwise(one.leases):
            assert before.until_ms == after.from_ms
        assert one.leases[-1].until_ms is None
        assert one.leases[-1].patient != one.leases[-2].patient
    assert {e.transition for e in judge(place(ward(NONE._replace(rebind=1.0)))).events} >= {"binding_corrected"}


@pytest.mark.parametrize("number", range(len(KINDS)))
def test_each_bad_message_is_refused_for_its_reason(number: int) -> None:
    good = message(START_MS, "monitor-4b-01", START_MS, [Said("8867-4", 72.0, "/min"), Said("59408-5", 97.0, "%")])
    bad = bad_message(number, good)
    found = decode(bad.body, bad.arrival_ms)
    assert isinstance(found, Refusal)
    assert (found.reason, bad.truth) == (bad.expect, ())


def test_odd_commands_are_answered_or_go_to_the_dead_letters() -> None:
    drafts = [d for d in ward(NONE._replace(command_odd=1.0, command_again=0.5), people=30) if d.topic == COMMANDS]
    heard = Counter[str]()
    for draft in drafts:
        try:
            found = hear(draft.body, draft.key.encode())
        except Refused as refused:
            heard["dead letter"] += (draft.expect, draft.fact) == (refused.reason, None)
        else:
            assert isinstance(draft.fact, Command)
            assert (draft.expect, draft.fact.patient) == ("ok", found.patient)
            heard[found.refused or draft.fact.kind] += 1
    assert heard["dead letter"] == sum(draft.expect != "ok" for draft in drafts) > 0
    assert {"bad_shape", "unit-suspect", "silence", "observe", "acknowledge"} <= heard.keys()
    ids = Counter(draft.fact.id for draft in drafts if isinstance(draft.fact, Command))
    assert max(ids.values()) == 2


def test_answers_to_alerts_are_legal_and_illegal_moves() -> None:
    raised = [Raised(f"{n:032x}", f"p-{n:02d}", START_MS + 1000 * n) for n in range(60)]
    drafts = answers(raised, 1)
    assert [d.arrival_ms for d in drafts] == sorted(d.arrival_ms for d in drafts)
    commands = [d.fact for d in drafts if isinstance(d.fact, Command)]
    assert {c.kind for c in commands} == {"acknowledge", "unacknowledge"}
    assert {c.by for c in commands} == {"nurse-1", "doctor-1"}
    assert len({c.id for c in commands}) == len(commands)
    assert answers(raised, 1) == drafts


def test_a_dirty_ward_meets_every_trouble_that_the_timeline_must_bear() -> None:
    """One run of `make test`'s size holds late and future rows, refusals, corrections and signals lost: what the laws are tried on."""
    verdict = judge(sim_items(30, "mixed", 1, 30, dirt=True))
    seen = {(e.transition, e.rule) for e in verdict.events}
    assert verdict.dead_letters > 40
    assert {("raised", rule) for rule in ("limit", "news2", "silent", "signal_lost", "not_judged")} <= seen
    assert {"refused", "observed", "binding_corrected", "worsened", "cleared", "closed"} <= {transition for transition, _ in seen}
