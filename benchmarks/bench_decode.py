"""`python -m benchmarks.bench_decode`: CPU of the pure ingest a reading, beside the least that Python can do for it.

The least: one msgspec decode a message, its fields into columns. No broker and no process: what `cost` measures whole, here in its parts.
Each poll is fresh and met once, as it comes from a consumer.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from benchmarks.measure import row
from flows.engine.columns import Columns
from operators.decode.native import decode, read_message
from operators.decode.poll import Native
from operators.ingest.core import IngestCore
from schemas.facts import DeviceFact, Lease
from schemas.identity import SHARDS_PER_PROCESS
from sinks.log.api import Record

DEVICES, POLLS, PARTITIONS, T0 = 5000, 40, 4, 1_772_323_200_000
VITALS = (
    ("8867-4", 72, "/min"),
    ("9279-1", 16, "/min"),
    ("59408-5", 97, "%"),
    ("8480-6", 121, "mm[Hg]"),
    ("8462-4", 78, "mm[Hg]"),
    ("8310-5", 37, "Cel"),
)


def ward() -> IngestCore:
    """A live core that knows 5,000 bound devices."""
    core = IngestCore(writer="ingest-0", instance="bench", shards=SHARDS_PER_PROCESS, clock="live", state=None)
    facts = [DeviceFact(f"mon-{i:05d}", "1", "monitor", 5000, [Lease(f"p-{i:05d}", 0)]) for i in range(DEVICES)]
    core.load_tables(Record("devices", 0, i, T0, fact.device.encode(), msgspec.json.encode(fact), ()) for i, fact in enumerate(facts))
    core.start()
    return core


def poll(number: int, messages: int, each: int) -> Columns:
    """One message a device, each partition in one piece, as a consumer brings them."""
    t, values = T0 + number * 1000, list[bytes | None]()
    for i in range(messages):
        readings = [{"code": code, "value": value + (i + number) % 3, "unit": unit} for code, value, unit in VITALS[:each]]
        values.append(msgspec.json.encode({"v": 1, "device": f"mon-{i:05d}", "t": t, "readings": readings}))
    return Columns(
        ["device-readings"] * messages,
        [i * PARTITIONS // messages for i in range(messages)],
        [number * messages + i for i in range(messages)],
        [t + 40 + i * PARTITIONS % messages // 100 for i in range(messages)],
        [None] * messages,
        values,
        [()] * messages,
    )


def floor(values: Sequence[bytes | None]) -> object:
    """What the floor of `make bench` does with each message."""
    devices, times, codes, numbers = list[str](), list[object](), list[str](), list[float | None]()
    for value in values:
        message = read_message(value or b"")
        devices.append(message.device)
        times.append(message.t)
        for reading in message.readings:
            codes.append(reading.code)
            numbers.append(reading.value)
    return devices, np.array(times, np.int64), codes, np.array(numbers, np.float64)


def cpu_us(work: Callable[[Columns], object], polls: Sequence[Columns], readings: int) -> tuple[float, float]:
    """(least, median) CPU us a reading over the polls."""
    spent = []
    for one in polls:
        began = time.process_time()
        work(one)
        spent.append((time.process_time() - began) / readings * 1e6)
    return round(min(spent), 3), round(float(np.median(spent)), 3)


def run() -> None:
    """Prints a row a case; `over` = times the floor, by medians."""
    core, native = ward(), Native()
    number = 0
    gc.collect()
    gc.freeze()
    for messages, each in ((5000, 1), (5000, 6), (500, 1), (50, 1)):
        readings = messages * each
        base = 0.0
        works: dict[str, Callable[[Columns], object]] = {
            "floor": lambda one: floor(one.values),
            "scalar decode": lambda one: [decode(value, T0) for value in one.values],
            "decode": lambda one: native.many(one.values, np.array(one.append_ms, np.int64)),
            "ingest": lambda one: core.apply(one, None),
        }
        for what, work in works.items():
            polls = [poll(number + i, messages, each) for i in range(POLLS)]
            number += POLLS
            least, median = cpu_us(work, polls, readings)
            base = base or median
            row(
                "decode",
                what=what,
                messages_a_poll=messages,
                readings_a_message=each,
                us_least=least,
                us=median,
                over=round(median / base, 2),
            )


if __name__ == "__main__":
    run()
