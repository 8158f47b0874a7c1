"""Runs the fold of a shard over entries, in calls of any size, over restarts."""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from random import Random

import msgspec

from operators.monitor.core import ShardMonitor
from schemas.events import AlertEvent, LiveFrame
from schemas.records import Append
from tests.support.entries import Entry, Event, encode, plain

SHARD = 0
Cut = Callable[[int], list[int]]
"""n entries -> sizes of the calls, summing to n."""


def one_call(n: int) -> list[int]:
    return [n]


def one_by_one(n: int) -> list[int]:
    return [1] * n


def random_calls(random: Random, most: int = 30) -> Cut:
    def cut(n: int) -> list[int]:
        sizes = []
        while n:
            sizes.append(min(n, random.randint(1, most)))
            n -= sizes[-1]
        return sizes

    return cut


def monitored(
    entries: Sequence[Entry], cut: Cut = one_call, restart: Callable[[], bool] = lambda: False, shard: int = SHARD
) -> list[bytes]:
    """The alert records that the fold appends; `restart` says after each call whether to go on from a snapshot that went through bytes."""
    monitor, out, at = ShardMonitor(shard), list[bytes](), 0
    records = [encode(entry) for entry in entries]
    for size in cut(len(records)):
        out += alerts(monitor.apply(records[at : at + size]))
        at += size
        if restart():
            monitor = ShardMonitor(shard, pickle.loads(pickle.dumps(monitor.snapshot())))
    return out


def alerts(appends: Iterable[Append]) -> list[bytes]:
    return [a.value for a in appends if a.topic == "alerts" and a.value is not None]


def frames(appends: Iterable[Append]) -> list[LiveFrame]:
    return [msgspec.json.decode(a.value, type=LiveFrame) for a in appends if a.topic == "live" and a.value is not None]


def events(values: Iterable[bytes]) -> list[Event]:
    return [plain(msgspec.json.decode(value, type=AlertEvent)) for value in values]


def in_order(found: Iterable[Event]) -> bool:
    """Within each alert the numbers go up one by one."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for event in found:
        if event.alert:
            numbers[event.alert].append(event.seq)
    return all(seqs == list(range(1, len(seqs) + 1)) for seqs in numbers.values())


def difference(found: Iterable[Event], expected: Iterable[Event]) -> str:
    """What is missing and what is too much, for a failing test to say."""
    a, b = set(found), set(expected)
    lines = [f"only the oracle: {e}" for e in sorted(b - a)] + [f"only the monitor: {e}" for e in sorted(a - b)]
    return "\n".join(sorted(lines, key=lambda line: line.split("at_ms=")[1])[:12])
