"""Flows as processes: start, watch what they append, end or kill; and what came out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows.appending import Pace, Progress, append_stream, create_topics
from operators.sim.items import Item
from schemas.topics import BY_NAME
from sinks.log import open_log
from sinks.log.api import TP, Log
from tests.support.logs import read_all

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60.0
OUTPUTS = {"ingest": ("timeline", "dead-letter"), "monitor": ("alerts", "live", "trends")}


def tps(*topics: str) -> list[TP]:
    return [TP(topic, partition) for topic in topics for partition in range(BY_NAME[topic].partitions)]


def produce(log_url: str, items: Iterable[Item]) -> None:
    """Puts a recorded run into a fresh log."""
    log = open_log(log_url)
    create_topics(log)
    writer = log.writer("sim")
    append_stream(writer, items, Pace(None), Progress("sim"))
    writer.close()
    log.close()


class Flow:
    """One flow; `start` again after it ended or was killed."""

    def __init__(self, name: str, log_url: str, folder: Path, **arguments: object) -> None:
        self.name, self.log_url, self.folder = name, log_url, folder
        self.recovery = folder / "recovery" / name
        self.status_file = folder / "health" / f"{name}.json"
        self.errors = folder / f"{name}.stderr"
        self._arguments = {"log_url": log_url, "recovery_dir": str(self.recovery), "status_dir": str(folder / "health"), **arguments}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **arguments: object) -> None:
        assert self.process is None or self.process.poll() is not None
        command = [sys.executable, "-m", "tests.support.flow_child", self.name, json.dumps({**self._arguments, **arguments})]
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=errors, stdin=subprocess.DEVNULL)

    def wait(self, deadline_s: float = DEADLINE_S) -> int:
        assert self.process is not None
        return self.process.wait(deadline_s)

    def running(self) -> bool:
        assert self.process is not None
        return self.process.poll() is None

    def terminate(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.wait()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def status(self) -> dict[str, Any]:
        """What the flow says of itself, empty before it says anything."""
        found: dict[str, Any] = json.loads(self.status_file.read_text()) if self.status_file.exists() else {}
        return found

    def said(self) -> str:
        return self.errors.read_text()


@contextmanager
def flow(name: str, log_url: str, folder: Path, **arguments: object) -> Iterator[Flow]:
    """Killed at the end, whatever happens."""
    made = Flow(name, log_url, folder, **arguments)
    try:
        yield made
    finally:
        made.kill()


def run_to_end(log_url: str, folder: Path, poll: int = 5000) -> None:
    """Both flows over a recorded run, undisturbed."""
    with (
        flow("ingest", log_url, folder, clock="stream", poll=poll) as ingest,
        flow("monitor", log_url, folder, poll=poll, until_end=True) as monitor,
    ):
        for one in (ingest, monitor):
            one.start()
        for one in (ingest, monitor):
            assert one.wait() == 0, one.said()


class Events:
    """`alerts` read on and on, repeats too."""

    def __init__(self, log: Log) -> None:
        self._reader = log.reader(log.starts(tps("alerts")))
        self.found: list[dict[str, Any]] = []

    def now(self) -> list[dict[str, Any]]:
        """What has come so far."""
        self.found += [json.loads(value or b"") for value in self._reader.poll(1000).values]
        return self.found

    def close(self) -> None:
        self._reader.close()


def events(log: Log) -> list[dict[str, Any]]:
    """All records of `alerts`, repeats too; nobody writes there any more."""
    return [json.loads(record.value or b"") for record in read_all(log, tps("alerts"))]


def event_ids(log_url: str) -> set[str]:
    log = open_log(log_url)
    found = {str(event["id"]) for event in events(log)}
    log.close()
    return found
