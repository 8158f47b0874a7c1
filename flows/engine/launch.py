"""Start a flow on its recovery folder: locked, of this log, and cleared of the state that Bytewax would resurrect.

Bytewax writes state rows of an epoch before it commits the epoch, uses the epoch's number again after a kill, and deletes nothing: such an
orphan can become the newest committed row, with state ahead of the source's position. Folds skip positions that they have seen, so that
loses alerts. Orphans are deleted here.
"""

from __future__ import annotations

import fcntl
import json
import os
import pickle
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

from bytewax.dataflow import Dataflow
from bytewax.errors import BytewaxRuntimeError
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from sinks.log.api import TP, Log

EPOCH_S = 0.5
STORE = "part-0.sqlite3"
"""One worker, one recovery file."""
IDENTITY = "log.json"


class StartRefused(RuntimeError):
    """A flow must not start on this folder; the message says what to do."""


@dataclass(frozen=True)
class Identity:
    """What a recovery folder belongs to. `incarnations`: of the topics whose loss would make its positions or its output meaningless."""

    flow: str
    format: int
    shards: int
    incarnations: Mapping[str, str]

    def text(self) -> str:
        """As it is kept in the folder."""
        return json.dumps(
            {"flow": self.flow, "format": self.format, "shards": self.shards, "incarnations": dict(self.incarnations)}, indent=1
        )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the folder for this process; a kill lets it go. Bytewax itself lets two processes run on one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "LOCK").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            msg = (
                f"{folder} is in use by process {lock.read().strip() or '?'}: stop that one first, or give this one its own recovery folder"
            )
            raise StartRefused(msg) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def prepare(folder: Path, identity: Identity, step: str, part: str) -> dict[str, Any] | None:
    """Under the lock: checks whose folder it is, makes the store, deletes orphans.

    Returns the source's last committed state, None at a first start. Raises StartRefused.
    """
    kept = folder / IDENTITY
    if kept.exists():
        _compare(folder, identity, json.loads(kept.read_text()))
    elif (folder / STORE).exists():
        msg = f"{folder} holds state but no {IDENTITY}: it was not made by this program; give another recovery folder"
        raise StartRefused(msg)
    else:
        _keep(kept, identity.text())
    if not (folder / STORE).exists():
        _make_store(folder)
    clear_orphans(folder)
    state: dict[str, Any] | None = committed(folder, step, part)
    return state


def _compare(folder: Path, now: Identity, then: Mapping[str, Any]) -> None:
    anew = f"begin anew by deleting {folder} (everything is judged again from the log's start)"
    other = [topic for topic, own in now.incarnations.items() if then["incarnations"].get(topic, own) != own]
    if then["flow"] != now.flow:
        msg = f"{folder} belongs to the flow {then['flow']}, not to {now.flow}: give each flow its own recovery folder"
    elif then["format"] != now.format:
        msg = f"{folder} has format {then['format']}, this version of {now.flow} has {now.format}: run the version that made it, or {anew}"
    elif then["shards"] != now.shards:
        msg = f"{folder} was made for {then['shards']} shards, not {now.shards}: their number is fixed for the life of a log; or {anew}"
    elif other:
        msg = f"{folder} belongs to another log, of which {', '.join(sorted(other))} was part: give the address of that log, or {anew}"
    else:
        return
    raise StartRefused(msg)


def _keep(path: Path, text: str) -> None:
    """Whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(text + "\n")
    part.replace(path)


def _make_store(folder: Path) -> None:
    """A kill while the store is made must not leave half of one."""
    new = folder / "new"
    new.mkdir(exist_ok=True)
    for rest in new.iterdir():
        rest.unlink()
    init_db_dir(new, 1)  # type: ignore[no-untyped-call]
    with closing(sqlite3.connect(new / STORE)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (new / STORE).replace(folder / STORE)
    for rest in new.iterdir():
        rest.unlink()
    new.rmdir()


def clear_orphans(folder: Path) -> int:
    """Deletes state of epochs that were never committed; how many rows."""
    with closing(sqlite3.connect(folder / STORE)) as db, db:
        gone = db.execute("DELETE FROM snaps WHERE snap_epoch >= (SELECT coalesce(max(worker_frontier), 0) FROM fronts)")
        return gone.rowcount


def committed(folder: Path, step: str, key: str) -> Any:
    """The newest state of one key of a step, None if there is none. Orphans must have been cleared."""
    with closing(sqlite3.connect(folder / STORE)) as db:
        row = db.execute(
            "SELECT ser_change FROM snaps WHERE step_id = ? AND state_key = ? ORDER BY snap_epoch DESC LIMIT 1", (step, key)
        ).fetchone()
    return None if row is None or row[0] is None else pickle.loads(row[0])  # noqa: S301 - our own folder, as Bytewax itself reads it


def check_positions(folder: Path, log: Log, positions: Mapping[TP, int]) -> None:
    """Refuses to go on where records are missing: a gap would look like silence."""
    tps = list(positions)
    starts, ends = log.starts(tps), log.ends(tps)
    for tp, at in positions.items():
        place = f"{folder} stands at {tp.topic}/{tp.partition}/{at}"
        if at > ends[tp]:
            msg = (
                f"{place}, beyond the end of the log ({ends[tp]}): the log was restored from an older copy or made anew. "
                f"Give the log that belongs to this folder, or begin anew by deleting the folder"
            )
            raise StartRefused(msg)
        if at < starts[tp]:
            msg = (
                f"{place}, but the log begins at {starts[tp]}: {starts[tp] - at} records were deleted before they were read. "
                f"To go on without them, begin anew by deleting the folder; and give this topic a longer retention"
            )
            raise StartRefused(msg)


def stop_on_signals() -> threading.Event:
    """Set by SIGTERM and SIGINT: the source sees it, checkpoints, and ends the flow. Without a handler SIGTERM kills and SIGINT panics."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    return stop


def run(flow: Dataflow, folder: Path, epoch_s: float = EPOCH_S, runner: Callable[..., None] = cli_main) -> None:
    """Runs a flow on a prepared folder until it ends. Raises what a step raised."""
    os.environ.pop("BYTEWAX_DATAFLOW_API_ENABLED", None)  # set to anything it would open port 3030 to the world
    config = RecoveryConfig(folder, timedelta(0))  # type: ignore[no-untyped-call]
    try:
        runner(flow, epoch_interval=timedelta(seconds=epoch_s), recovery_config=config)
    except BytewaxRuntimeError as error:
        raised = below(error)
    else:
        return
    raise raised


def below(error: BaseException) -> BaseException:
    """What a step raised, below what the engine wrapped it in."""
    while isinstance(error, BytewaxRuntimeError) and error.__cause__ is not None:
        error = error.__cause__
    return error
