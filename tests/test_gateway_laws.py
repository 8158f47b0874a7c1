"""What the real `monitor` says, folded by the gateway: every event once, in order, and the same open alerts, whatever the two topics' pace."""

from __future__ import annotations

import pickle
from random import Random

import msgspec
import pytest

from gateway.fold import Fold
from gateway.wire import payloads_of
from operators.monitor.core import ShardMonitor
from schemas.events import AlertEvent, AlertState, LiveFrame
from schemas.records import Append
from tests.support.entries import encode
from tests.support.gateway import SHARDS
from tests.support.timelines import seeded

SHARD, SEEDS, BLOCKS = 0, 6, 4


def appended(seed: int, kills: bool) -> tuple[list[Append], dict[str, AlertState]]:
    """What lies on the log, and the alerts that are open in the end. A killed monitor goes on from an older snapshot."""
    random, records = Random(seed), [encode(e) for e in seeded(seed)]
    monitor, out, at = ShardMonitor(SHARD), list[Append](), 0
    saved = (0, pickle.dumps(monitor.snapshot()))
    while at < len(records):
        size = random.randint(1, 30)
        out += monitor.apply(records[at : at + size])
        at += size
        if random.random() < 0.3:
            saved = (at, pickle.dumps(monitor.snapshot()))
        elif kills and random.random() < 0.3:
            at = saved[0]
            monitor = ShardMonitor(SHARD, pickle.loads(saved[1]))
    return out, dict(monitor.state.alerts)


class Ev(msgspec.Struct):
    """The part of `ev` that counts here."""

    e: AlertEvent


def event_in(frame: bytes) -> AlertEvent:
    return msgspec.json.decode(payloads_of(frame)[0], type=Ev).e


class Reading:
    """A gateway that reads two topics, each in order, neither in step with the other."""

    def __init__(self, appends: list[Append]) -> None:
        self.fold = Fold([0] * SHARDS, ring_events=100_000, ring_bytes=1 << 30)
        self.alerts = [a.value for a in appends if a.topic == "alerts" and a.value is not None]
        self.lives = [a.value for a in appends if a.topic == "live" and a.value is not None]
        self.at = {"alerts": 0, "live": 0}
        self.told: list[AlertEvent] = []
        self.rounds = 0
        self.later_ms = 1_000_000

    def again(self, appends: list[Append]) -> None:
        """A minute later the same is appended once more."""
        self.later_ms += 60_000
        self.alerts += [a.value for a in appends if a.topic == "alerts" and a.value is not None]
        self.lives += [a.value for a in appends if a.topic == "live" and a.value is not None]

    def read(self, topic: str, most: int) -> None:
        values = self.alerts if topic == "alerts" else self.lives
        for value in values[self.at[topic] : self.at[topic] + most]:
            offset, self.at[topic] = self.at[topic], self.at[topic] + 1
            if topic == "alerts":
                self.fold.apply_alert(SHARD, offset, self.later_ms + offset, msgspec.json.decode(value, type=AlertEvent), value)
            else:
                self.fold.apply_live(self.later_ms + offset, msgspec.json.decode(value, type=LiveFrame))
        if self.at["alerts"] == len(self.alerts):
            self.rounds += 1
        self.fold.settle(self.rounds)
        for _, frame in self.fold.take().events:
            self.told.append(event_in(frame))

    def all(self, random: Random) -> None:
        while self.at["alerts"] < len(self.alerts) or self.at["live"] < len(self.lives):
            self.read(random.choice(["alerts", "live"]), random.randint(1, 40))

    def waiting(self) -> set[str]:
        """Events of people whom no frame has told of."""
        return {event_in(frame).id for _, frame in self.fold.orphans}

    def open(self) -> dict[str, AlertState]:
        return {name: held.state for name, held in self.fold.shards[SHARD].open.items()}


@pytest.mark.parametrize("kills", [False, True], ids=["undisturbed", "killed"])
@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_event_of_monitor_is_told_once_and_the_open_alerts_are_its_own(block: int, kills: bool) -> None:
    compared = 0
    for seed in range(block * SEEDS, block * SEEDS + SEEDS):
        appends, alerts = appended(seed, kills)
        reading = Reading(appends)
        reading.all(Random(seed))
        said = {msgspec.json.decode(v)["id"] for v in reading.alerts}
        told = [e.id for e in reading.told]
        assert set(told) | reading.waiting() == said, f"seed {seed}"
        assert len(set(told)) == len(told), f"seed {seed}: told twice"
        assert reading.open() == alerts, f"seed {seed}"
        assert reading.fold.history == 0
        for alert in {e.alert for e in reading.told if e.alert}:
            numbers = [e.seq for e in reading.told if e.alert == alert and e.state is not None]
            assert numbers == sorted(numbers), f"seed {seed}"
        compared += len(told)
    assert compared > 50


@pytest.mark.parametrize("block", range(BLOCKS))
def test_a_monitor_that_lost_its_memory_and_judges_everything_again_tells_nothing(block: int) -> None:
    for seed in range(block * SEEDS, block * SEEDS + SEEDS):
        appends, alerts = appended(seed, kills=False)
        reading = Reading(appends)
        reading.all(Random(seed))
        before, waiting = len(reading.told), reading.waiting()
        reading.again(appends)
        reading.all(Random(seed + 1))
        assert len(reading.told) == before, f"seed {seed}"
        assert reading.waiting() == waiting
        assert reading.open() == alerts, f"seed {seed}"
