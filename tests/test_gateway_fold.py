"""Laws of the gateway's fold: repeats say nothing, parts are whole or nothing, history is not news, what is lost is said."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fold import Fold
from gateway.ring import Held, Ring
from gateway.trends import SERIES_MS, Series
from gateway.wire import payloads_of
from schemas.events import AlertEvent, AlertState, LiveFrame, PatientFrame, Score, TrendFrame
from tests.support.gateway import HR, SHARDS, beat_of, episode, event_of, person, shard

T0 = 1_700_000_000_000
P = "p-1"
S = shard(P)


class Told:
    """A fold and the log in front of it: append time = shard time unless told otherwise."""

    def __init__(self) -> None:
        self.fold = Fold([0] * SHARDS)
        self.offset = 0

    def key(self, t: int, *frames: PatientFrame, part: int = 1, parts: int = 1) -> None:
        self.fold.apply_live(T0 + t, LiveFrame(S, T0 + t, True, part, parts, list(frames)))

    def delta(self, t: int, *frames: PatientFrame) -> None:
        self.fold.apply_live(T0 + t, LiveFrame(S, T0 + t, False, 1, 1, list(frames)))

    def event(self, event: AlertEvent, append: int | None = None) -> AlertEvent:
        at = event.at_ms if append is None else T0 + append
        self.fold.apply_alert(S, self.offset, at, event, msgspec.json.encode(event))
        self.offset += 1
        return event

    def state(self) -> Any:
        known = self.fold.patients.get(P)
        return None if known is None else msgspec.json.decode(known.json())

    def told(self) -> list[str]:
        """What viewers were told of alerts since last asked: `raised 1`."""
        events = self.fold.take().events
        bodies = [msgspec.json.decode(payloads_of(frame)[0])["e"] for _, frame in events]
        return [f"{b['transition']} {b['seq']}" for b in bodies]


def raised(t: int, patient: str = P) -> AlertEvent:
    return event_of(episode(patient, T0 + t), "raised", T0 + t)


def after(event: AlertEvent, t: int, transition: str, status: str) -> AlertEvent:
    assert event.state is not None
    return event_of(msgspec.structs.replace(event.state, status=status, seq=event.state.seq + 1), transition, T0 + t)


def listed(frame: PatientFrame, *alerts: AlertState | None) -> PatientFrame:
    return msgspec.structs.replace(frame, alerts=[a for a in alerts if a is not None])


def test_a_key_frame_counts_when_all_its_parts_came() -> None:
    told = Told()
    told.key(0, person(P), part=1, parts=2)
    assert not told.fold.shards[S].keyed
    assert told.state() is None
    told.key(0, person("other"), part=2, parts=2)
    assert told.fold.shards[S].keyed
    assert set(told.fold.patients) == {P, "other"}


def test_a_torn_key_frame_is_dropped_for_the_next() -> None:
    told = Told()
    told.key(0, person(P, hr=1), part=1, parts=2)
    told.key(10_000, person(P, hr=2))
    assert told.state()["vitals"][HR][0]["value"] == 2


def test_a_delta_between_the_parts_is_not_lost() -> None:
    told = Told()
    told.key(0, person(P, hr=1), part=1, parts=2)
    told.delta(1000, beat_of(P, 2, T0))
    told.key(0, part=2, parts=2)
    assert told.state()["vitals"][HR][0]["value"] == 2
    assert told.fold.shards[S].time_ms == T0 + 1000


def test_frames_of_an_earlier_shard_time_say_nothing() -> None:
    told = Told()
    told.key(10_000, person(P, hr=5))
    told.delta(9000, beat_of(P, 1, T0))
    told.key(0, person(P, hr=2))
    assert told.state()["vitals"][HR][0]["value"] == 5


def test_before_the_first_key_frame_nothing_counts() -> None:
    told = Told()
    told.delta(0, person(P))
    assert told.state() is None
    assert told.fold.times() == {}


def test_a_whole_delta_takes_back_what_it_does_not_name() -> None:
    told = Told()
    told.key(0, person(P, isolation="A", age_years=70))
    told.delta(1000, beat_of(P, 80, T0))
    assert told.state()["isolation"] == "A"
    told.delta(2000, person(P))
    assert (told.state()["isolation"], told.state()["age_years"]) == ("", None)


def test_a_new_score_without_a_header_says_nothing_of_who_it_is() -> None:
    """monitor sends a changed score with the values alone: the patient must stay on the ward."""
    told = Told()
    told.key(0, person(P, isolation="A", age_years=70))
    ward = told.state()["ward"]
    told.delta(1000, PatientFrame(P, score=Score(at_ms=T0, total=3, lower_bound=3)))
    state = told.state()
    assert (state["ward"], state["isolation"], state["age_years"], state["score"]["total"]) == (ward, "A", 70, 3)
    assert ward


def test_a_repeated_event_says_nothing() -> None:
    told = Told()
    told.key(0, person(P))
    first = told.event(raised(1000))
    told.event(after(first, 2000, "acknowledged", "active"))
    told.event(first)
    assert told.told() == ["raised 1", "acknowledged 2"]
    assert told.fold.repeats == 1
    assert [a["seq"] for a in told.state()["alerts"]] == [2]


def test_an_answer_without_an_alert_is_told_once() -> None:
    told = Told()
    told.key(0, person(P))
    answer = AlertEvent("e" * 32, "refused", P, T0 + 1000, "command:1", 0, command="1")
    told.event(answer)
    told.event(answer)
    assert told.told() == ["refused 0"]


def test_a_closed_alert_is_gone_even_when_an_older_key_frame_still_lists_it() -> None:
    told = Told()
    told.key(0, person(P))
    first = told.event(raised(1000))
    told.event(after(first, 9500, "closed", "closed"))
    told.key(10_000, listed(person(P), first.state))
    assert told.state()["alerts"] == []
    assert told.told() == ["raised 1", "closed 2"]


def test_a_key_frame_may_tell_of_an_alert_before_its_event_does() -> None:
    told = Told()
    told.key(0, person(P))
    event = raised(9900)
    told.key(10_000, listed(person(P), event.state))
    assert [a["alert"] for a in told.state()["alerts"]] == [event.alert]
    told.event(event)
    assert told.told() == ["raised 1"]


def test_an_alert_that_only_key_frames_tell_of_reaches_the_viewers_by_a_new_key() -> None:
    told = Told()
    told.key(0, person(P))
    told.key(10_000, listed(person(P), raised(5000).state))
    told.fold.take()
    told.fold.settle(1)
    assert told.fold.take().rekey == set()
    told.fold.settle(2)
    assert told.fold.take().rekey == {"4b"}
    told.key(20_000, listed(person(P), raised(5000).state))
    told.fold.settle(9)
    assert told.fold.take().rekey == set()


def test_an_alert_that_the_key_frame_does_not_list_is_ended_as_lost_once_alerts_was_read_beyond_it() -> None:
    told = Told()
    told.key(0, person(P))
    told.event(raised(1000))
    told.key(10_000, person(P))
    told.fold.settle(1)
    assert told.told() == ["raised 1"]
    assert len(told.state()["alerts"]) == 1
    told.fold.settle(2)
    (patient, frame), *more = told.fold.take().events
    said = msgspec.json.decode(payloads_of(frame)[0])
    assert (patient, more) == (P, [])
    assert (said["o"], said["e"]["transition"], said["e"]["state"]["status"]) == (told.offset - 1, "closed", "closed")
    assert said["e"]["evidence"]["reason"] == "fold lost"
    assert told.state()["alerts"] == []


def test_what_closed_it_may_come_after_the_key_frame_that_does_not_list_it() -> None:
    told = Told()
    told.key(0, person(P))
    first = told.event(raised(1000))
    for t in (10_000, 20_000, 30_000):
        told.key(t, person(P))
    told.fold.settle(1)
    told.event(after(first, 9000, "closed", "closed"))
    told.fold.settle(2)
    assert told.told() == ["raised 1", "closed 2"]


def test_an_alert_raised_after_the_key_frame_is_not_missed_by_it() -> None:
    told = Told()
    told.key(0, person(P))
    told.event(raised(25_000))
    for t in (10_000, 20_000):
        told.key(t, person(P))
        told.fold.settle(t)
    assert told.told() == ["raised 1"]


def test_an_alert_that_is_listed_again_was_not_lost() -> None:
    told = Told()
    told.key(0, person(P))
    event = told.event(raised(1000))
    told.key(10_000, person(P))
    told.key(20_000, listed(person(P), event.state))
    told.fold.settle(5)
    told.key(30_000, person(P))
    told.fold.settle(6)
    assert told.told() == ["raised 1"]


def test_a_cold_monitor_that_tells_history_again_is_not_heard() -> None:
    told = Told()
    for t in range(0, 120_000, 1000):
        told.delta(t) if t else told.key(t, person(P))
    told.event(raised(-3_600_000), append=120_000)
    told.event(raised(-1_800_000), append=120_000)
    assert told.told() == []
    assert told.fold.history == 2
    told.event(raised(119_500), append=120_000)
    assert told.told() == ["raised 1"]


def test_events_of_an_hour_caught_up_in_a_second_are_news() -> None:
    told = Told()
    told.key(0, person(P))
    hour = 3_600_000
    told.fold.apply_live(T0 + hour, LiveFrame(S, T0 + hour, False, 1, 1, []))
    told.event(raised(60_000), append=hour + 500)
    assert told.told() == ["raised 1"]


def test_an_event_of_someone_whom_live_has_not_told_of_waits_for_the_ward() -> None:
    told = Told()
    told.key(0)
    event = told.event(raised(1000))
    assert told.told() == []
    told.delta(2000, person(P))
    update = told.fold.take()
    assert [p for p, _ in update.events] == [P]
    assert update.rekey == {"4b"}
    assert [a["alert"] for a in told.state()["alerts"]] == [event.alert]


@pytest.mark.parametrize("with_alert", [False, True])
def test_a_patient_who_moves_leaves_one_ward_and_comes_whole_to_the_other(with_alert: bool) -> None:
    told = Told()
    told.key(0, person(P, ward="4b", limits={HR: [40.0, 130.0]}))
    if with_alert:
        told.event(raised(500))
    told.fold.take()
    told.delta(1000, person(P, ward="5a"))
    update = told.fold.take()
    assert update.left == [(P, "4b")]
    assert (update.frames[P].ward, update.frames[P].limits) == ("5a", {HR: [40.0, 130.0]})
    assert update.rekey == ({"5a"} if with_alert else set())
    assert told.fold.wards == {"5a": {P}}


@pytest.mark.parametrize("way", ["delta", "key", "absent"])
def test_a_discharged_patient_is_gone_and_the_last_event_still_finds_the_ward(way: str) -> None:
    told = Told()
    told.key(0, person(P))
    first = told.event(raised(1000))
    told.fold.take()
    gone = person(P, admitted=False)
    if way == "delta":
        told.delta(2000, gone)
    else:
        told.key(10_000, *([gone] if way == "key" else []))
    assert told.fold.take().left == [(P, "4b")]
    assert told.fold.ward_of(P) == "4b"
    told.event(after(first, 10_001, "closed", "closed"))
    assert told.told() == ["closed 2"]


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[int, bool, float]]:
    """(time, is a key, heart rate), in the order of shard time."""
    times = sorted(draw(st.sets(st.integers(1, 60), min_size=1, max_size=20)))
    return [(t * 1000, i == 0 or draw(st.booleans()), draw(st.floats(30, 200))) for i, t in enumerate(times)]


@given(lives(), st.data())
def test_whatever_monitor_repeats_after_a_kill_the_state_is_the_same(frames: list[tuple[int, bool, float]], data: st.DataObject) -> None:
    def run(order: list[tuple[int, bool, float]]) -> Any:
        told = Told()
        for t, key, hr in order:
            (told.key if key else told.delta)(t, person(P, hr=hr) if key else beat_of(P, hr, T0 + t))
        return told.state()

    cut = data.draw(st.integers(0, len(frames)))
    back = data.draw(st.integers(0, cut))
    assert run(frames[:cut] + frames[back:]) == run(frames)


@given(st.lists(st.integers(1, 3), max_size=60), st.integers(0, 20), st.integers(1, 12))
def test_a_ring_gives_all_events_since_an_offset_or_nothing(steps: list[int], start: int, size: int) -> None:
    ring = Ring(start, max_events=size, max_bytes=1 << 20)
    offset, offsets = start, []
    for step in steps:
        offset += step - 1
        assert ring.advance(offset)
        ring.append(Held(offset, P, True, b"x"))
        offsets.append(offset)
        offset += 1
    for asked in range(start - 1, offset + 2):
        found = ring.since(asked)
        kept = offsets[-size:]
        if asked < start or asked > ring.next or (len(offsets) > size and asked <= offsets[-size - 1]):
            assert found is None
        else:
            assert [h.offset for h in found or []] == [o for o in kept if o >= asked]


def test_a_ring_is_bounded_in_bytes() -> None:
    ring = Ring(0, max_events=100, max_bytes=250)
    for offset in range(10):
        ring.advance(offset)
        ring.append(Held(offset, P, True, b"x" * 100))
    assert (ring.bytes, ring.start, len(ring)) == (200, 8, 2)
    assert not ring.advance(3)


@given(st.lists(st.tuples(st.integers(0, 300), st.floats(0, 300)), max_size=80))
def test_a_series_is_in_order_holds_two_hours_and_the_last_word_of_each_minute(medians: list[tuple[int, float]]) -> None:
    series, last = Series(), {}
    for minute, value in medians:
        series.put(minute * 60_000, value)
        last[minute * 60_000] = round(value, 3)
    pairs = series.pairs()
    assert pairs == sorted(pairs)
    assert all(last[m] == v for m, v in pairs)
    assert not pairs or pairs[-1][0] - pairs[0][0] <= SERIES_MS


def test_trends_of_those_who_left_are_let_go_in_time() -> None:
    told = Told()
    told.key(0, person(P))
    told.fold.apply_trend(TrendFrame(S, T0, [(P, HR, 70.0), ("gone", HR, 60.0)]))
    assert told.fold.take().trends == {T0: [(P, HR, 70.0), ("gone", HR, 60.0)]}
    told.fold.apply_trend(TrendFrame(S, T0, [(P, HR, 70.0)]))
    assert told.fold.take().trends == {}
    told.fold.trends.forget(T0 + 1, told.fold.patients)
    assert P in told.fold.trends
    assert "gone" not in told.fold.trends
