"""Restart time and memory of `ingest` and `monitor` with 5,000 and 20,000 patients: from the start to the first durable epoch."""

from __future__ import annotations

import shutil
import tempfile
import time
from functools import partial
from pathlib import Path

import psutil

from benchmarks.cost import fill, flow
from benchmarks.measure import caught_up, finish, health, row, start, state_facts, wait_until
from schemas.topics import TOPICS
from sinks.log import open_log
from sinks.log.broker import LocalKafka


def run(sizes: tuple[int, ...] = (5000, 20_000)) -> None:
    """One broker a size; every patient has three vitals."""
    for people in sizes:
        data = Path(tempfile.mkdtemp(prefix="nadi-bench-"))
        try:
            with LocalKafka() as kafka:
                log = open_log(kafka.url)
                log.create(TOPICS)
                state_facts(log, people)
                fill(kafka.bootstrap, people, people * 3)
                for name in ("ingest", "monitor"):
                    first = start(*flow(name, kafka.url, data))
                    wait_until(f"{name} drains", partial(_drained, data, name), 300)
                    finish(first)
                for name in ("ingest", "monitor"):
                    _again(name, kafka.url, data, people)
                log.close()
        finally:
            shutil.rmtree(data, ignore_errors=True)


def _drained(data: Path, name: str) -> bool:
    """Ingest has read to the end; monitor has seen all that ingest stated before it ended."""
    if name == "ingest":
        return (health(data, name).get("time_ms") or 0) > (time.time() - 3) * 1000
    return caught_up(data)


def _again(name: str, url: str, data: Path, people: int) -> None:
    began_ms = time.time() * 1000
    child = start(*flow(name, url, data))
    took_s = wait_until(f"{name} commits", lambda: (health(data, name).get("committed_ms") or 0) > began_ms, 120)
    pss = psutil.Process(child.pid).memory_full_info().pss
    folder = data / "recovery" / name
    size = sum(f.stat().st_size for f in folder.iterdir() if f.is_file())
    row("restart", flow=name, people=people, seconds=round(took_s, 2), pss_mb=round(pss / 1e6), recovery_mb=round(size / 1e6, 1))
    finish(child)
