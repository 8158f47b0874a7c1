"""How a flow tells others how it goes: a small JSON file, written at most once a second, and the same numbers for Prometheus.

The file holds times, not ages: it grows stale by itself when the flow hangs, and a watchdog outside sees it (`doctor`, the supervisor).
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

WRITE_EVERY_MS = 1_000
UNHEALTHY_AFTER_MS = 10_000


@dataclass
class Health:
    """What is known of a running flow; all times are ms since 1970 UTC.

    `committed_ms`: wall time at which an epoch (state, positions, output) was last known to be durable. `time_ms`: shard time or T.
    """

    flow: str
    instance: str
    now_ms: Callable[[], int]
    file: Path | None = None
    started_ms: int = 0
    committed_ms: int | None = None
    time_ms: int | None = None
    state: str = "starting"
    counts: dict[str, int] = field(default_factory=dict)
    _written_ms: int | None = None

    def __post_init__(self) -> None:
        self.started_ms = self.now_ms()

    def add(self, name: str, n: int) -> None:
        """Counts something."""
        self.counts[name] = self.counts.get(name, 0) + n

    def status(self) -> dict[str, Any]:
        """What the file says. All times in ms since 1970 UTC of this machine's clock, `time_ms` of the log's."""
        return {
            "v": 1,
            "flow": self.flow,
            "pid": os.getpid(),
            "instance": self.instance,
            "state": self.state,
            "written_ms": self.now_ms(),
            "started_ms": self.started_ms,
            "committed_ms": self.committed_ms,
            "time_ms": self.time_ms,
            "counts": dict(self.counts),
        }

    def tick(self, force: bool = False) -> None:
        """Writes the file if it is due. The rename is atomic: a reader sees the old or the new, never half of one."""
        if self.file is None:
            return
        now = self.now_ms()
        if not force and self._written_ms is not None and 0 <= now - self._written_ms < WRITE_EVERY_MS:
            return
        self._written_ms = now
        self.file.parent.mkdir(parents=True, exist_ok=True)
        part = self.file.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(self.status()) + "\n")
        part.replace(self.file)

    def healthy(self) -> bool:
        """An epoch was committed a short while ago."""
        return self.committed_ms is not None and self.now_ms() - self.committed_ms < UNHEALTHY_AFTER_MS


def metrics(status: Mapping[str, Any], now_ms: int) -> str:
    """The status in Prometheus' text form. Ages are in seconds; what is not known yet is absent."""
    label = f'{{flow="{status["flow"]}"}}'
    lines = []
    for name, at, text in (
        ("nadi_epoch_age_seconds", status["committed_ms"], "Age of the last committed epoch."),
        ("nadi_time_age_seconds", status["time_ms"], "How far shard time is behind the wall clock."),
        ("nadi_start_age_seconds", status["started_ms"], "Age of the process."),
    ):
        if at is not None:
            lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name}{label} {(now_ms - at) / 1000:.3f}"]
    for name, value in sorted(status["counts"].items()):
        lines += [f"# TYPE nadi_{name}_total counter", f"nadi_{name}_total{label} {value}"]
    return "\n".join(lines) + "\n"


def serve(health: Health, port: int, host: str = "127.0.0.1") -> ThreadingHTTPServer:
    """`/metrics`, and `/health` (503 when no epoch was committed for 10 s), in a thread; port 0: a free one. The caller shuts it down."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, metrics(health.status(), health.now_ms()), "text/plain; version=0.0.4")
            elif self.path == "/health":
                self._answer(200 if health.healthy() else 503, json.dumps(health.status()), "application/json")
            else:
                self._answer(404, "only /metrics and /health\n", "text/plain")

        def _answer(self, code: int, text: str, kind: str) -> None:
            body = text.encode()
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Scrapes are no news."""

    server = ThreadingHTTPServer((host, port), Handler)
    threading.Thread(target=server.serve_forever, name=f"{health.flow}-health", daemon=True).start()
    return server
