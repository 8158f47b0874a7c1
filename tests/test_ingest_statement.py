"""Openings, statements and the time of a writer: first start, midnight, restart in the middle, stop (`semantics.md` 1 and 8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest

from operators.ingest.core import BadState, IngestCore
from operators.ingest.statement import FACTS_A_POLL
from schemas.facts import RuleFact
from schemas.identity import key64, shard_of
from schemas.timeline import Begin, Bye, End, Fact, Hello, Time
from tests.support.ingest import DAY, T0, Log, Rec, Recs, entries, new_core, out, reading

NOTHING = Recs([])


def facts_of(log: Log, patients: int) -> list[Rec]:
    rule = log.put("rules", msgspec.json.encode(RuleFact("limits", "r1", 1)), T0, "limits")
    people = [log.patient(f"p{i:04d}") for i in range(patients)]
    return [rule, *people, *(log.device(f"d{i:04d}", [(f"p{i:04d}", T0 - DAY, None), ("p0000", 0, 9)]) for i in range(patients))]


def started(patients: int) -> tuple[IngestCore, Log, list[Rec]]:
    log, core = Log(), new_core()
    records = facts_of(log, patients)
    core.load_tables(records)
    core.start()
    return core, log, records


def stated(appends: Sequence[tuple[int, object]]) -> Counter[tuple[int, str, str]]:
    return Counter((shard, entry.topic, entry.key) for shard, entry in appends if isinstance(entry, Fact))


def test_a_first_start_says_hello_and_all_facts_on_each_shard() -> None:
    log, core = Log(), new_core()
    records = facts_of(log, 30)
    core.load_tables(records)
    found = entries(core.start())
    for shard in range(8):
        own = [entry for at, entry in found if at == shard]
        assert own[0] == Hello("ingest-0", "i1")
        assert own[1] == Begin("first:i1")
        facts = own[2:-1]
        assert own[-1] == End("first:i1", len(facts))
        here = {f"p{i:04d}" for i in range(30) if shard_of(key64(f"p{i:04d}")) == shard}
        assert {entry.key for entry in facts if isinstance(entry, Fact) and entry.topic == "patients"} == here
        assert sum(isinstance(entry, Fact) and entry.topic == "rules" for entry in facts) == 1
    assert all(entry.stamp == 0 and entry.at == T0 for _, entry in found if isinstance(entry, Fact))


def test_a_first_start_without_facts_is_a_whole_statement_of_none() -> None:
    found = entries(new_core("stream").start())
    assert [type(entry).__name__ for _, entry in found] == ["Hello"] * 8 + ["Begin"] * 8 + ["End"] * 8
    assert {entry.count for _, entry in found if isinstance(entry, End)} == {0}


def test_at_a_first_start_what_the_tables_hold_and_is_not_believed_goes_to_dead_letter() -> None:
    log = Log()
    bad = [log.put("devices", b"{", T0, "d"), log.patient("p1"), log.put("patients", b"{}", T0, "p2", headers={"arrival": b"5"})]
    core = new_core()
    core.load_tables(bad)
    assert out(core.start()).letters == [("bad_fact", "devices/0/0"), ("forged_header", "patients/0/1")]
    again = new_core(state=core.snapshot())
    again.load_tables(bad)
    assert out(again.start()).letters == []


def test_a_restart_says_hello_alone() -> None:
    core, _, records = started(3)
    again = new_core(state=core.snapshot(), instance="i2")
    again.load_tables(records)
    assert entries(again.start()) == [(shard, Hello("ingest-0", "i2")) for shard in range(8)]


def test_live_a_first_start_states_a_time_before_its_facts() -> None:
    log, core = Log(), new_core()
    core.load_tables([log.patient("p1")])
    found = [entry for shard, entry in entries(core.start(T0 - 1)) if shard == shard_of(key64("p1"))]
    assert [type(entry).__name__ for entry in found] == ["Hello", "Time", "Begin", "Fact", "End"]
    assert [entry.stamp for entry in found if isinstance(entry, Fact)] == [T0]
    again = new_core(state=core.snapshot())
    assert len(again.start(T0 - 1)) == 8
    assert len(again.apply(NOTHING, T0)) == 8


def test_a_stop_says_bye_and_whether_the_inputs_ended() -> None:
    assert entries(new_core().stop()) == [(shard, Bye("ingest-0", "i1")) for shard in range(8)]
    assert entries(new_core().stop(end=True)) == [(shard, Bye("ingest-0", "i1", end=True)) for shard in range(8)]


def test_time_is_stated_after_the_records_of_a_poll_when_it_moved() -> None:
    core, log, _ = started(3)
    found = entries(core.apply(Recs([log.said(reading("d0001", T0), T0)]), T0 + 5))
    assert [type(entry).__name__ for _, entry in found] == ["ndarray"] + ["Time"] * 8
    assert found[1:] == [(shard, Time("ingest-0", "i1", T0 + 5)) for shard in range(8)]
    for t_ms in (T0 + 5, T0 + 4, None):
        assert core.apply(NOTHING, t_ms) == []
    assert len(core.apply(NOTHING, T0 + 6)) == 8


def test_past_midnight_all_facts_are_stated_again_a_few_a_poll() -> None:
    core, _, records = started(250)
    assert out(core.apply(NOTHING, T0 + DAY - 1)).statement == []
    polls = [entries(core.apply(NOTHING, T0 + DAY))]
    while core.snapshot()["statement"]["id"]:
        polls.append(entries(core.apply(NOTHING, None)))
    found = [entry for poll in polls for entry in poll]
    name = f"daily:{T0 + DAY}"
    assert [entry for _, entry in polls[0][8:16]] == [Begin(name)] * 8
    assert all(len({(e.topic, e.key) for _, e in poll if isinstance(e, Fact)}) <= FACTS_A_POLL for poll in polls)
    assert len(polls) == 3
    first = new_core()
    first.load_tables(records)
    assert stated(found) == stated(entries(first.start()))
    counts = Counter(shard for shard, entry in found if isinstance(entry, Fact))
    assert {shard: entry.count for shard, entry in found if isinstance(entry, End)} == {shard: counts[shard] for shard in range(8)}
    assert {entry.stamp for _, entry in found if isinstance(entry, Fact)} == {T0 + DAY + 1}
    assert core.apply(NOTHING, T0 + DAY + 1000)[0].value is not None
    assert out(core.apply(NOTHING, T0 + DAY + 2000)).statement == []


def test_a_restart_in_the_middle_of_a_statement_goes_on_and_states_each_fact_once() -> None:
    core, _, records = started(250)
    core.apply(NOTHING, T0 + 5)
    found = entries(core.apply(NOTHING, T0 + DAY))
    again = new_core(state=core.snapshot(), instance="i2")
    again.load_tables(records)
    again.start()
    while again.snapshot()["statement"]["id"]:
        found += entries(again.apply(NOTHING, None))
    whole = new_core()
    whole.load_tables(records)
    assert stated(found) == stated(entries(whole.start()))
    counts = Counter(shard for shard, entry in found if isinstance(entry, Fact))
    assert {shard: entry.count for shard, entry in found if isinstance(entry, End)} == {shard: counts[shard] for shard in range(8)}


def test_facts_that_come_or_go_while_a_statement_is_under_way() -> None:
    core, log, _ = started(250)
    core.apply(NOTHING, T0 + 5)
    core.apply(NOTHING, T0 + DAY)
    changes = [
        log.patient("a-new-one"),
        log.patient("p9999"),
        log.put("devices", None, T0, "d0249"),
        log.put("patients", None, T0, "p0000"),
    ]
    found = entries(core.apply(Recs(changes), None))
    assert {"a-new-one", "p9999"} <= {entry.key for _, entry in found if isinstance(entry, Fact)}
    while core.snapshot()["statement"]["id"]:
        found += entries(core.apply(NOTHING, None))
    assert ("d0249", True) not in {(e.key, e.value is not None) for _, e in found if isinstance(e, Fact)}


def test_several_midnights_at_once_are_one_statement() -> None:
    core, _, _ = started(2)
    core.apply(NOTHING, T0 + 5)
    got = out(core.apply(NOTHING, T0 + 9 * DAY + 5))
    assert {entry.id for _, entry in got.statement} == {f"daily:{T0 + 9 * DAY}"}
    assert len(got.statement) == 16


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 0}, "format 1, not 0"),
        ({"format": None}, "format"),
        ({"clock": "stream"}, "clock stream"),
        ({"shards": 16}, "shards 16"),
    ],
)
def test_a_snapshot_of_another_kind_is_refused_with_a_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadState, match=sentence):
        new_core(state=new_core().snapshot() | change)
