"""Other timelines that must lead to the same events: extra time entries, other record boundaries, crash replays, another log."""

from __future__ import annotations

from random import Random

import msgspec

from schemas.timeline import Bye, Fact, Hello, Time
from tests.support.entries import Entry, Row


def more_time(entries: list[Entry], random: Random, extra: int) -> list[Entry]:
    """With `extra` more truthful time entries of the live instance: each below everything that follows it."""
    out: list[Entry] = []
    ceiling = _ceilings(entries)
    live: tuple[str, str] | None = None
    chosen = set(random.choices(range(len(entries) + 1), k=extra))
    floor = 0
    for i, entry in enumerate([*entries, None]):
        if i in chosen and live is not None and ceiling[i] > floor:
            out.append(Time(*live, random.choice([ceiling[i], ceiling[i], random.randint(floor, ceiling[i])])))
        if entry is None:
            break
        out.append(entry)
        live = (entry.writer, entry.instance) if isinstance(entry, Hello) else None if isinstance(entry, Bye) else live
        floor = (
            max(floor, entry.t_ms) if isinstance(entry, Time) else floor or (entry[0].received - 100_000 if isinstance(entry, list) else 0)
        )
    return out


def _ceilings(entries: list[Entry]) -> list[int]:
    """Before entry i: the highest T that is true there."""
    ceiling = [0] * (len(entries) + 1)
    known: set[tuple[str, str, int]] = set()
    firsts = set()
    for i, entry in enumerate(entries):
        if isinstance(entry, Fact) and (key := (entry.topic, entry.key, entry.version)) not in known:
            known.add(key)
            firsts.add(i)
    least = 1 << 62
    for i in range(len(entries) - 1, -1, -1):
        entry = entries[i]
        if isinstance(entry, list):
            least = min(least, *(row.received - 1 for row in entry))
        elif i in firsts and isinstance(entry, Fact):
            least = min(least, entry.stamp - 1)
        ceiling[i] = least
    last = max((entry.t_ms for entry in entries if isinstance(entry, Time)), default=0)
    return [min(c, last) for c in [*ceiling[:-1], 0]]


def regrouped(entries: list[Entry], random: Random) -> list[Entry]:
    """Rows between other entries in other records; a message stays whole."""
    out: list[Entry] = []
    waiting: list[list[Row]] = []

    def flush() -> None:
        while waiting:
            n = random.randint(1, len(waiting))
            out.append([row for message in waiting[:n] for row in message])
            del waiting[:n]

    for entry in entries:
        if isinstance(entry, list):
            for row in entry:
                if waiting and (waiting[-1][-1].partition, waiting[-1][-1].offset) == (row.partition, row.offset):
                    waiting[-1].append(row)
                else:
                    waiting.append([row])
        else:
            flush()
            out.append(entry)
    flush()
    return out


def crashed(entries: list[Entry], random: Random, instance: str = "again") -> list[Entry]:
    """`ingest` was killed after entry i and began anew from j <= i: repeats in other records, a new instance, facts with an older stamp."""
    i = random.randint(1, len(entries))
    j = random.randint(max(1, i - 40), i)
    again: list[Entry] = []
    stated = 0
    for place, entry in enumerate(entries[j:], j):
        if isinstance(entry, Time) and place < i and random.random() < 0.5:
            continue  # its place depends on the poll
        if isinstance(entry, Time | Bye | Hello):
            if isinstance(entry, Hello):
                continue
            again.append(msgspec.structs.replace(entry, instance=instance))
            stated = entry.t_ms if isinstance(entry, Time) else stated
        elif isinstance(entry, Fact) and place < i:
            again.append(msgspec.structs.replace(entry, stamp=min(entry.stamp, stated + 1)))
        else:
            again.append(entry)
    return [*entries[:i], Hello("ingest", instance), *regrouped(again, random)]


def another_log(entries: list[Entry]) -> list[Entry]:
    """The same in a log with other partitions and offsets."""
    out: list[Entry] = []
    for entry in entries:
        if isinstance(entry, list):
            out.append([row._replace(partition=row.partition ^ 5, offset=row.offset * 3 + 7) for row in entry])
        elif isinstance(entry, Fact):
            out.append(msgspec.structs.replace(entry, partition=entry.partition ^ 5, version=entry.version * 3 + 7))
        else:
            out.append(entry)
    return out
