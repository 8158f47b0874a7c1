"""The laws hold for the oracle itself: what no fold may depend on, it does not depend on either."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from tests.oracle import Fold
from tests.support.entries import Entry, Event
from tests.support.monitored import SHARD
from tests.support.timelines import seeded
from tests.support.variants import another_log, crashed, more_time, regrouped

BLOCKS = range(4)
SEEDS = 15


def judged(entries: list[Entry]) -> list[Event]:
    fold = Fold(SHARD)
    for entry in entries:
        fold.take(entry)
    return fold.events


@pytest.mark.parametrize("block", BLOCKS)
def test_extra_time_other_records_crashes_and_other_logs_change_nothing(block: int) -> None:
    for seed in range(block * SEEDS, (block + 1) * SEEDS):
        random = Random(seed)
        entries = seeded(seed)
        expected = sorted(judged(entries))
        assert sorted(judged(more_time(entries, random, 20))) == expected, f"seed {seed}: extra time entries"
        assert sorted(judged(regrouped(entries, random))) == expected, f"seed {seed}: other records"
        assert sorted(judged(crashed(entries, random))) == expected, f"seed {seed}: crash"
        assert sorted(judged(another_log(entries))) == expected, f"seed {seed}: another log"


def test_timelines_reach_everything() -> None:
    """A generator that stopped raising something would prove nothing about it."""
    seen: Counter[tuple[str, str]] = Counter()
    for seed in range(150):
        events = judged(seeded(seed))
        seen.update((e.rule, e.transition) for e in events)
        assert len({e.id for e in events if e.alert}) == len([e for e in events if e.alert]), seed
    rules = {"limit": {"worsened"}, "news2": {"worsened"}, "signal_lost": set(), "silent": set(), "not_judged": set()}
    wanted = {(rule, word) for rule, more in rules.items() for word in {"raised", "cleared", "closed", "acknowledged"} | more}
    wanted |= {("", "refused"), ("", "observed"), ("", "binding_corrected"), ("limit", "unacknowledged")}
    assert wanted <= seen.keys(), wanted - seen.keys()
