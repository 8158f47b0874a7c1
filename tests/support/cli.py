"""Runs `nadi` as a person would: in this process for what is quick, as processes for what runs on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest

from flows.cli.app import run

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
DEADLINE_S = 60.0


class Outcome(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str


Nadi = Callable[..., Outcome]


def runner(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: Path) -> Nadi:
    """Calls commands in this process, with `data` as their data folder and no other setting from outside."""
    for name in [n for n in os.environ if n.startswith("NADI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NADI_DATA", str(data))
    monkeypatch.chdir(data.parent)

    def nadi(*arguments: str) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run(list(arguments))
        out, err = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), out, err)

    return nadi


def child_environment(**more: str) -> dict[str, str]:
    """The environment of a process of Nadi: nothing of NADI_ but what is given (and CI's mark, by which left-overs are found)."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith("NADI_") or n == "NADI_CI_RUN"}
    return {**kept, "PYTHONUNBUFFERED": "1", **more}


def start(*arguments: str, out: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A process of Nadi whose words go to the file `out`."""
    with out.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "flows", *arguments], cwd=ROOT, env=dict(environ), stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )


def until(ask: Callable[[], T | None], what: str, deadline_s: float = DEADLINE_S) -> T:
    """The first answer that is not None or empty; fails after the deadline."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.05)
    pytest.fail(f"waited {deadline_s:.0f} s for {what}")
