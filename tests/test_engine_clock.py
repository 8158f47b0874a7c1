"""Live time (`semantics.md` 1): T comes from the log's answers alone, and a fold never hears of a row that was received before it."""

from __future__ import annotations

import pytest

from flows.engine.clock import ASK_AGAIN_MS, ASK_EVERY_MS, SLACK_MS, LiveClock
from flows.engine.columns import Columns
from sinks.log.api import TP

C, R0, R1 = TP("devices", 0), TP("device-readings", 0), TP("device-readings", 1)
TPS = [C, R0, R1]
NOW = 1_000_000


def batch(*records: tuple[TP, int]) -> Columns:
    made = Columns()
    for number, (tp, append_ms) in enumerate(records):
        made.topics.append(tp.topic)
        made.partitions.append(tp.partition)
        made.offsets.append(number)
        made.append_ms.append(append_ms)
    return made


@pytest.fixture
def clock() -> LiveClock:
    return LiveClock(TPS, [C])


def ask(clock: LiveClock, now_ms: int) -> None:
    assert clock.wants_to_ask(now_ms, False)
    clock.asked(now_ms)


def test_read_to_the_ends_t_is_the_asking_less_the_slack(clock: LiveClock) -> None:
    ask(clock, NOW)
    clock.answered(NOW + 3, {C: 2, R0: 5, R1: 0})
    assert clock.take_t_ms({C: 2, R0: 7, R1: 0}) == NOW + 3 - SLACK_MS
    assert clock.take_t_ms({C: 2, R0: 7, R1: 0}) is None, "once an answer"


def test_a_partition_that_is_behind_holds_t_just_below_its_last_record(clock: LiveClock) -> None:
    """The next record may carry the same stamp, and T must be before it."""
    clock.read(batch((R0, 700_000), (R0, 700_005), (R1, 900_000)))
    ask(clock, NOW)
    clock.answered(NOW, {C: 0, R0: 5000, R1: 1})
    assert clock.take_t_ms({C: 0, R0: 2, R1: 1}) == 700_004


def test_without_an_answer_there_is_no_t(clock: LiveClock) -> None:
    clock.read(batch((R0, 700_000)))
    assert clock.take_t_ms({C: 0, R0: 1, R1: 0}) is None
    ask(clock, NOW)
    assert clock.take_t_ms({C: 0, R0: 1, R1: 0}) is None


def test_a_partition_that_proves_nothing_allows_no_t(clock: LiveClock) -> None:
    ask(clock, NOW)
    clock.answered(NOW, {C: 0, R0: 5, R1: 0})
    assert clock.take_t_ms({C: 0, R0: 0, R1: 0}) is None


def test_it_asks_twice_a_second_and_never_twice_at_once(clock: LiveClock) -> None:
    ask(clock, NOW)
    assert not clock.wants_to_ask(NOW + ASK_EVERY_MS, False)
    clock.answered(NOW, dict.fromkeys(TPS, 0))
    assert not clock.wants_to_ask(NOW + ASK_EVERY_MS - 1, False)
    assert clock.wants_to_ask(NOW + ASK_EVERY_MS, False)


def test_an_answer_that_was_lost_is_asked_for_again_and_the_old_one_counts_no_longer(clock: LiveClock) -> None:
    ask(clock, NOW)
    ask(clock, NOW + ASK_AGAIN_MS)
    clock.answered(NOW, dict.fromkeys(TPS, 0))
    assert clock.take_t_ms(dict.fromkeys(TPS, 0)) is None
    clock.answered(NOW + ASK_AGAIN_MS, dict.fromkeys(TPS, 0))
    assert clock.take_t_ms(dict.fromkeys(TPS, 0)) == NOW + ASK_AGAIN_MS - SLACK_MS


def test_a_clock_that_was_set_back_does_not_silence_it(clock: LiveClock) -> None:
    ask(clock, NOW)
    clock.answered(NOW, dict.fromkeys(TPS, 0))
    assert clock.wants_to_ask(NOW - 3_600_000, False)


def test_control_topics_count_as_drained_up_to_the_poll_after_which_the_ends_were_asked(clock: LiveClock) -> None:
    ask(clock, NOW)  # before the poll: proves nothing for it
    clock.read(batch((R0, NOW)))
    clock.answered(NOW, {C: 3, R0: 1, R1: 0})
    assert clock.drain({C: 3, R0: 1, R1: 0}) == 0
    assert clock.wants_to_ask(NOW + 1, hurry=True)
    clock.asked(NOW + 1)
    clock.answered(NOW + 1, {C: 4, R0: 1, R1: 0})
    assert clock.drain({C: 3, R0: 1, R1: 0}) == 0, "not read to the end yet"
    clock.read(batch((C, NOW)))
    assert clock.drain({C: 4, R0: 1, R1: 0}) == 1, "of the poll before the asking, not of the one that read it"


def test_asking_in_a_hurry_states_no_more_time(clock: LiveClock) -> None:
    ask(clock, NOW)
    clock.answered(NOW, dict.fromkeys(TPS, 0))
    assert clock.take_t_ms(dict.fromkeys(TPS, 0)) is not None
    clock.drain(dict.fromkeys(TPS, 0))
    clock.read(batch((R0, NOW)))
    assert clock.wants_to_ask(NOW + 20, hurry=True)
    clock.asked(NOW + 20)
    clock.answered(NOW + 20, dict.fromkeys(TPS, 0))
    assert clock.take_t_ms(dict.fromkeys(TPS, 1)) is None
    assert clock.wants_to_ask(NOW + ASK_EVERY_MS, False)
