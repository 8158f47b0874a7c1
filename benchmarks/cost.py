"""CPU a reading of `ingest` and `monitor` beside the floor (consume and decode), one reading a message, one real broker, one run.

What a process uses to start with the same facts, measured in a run of its own, is taken off. Aims: ingest 1.6 x the floor, monitor 1.0 us.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Devices, caught_up, finish, health, readings, row, start, state_facts, wait_until
from schemas.topics import TOPICS
from sinks.log import open_log
from sinks.log.api import TP
from sinks.log.broker import LocalKafka


def flow(name: str, url: str, data: Path) -> tuple[str, ...]:
    """Arguments of a flow's own process."""
    return ("flows", "flow", name, "--log", url, "--data", str(data))


def fill(bootstrap: str, people: int, count: int) -> None:
    """Appends the readings, stamped as they are sent."""
    devices = Devices(bootstrap, linger_ms=5)
    for i, (device, loinc, value, unit) in enumerate(readings(people, count)):
        devices.say(device, loinc, value, unit, time.time_ns() // 1_000_000)
        if i % 1000 == 0:
            devices.poll()
        if i % 100_000 == 0:
            devices.flush()
    devices.flush()


def run(people: int = 5000, count: int = 1_000_000) -> None:
    """One run, three rows."""
    data = Path(tempfile.mkdtemp(prefix="nadi-bench-"))
    try:
        with LocalKafka() as kafka:
            log = open_log(kafka.url)
            log.create(TOPICS)
            state_facts(log, people)
            idle = start(*flow("ingest", kafka.url, data))
            wait_until("ingest states the facts", lambda: health(data, "ingest").get("time_ms") is not None)
            ingest_start_s = finish(idle)
            idle = start(*flow("monitor", kafka.url, data))
            wait_until("monitor knows the facts", lambda: caught_up(data))
            monitor_start_s = finish(idle)
            fill(kafka.bootstrap, people, count)
            floor_s = finish(start("benchmarks.child", "floor", kafka.bootstrap, str(count)), 300, ask=False)
            floor_idle_s = finish(start("benchmarks.child", "floor", kafka.bootstrap, "0"), 60, ask=False)
            floor_us = (floor_s - floor_idle_s) / count * 1e6
            row("cost", part="floor: consume and decode", people=people, readings=count, cpu_us_a_reading=round(floor_us, 3))

            child = start(*flow("ingest", kafka.url, data))
            drained = lambda: sum(health(data, "ingest").get("counts", {}).get(k, 0) for k in ("rows", "repeats")) >= count  # noqa: E731
            wall_s = wait_until("ingest drains", drained, 600)
            ingest_us = (finish(child) - ingest_start_s) / count * 1e6
            ratio = ingest_us / floor_us
            row(
                "cost",
                part="ingest",
                cpu_us_a_reading=round(ingest_us, 3),
                ratio_to_floor=round(ratio, 2),
                aim_ratio=1.6,
                wall_s=round(wall_s, 1),
            )

            began = time.monotonic()
            child = start(*flow("monitor", kafka.url, data))
            wait_until("monitor drains", lambda: caught_up(data), 600)
            wall_s = time.monotonic() - began
            monitor_us = (finish(child) - monitor_start_s) / count * 1e6
            alerts = sum(log.ends([TP("alerts", p) for p in range(8)]).values())
            row(
                "cost",
                part="monitor",
                cpu_us_a_reading=round(monitor_us, 3),
                ratio_to_floor=round(monitor_us / floor_us, 2),
                aim_us=1.0,
                events=alerts,
                wall_s=round(wall_s, 1),
            )
            log.close()
    finally:
        shutil.rmtree(data, ignore_errors=True)
