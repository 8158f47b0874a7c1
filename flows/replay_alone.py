"""A replay on its own: a fresh data folder, the embedded log, `ingest` and `monitor` as child processes until the end of the stream."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.children import PARENT, die_with_parent, status_text
from flows.replay_sets import ReplayError
from sinks.log.api import LogError

FLOWS = ("ingest", "monitor")
END_WAIT_S = 5.0
LAST_LINES = 12


def fresh_folder(folder: Path) -> None:
    """Makes the folder; one that holds anything is refused. Raises ReplayError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ReplayError(f"{folder} is not empty: --alone needs a fresh folder (give another with --data, or delete it)")
    folder.mkdir(parents=True, exist_ok=True)


class Running:
    """The two flows; their words go to files in the data folder."""

    def __init__(self, log_url: str, folder: Path, poll: int) -> None:
        self.folder = folder
        self.children = {name: self._start(name, log_url, poll) for name in FLOWS}

    def _start(self, name: str, log_url: str, poll: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "flows.replay_alone", name, log_url, str(self.folder / "recovery" / name), str(poll)]
        with self._words(name).open("wb") as words:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=words, stderr=words, env={**os.environ, PARENT: str(os.getpid())}
            )

    def _words(self, name: str) -> Path:
        return self.folder / f"{name}.txt"

    def check(self) -> None:
        """Raises LogError if a flow has failed."""
        for name, child in self.children.items():
            if child.poll():
                said = self._words(name).read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
                raise LogError(f"{name} ended with {status_text(child.returncode)}: " + "\n".join(said))

    def wait(self) -> None:
        """Until both have come to the end of the stream. Raises LogError if one fails."""
        while any(child.poll() is None for child in self.children.values()):
            self.check()
            for child in self.children.values():
                try:
                    child.wait(0.05)
                except subprocess.TimeoutExpired:
                    break
        self.check()

    def end(self) -> None:
        """Ends what still runs, by its own process id."""
        for child in self.children.values():
            if child.poll() is None:
                child.terminate()
        until = time.monotonic() + END_WAIT_S
        for child in self.children.values():
            try:
                child.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@contextmanager
def running(log_url: str, folder: Path, poll: int) -> Iterator[Running]:
    """The flows while a replay runs; none is left behind."""
    flows = Running(log_url, folder, poll)
    try:
        yield flows
    finally:
        flows.end()


def child(name: str, log_url: str, recovery: str, poll: str) -> int:
    """Runs one flow to the end of the stream; no frames for a board, for nobody looks."""
    die_with_parent(os.environ)
    if name == "ingest":
        from flows.ingest import run_ingest

        return run_ingest(log_url=log_url, recovery_dir=Path(recovery), clock="stream", poll=int(poll))
    from flows.monitor import run_monitor

    return run_monitor(log_url=log_url, recovery_dir=Path(recovery), poll=int(poll), until_end=True, live=False)


if __name__ == "__main__":
    sys.exit(child(*sys.argv[1:]))
