"""Stream time (`semantics.md` 2): the order of records and T are properties of the log, whatever the polls were and wherever a run began again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.engine.columns import Columns
from flows.engine.feeds import StreamFeed
from flows.engine.merge import Merge
from schemas.topics import ARRIVAL, INPUTS, MARK
from sinks.log.api import TP, Headers

TPS = [TP("rules", 0), TP("devices", 0), TP("device-readings", 0), TP("device-readings", 1)]
START = dict.fromkeys(TPS, 0)


class Rec(NamedTuple):
    tp: TP
    offset: int
    arrival: int | None
    mark: str = ""

    @property
    def headers(self) -> Headers:
        arrival: Headers = () if self.arrival is None else ((ARRIVAL, b"%d" % self.arrival),)
        return (*arrival, (MARK, self.mark.encode())) if self.mark else arrival

    @property
    def place(self) -> tuple[int, int, int, int]:
        return (self.arrival or 0, INPUTS.index(self.tp.topic), self.tp.partition, self.offset)


Logs = dict[TP, list[Rec]]


@st.composite
def recorded(draw: st.DrawFn) -> Logs:
    """A finished run: each partition in order of arrival, an end mark last, all of one time."""
    logs: Logs = {}
    end = 60
    for tp in TPS:
        arrivals = sorted(draw(st.lists(st.integers(1, end), max_size=12)))
        marks = draw(st.lists(st.booleans(), min_size=len(arrivals), max_size=len(arrivals)))
        logs[tp] = [Rec(tp, i, at, "clock" if mark else "") for i, (at, mark) in enumerate(zip(arrivals, marks, strict=True))]
        logs[tp].append(Rec(tp, len(arrivals), end, "end"))
    return logs


def columns(records: Sequence[Rec]) -> Columns:
    made = Columns()
    for rec in records:
        made.topics.append(rec.tp.topic)
        made.partitions.append(rec.tp.partition)
        made.offsets.append(rec.offset)
        made.append_ms.append(7)
        made.keys.append(b"k")
        made.values.append(None if rec.mark else b"v")
        made.headers.append(rec.headers)
    return made


class FakeReader:
    """Gives, poll by poll, as many records of the next partition as the script says; then all."""

    def __init__(self, logs: Logs, positions: dict[TP, int], script: Sequence[tuple[int, int]]) -> None:
        self.positions, self._logs, self._script = dict(positions), logs, list(script)

    def poll(self, max_records: int) -> Columns:
        part, most = self._script.pop(0) if self._script else (0, max_records)
        out: list[Rec] = []
        for tp in [*TPS[part:], *TPS[:part]]:
            at = self.positions[tp]
            taken = self._logs[tp][at : at + min(most, max_records) - len(out)]
            self.positions[tp] += len(taken)
            out += taken
        return columns(out)

    def ask_ends(self) -> None: ...
    def ends(self) -> tuple[int, dict[TP, int]] | None:
        return None

    def close(self) -> None: ...


def wanted(logs: Logs) -> list[tuple[str, int, int]]:
    return [
        (r.tp.topic, r.tp.partition, r.offset)
        for r in sorted((r for part in logs.values() for r in part if not r.mark), key=lambda r: r.place)
    ]


SCRIPT = st.lists(st.tuples(st.integers(0, len(TPS) - 1), st.integers(1, 5)), max_size=40)


@given(recorded(), SCRIPT, st.integers(1, 9), st.lists(st.integers(0, 15), max_size=3))
def test_one_order_whatever_the_polls_and_restarts(logs: Logs, script: list[tuple[int, int]], at_most: int, lives: list[int]) -> None:
    """Each life takes some polls and begins again at its snapshot, as after a stop."""
    given_out: list[tuple[str, int, int]] = []
    stated: list[int] = []
    arrivals = {(r.tp.topic, r.tp.partition, r.offset): r.arrival or 0 for part in logs.values() for r in part}
    state, finished = None, False
    for takes in [*lives, 10_000]:
        positions = dict(START) if state is None else {tp: state["next"][f"{tp.topic}/{tp.partition}"] for tp in TPS}
        feed = StreamFeed(FakeReader(logs, positions, script), at_most, state)
        for _ in range(takes):
            for _, poll in feed.take():
                batch = poll.batch
                assert len(batch) <= at_most
                new = list(zip(batch.topics, batch.partitions, batch.offsets, strict=True))
                assert all(arrivals[place] > max(stated, default=0) for place in new), "T was truthful"
                given_out += new
                stated += [] if poll.t_ms is None else [poll.t_ms]
                assert poll.bye == poll.end == feed.finished
            if feed.finished:
                break
        state, finished = feed.snapshot(), feed.finished
        if finished:
            break
    assert finished
    assert given_out == wanted(logs)
    assert stated == sorted(stated)
    assert stated[-1] == 60


def test_a_finished_run_ends_again_at_once() -> None:
    logs: Logs = {tp: [Rec(tp, 0, 60, "end")] for tp in TPS}
    feed = StreamFeed(FakeReader(logs, START, []), 10, None)
    while not feed.finished:
        feed.take()
    again = StreamFeed(FakeReader(logs, dict.fromkeys(TPS, 1), []), 10, feed.snapshot())
    assert len(again.take()) == 1
    ((_, poll),) = again.take()
    assert (poll.t_ms, poll.bye, again.finished) == (60, True, True)


def test_nothing_is_given_out_before_every_partition_was_heard() -> None:
    merge = Merge(START)
    merge.push(columns([Rec(tp, 0, 5) for tp in TPS[:3]]))
    assert len(merge.pop(10)) == 0
    assert merge.t_ms() is None
    merge.push(columns([Rec(TPS[3], 0, 4, "clock")]))
    assert len(merge.pop(10)) == 0
    assert merge.t_ms() == 3
    merge.push(columns([Rec(TPS[3], 1, 6, "clock")]))
    assert merge.pop(10).topics == ["rules"], "one arrival: by topic in the order of the inputs"
    assert merge.t_ms() == 4, "rules may still have another record of 5"


def test_a_later_topic_of_the_same_arrival_waits_for_an_earlier_one() -> None:
    merge = Merge(START)
    merge.push(columns([Rec(TPS[0], 0, 5, "clock"), Rec(TPS[1], 0, 5), Rec(TPS[2], 0, 9), Rec(TPS[3], 0, 9)]))
    assert merge.pop(10).topics == [], "rules may still have a record of 5, and it goes first"
    merge.push(columns([Rec(TPS[0], 1, 6, "clock")]))
    assert merge.pop(10).topics == ["devices"]


def test_a_record_without_arrival_or_one_that_runs_back_stands_where_its_partition_is() -> None:
    merge = Merge(START)
    readings = [Rec(TPS[2], 0, 8), Rec(TPS[2], 1, None), Rec(TPS[2], 2, 3)]
    merge.push(columns([*[Rec(tp, 0, 9, "clock") for tp in TPS if tp != TPS[2]], *readings]))
    assert merge.pop(10).offsets == [0, 1, 2]
    assert merge.t_ms() == 7


def test_what_follows_an_end_is_not_of_this_run() -> None:
    merge = Merge(START)
    merge.push(columns([Rec(tp, 0, 9, "end") for tp in TPS] + [Rec(TPS[3], 1, 20)]))
    assert len(merge.pop(10)) == 0
    assert merge.end_ms() == 9
    assert merge.t_ms() == 9
    assert merge.next_offsets() == dict.fromkeys(TPS, 1)


@pytest.mark.parametrize("topic", ["alerts", "timeline"])
def test_only_inputs_are_merged(topic: str) -> None:
    with pytest.raises(ValueError):
        Merge({TP(topic, 0): 0})
