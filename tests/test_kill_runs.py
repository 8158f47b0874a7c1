"""One answer (laws 1-4): whatever the log, the size of polls and the kills, the events are the oracle's."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from flows.sim import sim_items
from operators.sim.items import Item
from sinks.log import open_log
from tests.oracle_ingest import Verdict, judge
from tests.support.flows import events, produce
from tests.support.kill import kill_run, plan

PEOPLE, MINUTES = 30, 30.0


@cache
def recorded(seed: int) -> tuple[list[Item], Verdict]:
    items = list(sim_items(PEOPLE, "mixed", seed, MINUTES, dirt=True))
    return items, judge(items)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("poll", [1, 50, 5000])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_five_kills_change_nothing(log_url: str, tmp_path: Path, seed: int, poll: int) -> None:
    items, verdict = recorded(seed)
    produce(log_url, items)
    kills = plan(seed, math.ceil(len(items) / poll))
    died = kill_run(log_url, tmp_path, kills, poll)
    assert len(died) == 5
    assert sum(d.kill.early and d.epochs == 0 for d in died) >= 2, "two of five before the first epoch after a restart is committed"
    log = open_log(log_url)
    found = events(log)
    log.close()
    assert {event["id"] for event in found} == {event.id for event in verdict.events}
    assert_repeats_are_the_same(found)


def assert_repeats_are_the_same(found: list[dict[str, object]]) -> None:
    """A repeat carries what the first one carried, and numbers within an alert are dense."""
    by_id: dict[object, dict[str, object]] = {}
    numbers: dict[object, set[object]] = defaultdict(set)
    for event in found:
        assert by_id.setdefault(event["id"], event) == event
        if event.get("state") is not None:
            numbers[event["alert"]].add(event["seq"])
    for seen in numbers.values():
        assert seen == set(range(1, len(seen) + 1))
