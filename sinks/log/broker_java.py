"""Starts Java so that it ends with its parent and starts fast the next time."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
QUICK = ("-XX:TieredStopAtLevel=1",)
"""Compile little: half the work at start, slower afterwards. For what lives for seconds."""
OPTIONS = (
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-XX:+UseSerialGC",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)


def spawn(lib: Path, folder: Path, options: Sequence[str], main: Sequence[str]) -> subprocess.Popen[bytes]:
    """In a session of its own: Ctrl-C in the terminal reaches only the parent, which decides. Writes to `broker.log` in `folder`."""
    with (folder / "broker.log").open("ab") as log:
        return subprocess.Popen(
            ["java", *OPTIONS, *options, "-cp", f"{lib}/*", *main],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
            preexec_fn=die_with_parent(os.getpid()),  # noqa: PLW1509 - one prctl call, no lock is taken in the child
        )


def die_with_parent(parent: int) -> Callable[[], None]:
    """What the child does before Java starts: asks the kernel to be killed when its parent ends, however that ends (Linux)."""
    if not sys.platform.startswith("linux"):
        return lambda: None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before the kernel was asked
            os._exit(1)

    return ask


class ClassArchive:
    """Java's own archive of loaded classes, beside the jars: it halves the work of a start. The first orderly end writes it."""

    def __init__(self, lib: Path) -> None:
        self._path = lib.parent / "classes.jsa"
        self._draft = lib.parent / f"classes.{os.getpid()}.jsa"

    @property
    def wanted(self) -> bool:
        """True as long as there is none: the broker should then end in good order."""
        return not self._path.exists()

    def use(self) -> list[str]:
        return [] if self.wanted else [f"-XX:SharedArchiveFile={self._path}"]

    def use_or_write(self) -> list[str]:
        return [f"-XX:ArchiveClassesAtExit={self._draft}"] if self.wanted else self.use()

    def keep(self) -> None:
        """After the end of a broker that may have written one."""
        if self._draft.exists():
            self._draft.replace(self._path)
