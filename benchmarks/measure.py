"""What benchmarks share: children whose CPU and memory are read from the kernel, rows as JSON, a ward of many devices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
from confluent_kafka import KafkaError, Producer

from schemas.facts import DeviceFact, Lease, PatientFact
from schemas.identity import key64, shard_of
from sinks.log.api import Log

RESULTS = Path(__file__).parent / "results"
VITALS = (("8867-4", 78.0, 7.0, "/min"), ("9279-1", 16.0, 2.0, "/min"), ("59408-5", 97.0, 1.0, "%"))
WARDS = 20


def row(name: str, **fields: Any) -> dict[str, Any]:
    """One result: printed, and appended to benchmarks/results/NAME.jsonl."""
    made = {"bench": name, **fields}
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a") as file:
        file.write(json.dumps(made) + "\n")
    print(json.dumps(made), flush=True)
    return made


def start(*arguments: str) -> subprocess.Popen[bytes]:
    """A child of this benchmark: `python -m ARGUMENTS`."""
    return subprocess.Popen([sys.executable, "-m", *arguments], stdin=subprocess.DEVNULL)


def cpu_s(pid: int) -> float:
    """User and system seconds of a process and its threads so far."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def finish(child: subprocess.Popen[bytes], timeout_s: float = 60.0, ask: bool = True) -> float:
    """Ends a child by SIGTERM (or waits for its own end); returns all CPU seconds that it used. RuntimeError if it failed."""
    if ask:
        child.terminate()
    deadline = time.monotonic() + timeout_s
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > deadline:
            child.kill()
        time.sleep(0.02)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise RuntimeError(f"{child.args!r} ended with {child.returncode}")
    return usage.ru_utime + usage.ru_stime


def wait_until(what: str, condition: Callable[[], bool], timeout_s: float = 120.0) -> float:
    """Seconds until the condition held. TimeoutError names it."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > timeout_s:
            raise TimeoutError(what)
        time.sleep(0.02)
    return time.monotonic() - began


def health(folder: Path, flow: str) -> dict[str, Any]:
    """What a flow says of itself; empty before it said anything."""
    try:
        return dict(json.loads((folder / "health" / f"{flow}.json").read_text()))
    except (OSError, ValueError):
        return {}


def caught_up(folder: Path) -> bool:
    """Monitor has seen all that ingest stated before it ended."""
    stated = health(folder, "ingest").get("time_ms")
    return stated is not None and (health(folder, "monitor").get("time_ms") or 0) >= stated


class Devices:
    """A producer as devices have it. A refused message ends the benchmark: a load that was not sent measures nothing."""

    def __init__(self, bootstrap: str, linger_ms: int) -> None:
        settings = {
            "bootstrap.servers": bootstrap,
            "linger.ms": linger_ms,
            "batch.size": 262_144,  # a whole batch counts against the topic's limit of 512 KiB
            "queue.buffering.max.messages": 500_000,
        }
        self._producer = Producer(settings)
        self._refused: list[str] = []

    def _told(self, error: KafkaError | None, _message: object) -> None:
        if error is not None:
            self._refused.append(str(error))

    def say(self, device: bytes, loinc: str, value: float, unit: str, t_ms: int) -> None:
        """One reading, one message."""
        body = b'{"device":"%b","t":%d,"code":"%b","value":%.1f,"unit":"%b"}' % (device, t_ms, loinc.encode(), value, unit.encode())
        self._producer.produce("device-readings", body, key=device, on_delivery=self._told)

    def poll(self) -> None:
        """Hears of deliveries. RuntimeError for a refused message."""
        self._producer.poll(0)
        self._check()

    def flush(self) -> None:
        """Returns when all were taken."""
        left = self._producer.flush(120)
        self._check()
        if left:
            raise RuntimeError(f"{left} messages were not taken")

    def _check(self) -> None:
        if self._refused:
            raise RuntimeError(f"{len(self._refused)} messages refused: {self._refused[0]}")


def names(people: int) -> list[str]:
    """Pseudonyms."""
    return [f"b-{i:05d}" for i in range(people)]


def state_facts(log: Log, people: int, wards: int = WARDS) -> None:
    """Patients of some wards, one monitor each."""
    writer = log.writer("bench-facts")
    encode = msgspec.json.encode
    for i, name in enumerate(names(people)):
        patient = PatientFact(name, "1", "a1", ward=f"w{i % wards:02d}", bed=f"{i // wards:03d}", initials="B.B.", age_years=60, by="bench")
        device = DeviceFact(f"m-{name}", "1", "monitor", 5000, [Lease(name, 0, None, "bench")])
        writer.append("patients", 0, encode(patient), name.encode())
        writer.append("devices", 0, encode(device), device.device.encode())
    writer.flush()
    writer.close()


def readings(people: int, count: int, seed: int = 1) -> Iterator[tuple[bytes, str, float, str]]:
    """(device, LOINC, value, unit) of healthy people in turn, one reading each; 1 % beyond a limit."""
    made = np.random.default_rng(seed)
    devices = [f"m-{name}".encode() for name in names(people)]
    for begin in range(0, count, people):
        loinc, mean, sd, unit = VITALS[(begin // people) % len(VITALS)]
        values = np.round(mean + sd * made.standard_normal(people))
        values[made.random(people) < 0.01] = 75 if loinc == "59408-5" else 140
        if loinc == "59408-5":
            values = np.minimum(values, 100)
        for device, value in zip(devices[: count - begin], values.tolist(), strict=False):
            yield device, loinc, value, unit


def shards_used(people: int) -> int:
    """How many shards the people fall into."""
    return len({shard_of(key64(name)) for name in names(people)})
