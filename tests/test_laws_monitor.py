"""The laws of `architecture.md` 1 for `monitor`: the same events as the oracle's, whatever the batches, time entries, crashes, restarts and logs.

NADI_LAWS=N runs N times as many seeds (1 is what `make test` runs, 20 what the bench does); NADI_LAWS_FROM starts at another seed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import Fold
from tests.support.entries import Entry, Event
from tests.support.monitored import SHARD, Cut, difference, events, in_order, monitored, one_by_one, one_call, random_calls
from tests.support.timelines import Maker, seeded
from tests.support.variants import another_log, crashed, more_time, regrouped

TIMES = int(os.environ.get("NADI_LAWS", "1"))
FROM = int(os.environ.get("NADI_LAWS_FROM", "0"))
BLOCKS, SEEDS = 4, 9 * TIMES


def judged(entries: list[Entry]) -> list[Event]:
    fold = Fold(SHARD)
    for entry in entries:
        fold.take(entry)
    return fold.events


def agree(entries: list[Entry], cut: Cut = one_call) -> None:
    """Events, their ids, numbers, times and order within each alert."""
    found, expected = events(monitored(entries, cut)), judged(entries)
    assert sorted(found) == sorted(expected), difference(found, expected)
    assert in_order(found)


def seeds(block: int, part: int) -> range:
    """Each law its own seeds."""
    start = FROM + (part * BLOCKS + block) * SEEDS
    return range(start, start + SEEDS)


Variant = Callable[[list[Entry], Random], list[Entry]]
VARIANTS: list[Variant] = [
    lambda entries, random: more_time(entries, random, 20),
    regrouped,
    crashed,
    lambda entries, random: crashed(crashed(entries, random, "second"), random, "third"),
    lambda entries, random: another_log(entries),
]
NAMES = ["extra truthful time entries", "other records", "a crash", "two crashes", "another log"]


@pytest.mark.parametrize("block", range(BLOCKS))
def test_monitor_is_the_oracle(block: int) -> None:
    for seed in seeds(block, 0):
        try:
            agree(seeded(seed, 240))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from None


@pytest.mark.parametrize("block", range(BLOCKS))
def test_calls_of_any_size_give_the_same_bytes(block: int) -> None:
    for seed in seeds(block, 1):
        entries, random = seeded(seed), Random(seed)
        whole = sorted(monitored(entries))
        assert sorted(monitored(entries, one_by_one)) == whole, f"seed {seed}: one by one"
        assert sorted(monitored(entries, random_calls(random))) == whole, f"seed {seed}: in pieces"


@pytest.mark.parametrize("block", range(BLOCKS))
def test_a_restart_at_any_point_gives_the_same_bytes(block: int) -> None:
    for seed in seeds(block, 2):
        entries, random = seeded(seed), Random(seed)
        whole = sorted(monitored(entries))
        assert sorted(monitored(entries, random_calls(random), lambda random=random: random.random() < 0.3)) == whole, f"seed {seed}"  # type: ignore[misc]


@pytest.mark.parametrize("block", range(BLOCKS))
@pytest.mark.parametrize("variant", VARIANTS, ids=NAMES)
def test_what_happened_to_ingest_changes_nothing(variant: Variant, block: int) -> None:
    for seed in list(seeds(block, 3 + VARIANTS.index(variant)))[::3]:
        entries, random = seeded(seed), Random(seed)
        other = variant(entries, random)
        found = events(monitored(other, random_calls(random)))
        assert sorted(found) == sorted(judged(entries)), f"seed {seed}: {difference(found, judged(entries))}"
        assert in_order(found), f"seed {seed}"
        assert sorted(monitored(other)) == sorted(monitored(entries)), f"seed {seed}: the same events, other bytes"


@st.composite
def timelines(draw: st.DrawFn) -> list[Entry]:
    """Small ones, that shrink."""
    return Maker(lambda n: draw(st.integers(0, n - 1))).timeline(draw(st.integers(0, 25)))


@settings(max_examples=40 * TIMES)
@given(timelines(), st.randoms(use_true_random=False))
def test_monitor_is_the_oracle_for_any_choices(entries: list[Entry], random: Random) -> None:
    agree(entries, random_calls(random, 5))
    agree(more_time(entries, random, 5), one_by_one)
