"""One child process of `nadi up`: started in its own group, taken along when its parent dies, restarted with back-off."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PARENT = "NADI_SUPERVISOR"
"""Variable that tells a child who started it."""
PR_SET_PDEATHSIG = 1
BACK_OFF_S = (0.5, 30.0)
CALM_S = 60.0
"""A child that lived so long starts with the shortest back-off again."""
REFUSED = 2
"""Exit status of a child that must not start (settings, folder of another log): starting it again would say the same."""


def die_with_parent(environ: Mapping[str, str]) -> None:
    """Called first by each child: the kernel kills it when its parent goes, by kill -9 too; a parent that went already is noticed."""
    parent = environ.get(PARENT)
    if parent is None or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit(f"nadi: process {parent}, which started this one, is gone")


def back_off_s(restarts: int) -> float:
    """Pause before the next start after `restarts` in a row: 0.5, 1, 2, ... 30 s."""
    first, most = BACK_OFF_S
    return min(most, first * 2.0 ** min(restarts, 20))


@dataclass
class Child:
    """`due_s`: when to start it next, in the supervisor's monotonic seconds; None while it runs."""

    name: str
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    due_s: float | None = 0.0
    started_s: float = 0.0
    restarts: int = 0
    in_a_row: int = 0
    last_status: int | None = None
    may_end: bool = False
    """Status 0 means that nothing is left to do (a simulation); all others are started again, whoever stopped them."""
    done: bool = False
    environ: dict[str, str] = field(default_factory=dict)

    def start(self, now_s: float) -> None:
        """Starts it in a session of its own, so that Ctrl-C reaches the supervisor alone, which ends it in order."""
        environ = {**os.environ, **self.environ, PARENT: str(os.getpid())}
        command = [sys.executable, "-m", "flows", *self.arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, env=environ)
        self.started_s, self.due_s = now_s, None

    def ended(self, now_s: float) -> int | None:
        """Its exit status if it has just ended; then it is due again after the back-off."""
        if self.process is None or (status := self.process.poll()) is None:
            return None
        self.process, self.last_status = None, status
        if now_s - self.started_s >= CALM_S:
            self.in_a_row = 0
        self.due_s = now_s + back_off_s(self.in_a_row)
        self.in_a_row += 1
        return status

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return None if self.process is None else self.process.pid

    def signal(self, number: signal.Signals) -> None:
        """To its whole group; it may be gone."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


def status_text(status: int) -> str:
    """An exit status in words: `status 1`, `killed by SIGKILL`."""
    if status >= 0:
        return f"status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
