"""What `nadi up --stats` prints: each process with its age, CPU and memory, and how it feels."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from flows.children import Child
from flows.cli.common import table

MB = 1024 * 1024


class Stats:
    """CPU is of the time since the last table; PSS counts shared pages in shares, so that the sum is what Nadi takes of the machine."""

    def __init__(self, health: Callable[[str], str]) -> None:
        self._health = health
        self._known: dict[int, psutil.Process] = {}
        self.peak_pss_mb = 0.0

    def __call__(self, children: Sequence[Child]) -> None:
        """Prints one table."""
        rows: list[tuple[object, ...]] = []
        total = 0.0
        for name, pid, restarts, health in [
            ("supervisor", psutil.Process().pid, 0, ""),
            *((c.name, c.pid, c.restarts, self._state(c)) for c in children),
        ]:
            cpu, pss = self._measure(pid) if pid is not None else (None, None)
            total += pss or 0.0
            rows.append((name, pid, restarts, "" if cpu is None else f"{cpu:.0f}", "" if pss is None else f"{pss:.0f}", health))
        self.peak_pss_mb = max(self.peak_pss_mb, total)
        rows.append(("all", "", sum(c.restarts for c in children), "", f"{total:.0f}", f"peak {self.peak_pss_mb:.0f} MB"))
        table(("process", "pid", "restarts", "CPU %", "PSS MB", "health"), rows)

    def _state(self, child: Child) -> str:
        if child.done:
            return "ended"
        return self._health(child.name) if child.pid is not None else "waits to be started again"

    def _measure(self, pid: int) -> tuple[float | None, float | None]:
        try:
            process = self._known.setdefault(pid, psutil.Process(pid))
            memory = process.memory_full_info()
            return process.cpu_percent(None), getattr(memory, "pss", memory.rss) / MB
        except psutil.Error:
            self._known.pop(pid, None)
            return None, None


def flow_health(file: Path, now_ms: int | None = None) -> str:
    """How a flow goes, by the file that it writes each second."""
    try:
        status = json.loads(file.read_text())
    except (OSError, json.JSONDecodeError):
        return "starting"
    now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    ages = [f"{word} {(now - at) / 1000:.1f} s" for word, at in (("epoch", status["committed_ms"]), ("time", status["time_ms"])) if at]
    return ", ".join([str(status["state"]), *ages])


def gateway_health(address: str) -> str:
    """What `/health` says."""
    try:
        with urlopen(f"{address}/health", timeout=1) as answer:
            return "ok" if answer.status == 200 else f"status {answer.status}"
    except URLError as error:
        return "starting" if isinstance(error.reason, ConnectionRefusedError) else f"not healthy: {error.reason}"
    except OSError as error:
        return f"not healthy: {error}"
