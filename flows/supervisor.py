"""`nadi up`: starts all processes, restarts what dies, and ends all with one signal. It reads nothing and decides nothing else.

A folder has one supervisor (a lock). Its children die with it, however it dies.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from flows.children import REFUSED, Child, back_off_s, status_text

TICK_S = 0.1
GRACE_S = 12.0
"""From SIGTERM to SIGKILL: a flow checkpoints, a gateway says goodbye to its viewers."""
STATS_EVERY_S = 5.0
Say = Callable[[str], None]


class AlreadyUp(RuntimeError):
    """Another supervisor has the folder."""


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Holds the data folder for this supervisor. Raises AlreadyUp."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            msg = f"nadi is already up on {folder} (process {lock.read().strip() or '?'}): stop that one, or say another folder with --data"
            raise AlreadyUp(msg) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        os.set_inheritable(lock.fileno(), False)
        yield


class Supervisor:
    """Children in the order of their start; they end in the opposite order."""

    def __init__(self, children: Sequence[Child], say: Say, stats: Callable[[Sequence[Child]], None] | None = None) -> None:
        self.children = list(children)
        self._say, self._stats = say, stats
        self._stop: int | None = None
        self.refused: Child | None = None
        """The child that must not start, if that is what ended all."""

    def run(self, each_tick: Callable[[], None] = lambda: None) -> int:
        """Until SIGINT or SIGTERM, or until a child refuses to start. Returns the exit status."""
        before = {number: signal.signal(number, self._asked) for number in (signal.SIGINT, signal.SIGTERM)}
        shown_s = time.monotonic()
        try:
            while self._stop is None and self.refused is None:
                self._look(time.monotonic())
                each_tick()
                if self._stats and time.monotonic() - shown_s >= STATS_EVERY_S:
                    self._stats(self.children)
                    shown_s = time.monotonic()
                time.sleep(TICK_S)
        finally:
            self._end_all()
            for number, handler in before.items():
                signal.signal(number, handler)
        return 1 if self.refused else 0

    def _asked(self, number: int, _frame: FrameType | None) -> None:
        self._stop = number

    def _look(self, now_s: float) -> None:
        for child in self.children:
            status = child.ended(now_s)
            if status is not None:
                if self._ended(child, status):
                    return
            elif child.process is None and not child.done and child.due_s is not None and now_s >= child.due_s:
                child.start(now_s)

    def _ended(self, child: Child, status: int) -> bool:
        """True when everything must end."""
        if status == 0 and child.may_end:
            child.done = True
            self._say(f"{child.name} has ended")
            return False
        if status == REFUSED:
            self.refused = child
            self._say(f"{child.name} must not start (see above): ending all")
            return True
        child.restarts += 1
        pause_s = back_off_s(child.in_a_row - 1)
        self._say(f"{child.name} ended ({status_text(status)}); restart {child.restarts} in {pause_s:g} s")
        return False

    def _end_all(self) -> None:
        running = [c for c in reversed(self.children) if c.process is not None]
        if running:
            self._say("ending " + ", ".join(c.name for c in running))
        until = time.monotonic() + GRACE_S
        for child in running:
            child.signal(signal.SIGTERM)
        for child in running:
            assert child.process is not None
            try:
                child.process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._say(f"{child.name} did not end in {GRACE_S:.0f} s: killed")
            finally:
                child.signal(signal.SIGKILL)
                child.process.wait()
