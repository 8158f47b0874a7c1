"""The start rule: a recovery folder is locked, of this log, of this format, within the log, and holds no state that was never committed."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.inputs import AbortExecution, FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.recovery import RecoveryConfig
from bytewax.testing import TestingSink, run_main

from flows.engine.launch import IDENTITY, STORE, Identity, StartRefused, check_positions, clear_orphans, committed, locked, prepare, run
from schemas.topics import TOPICS
from sinks.log import open_log
from sinks.log.api import TP, OffsetGone
from tests.support.logs import recreate

OURS = Identity("ingest", 1, 8, {"patients": "a/1", "timeline": "a/2"})
BY_NAME = {topic.name: topic for topic in TOPICS}


class Script(StatefulSourcePartition[tuple[str, int], int]):
    """`item` gives one out, a pause lets an epoch pass; at the end of its script it dies as by kill -9: nothing of the running epoch is kept."""

    def __init__(self, at: int, script: Sequence[str]) -> None:
        self.at, self.script = at, list(script)

    def next_batch(self) -> list[tuple[str, int]]:
        if not self.script:
            raise AbortExecution
        if self.script.pop(0) == "item":
            self.at += 1
            return [("k", 1)]
        return []

    def next_awake(self) -> None:
        return None

    def snapshot(self) -> int:
        return self.at


class Count(StatefulBatchLogic[int, int, int]):
    def __init__(self, n: int | None) -> None:
        self.n = n or 0

    def on_batch(self, values: list[int]) -> tuple[list[int], bool]:
        self.n += len(values)
        return [self.n], False

    def snapshot(self) -> int:
        return self.n


def flow_of(script: Sequence[str], out: list[Any], resumed: list[int | None]) -> Dataflow:
    class Source(FixedPartitionedSource[tuple[str, int], int]):
        def list_parts(self) -> list[str]:
            return ["g0"]

        def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> Script:
            resumed.append(resume_state)
            return Script(resume_state or 0, script)

    flow = Dataflow("f")
    counted = op.stateful_batch("fold", op.input("in", flow, Source()), Count)
    op.output("out", counted, TestingSink(out))
    return flow


def life(folder: Path, script: Sequence[str], careful: bool = True) -> tuple[list[int], int | None]:
    """One life on a folder: what came out, and where the source began."""
    out: list[tuple[str, int]] = []
    resumed: list[int | None] = []
    flow = flow_of(script, out, resumed)
    if careful:
        clear_orphans(folder)
    run_main(flow, epoch_interval=timedelta(0), recovery_config=RecoveryConfig(folder, timedelta(0)))  # type: ignore[no-untyped-call]
    return [n for _, n in out], resumed[0]


def plant_an_orphan(folder: Path) -> None:
    """State of the running epoch, 100 items further, as a kill -9 leaves it: the source's row of that epoch was not written."""
    with closing(sqlite3.connect(folder / STORE)) as db, db:
        epoch = db.execute("SELECT max(worker_frontier) FROM fronts").fetchone()[0]
        row = ("f.fold", "k", epoch, pickle.dumps(102))
        db.execute("INSERT INTO snaps(step_id, state_key, snap_epoch, ser_change) VALUES (?, ?, ?, ?)", row)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "recovery"
    folder.mkdir()
    assert prepare(folder, OURS, "f.in", "g0") is None
    return folder


def three_lives(folder: Path, careful: bool) -> list[int]:
    assert life(folder, ["item", "item", "", ""]) == ([1, 2], None)
    plant_an_orphan(folder)
    assert life(folder, ["", "", ""], careful)[1] == 2, "epochs pass before data comes: the orphan becomes the newest committed row"
    out, began = life(folder, ["item", ""], careful)
    assert began == 2
    return out


def test_bytewax_alone_resurrects_state_that_was_never_committed(folder: Path) -> None:
    """Why the launcher deletes orphans: if this fails, Bytewax has mended it."""
    assert three_lives(folder, careful=False) == [103]


def test_an_orphaned_row_is_deleted_before_the_start(folder: Path) -> None:
    assert three_lives(folder, careful=True) == [3]


def test_orphans_are_counted_and_nothing_else_is_deleted(folder: Path) -> None:
    life(folder, ["item", "item", "", ""])
    clear_orphans(folder)
    assert clear_orphans(folder) == 0
    plant_an_orphan(folder)
    assert clear_orphans(folder) == 1
    assert committed(folder, "f.in", "g0") == 2


def test_prepare_returns_the_committed_position(folder: Path) -> None:
    life(folder, ["item", "item", "", ""])
    plant_an_orphan(folder)
    state: object = prepare(folder, OURS, "f.in", "g0")
    assert state == 2


def test_a_held_folder_is_refused_by_name_of_its_holder(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(StartRefused, match=f"in use by process {os.getpid()}"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (Identity("monitor", 1, 8, OURS.incarnations), "belongs to the flow ingest, not to monitor"),
        (Identity("ingest", 2, 8, OURS.incarnations), "has format 1, this version of ingest has 2"),
        (Identity("ingest", 1, 16, OURS.incarnations), "made for 8 shards, not 16"),
        (Identity("ingest", 1, 8, {**OURS.incarnations, "patients": "b/9"}), "another log, of which patients was part"),
    ],
)
def test_a_folder_of_something_else_is_refused(folder: Path, other: Identity, says: str) -> None:
    with pytest.raises(StartRefused, match=says):
        prepare(folder, other, "f.in", "g0")
    assert prepare(folder, OURS, "f.in", "g0") is None


def test_a_store_without_identity_is_refused(folder: Path) -> None:
    (folder / IDENTITY).unlink()
    with pytest.raises(StartRefused, match="not made by this program"):
        prepare(folder, OURS, "f.in", "g0")


def test_a_kill_while_the_store_is_made_leaves_no_half_of_one(folder: Path) -> None:
    """As if it had fallen after the identity was written, in the middle of making the store."""
    (folder / STORE).unlink()
    (folder / "new").mkdir()
    (folder / "new" / STORE).write_bytes(b"half")
    assert prepare(folder, OURS, "f.in", "g0") is None
    assert life(folder, ["item", "", ""]) == ([1], None)
    assert sorted(path.name for path in folder.iterdir() if "sqlite3-" not in path.name) == [IDENTITY, STORE]


def test_identity_is_readable(folder: Path) -> None:
    assert json.loads((folder / IDENTITY).read_text())["incarnations"] == OURS.incarnations


def test_another_incarnation_of_a_topic_is_another_log(log_url: str, tmp_path: Path) -> None:
    log = open_log(log_url)
    log.create(TOPICS)

    def now() -> Identity:
        return Identity("ingest", 1, 8, {topic: log.incarnation(topic) for topic in ("patients", "timeline")})

    (tmp_path / "r").mkdir()
    prepare(tmp_path / "r", now(), "f.in", "g0")
    prepare(tmp_path / "r", now(), "f.in", "g0")
    recreate(log, BY_NAME["timeline"])
    with pytest.raises(StartRefused, match="another log, of which timeline was part"):
        prepare(tmp_path / "r", now(), "f.in", "g0")
    log.close()


def test_positions_beyond_the_end_or_before_the_start_are_refused(log_url: str, tmp_path: Path) -> None:
    log = open_log(log_url)
    log.create(TOPICS)
    tp = TP("device-readings", 1)
    writer = log.writer("fill")
    for number in range(5):
        writer.append(*tp, b"%d" % number)
    writer.close()
    check_positions(tmp_path, log, {tp: 5})
    with pytest.raises(StartRefused, match=r"device-readings/1/6, beyond the end of the log \(5\)"):
        check_positions(tmp_path, log, {tp: 6})
    log.trim(tp, 3)
    check_positions(tmp_path, log, {tp: 3})
    with pytest.raises(StartRefused, match="begins at 3: 1 records were deleted before they were read"):
        check_positions(tmp_path, log, {tp: 2})
    log.close()


def test_what_a_step_raises_comes_out_as_it_was_raised(folder: Path) -> None:
    flow = Dataflow("f")

    def fail(_item: object) -> list[object]:
        raise OffsetGone("records were trimmed") from ZeroDivisionError("below")

    class Source(FixedPartitionedSource[tuple[str, int], int]):
        def list_parts(self) -> list[str]:
            return ["g0"]

        def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> Script:
            return Script(0, ["item", ""])

    op.output("out", op.flat_map("fail", op.input("in", flow, Source()), fail), TestingSink([]))
    with pytest.raises(OffsetGone, match="records were trimmed"):
        run(flow, folder, 0.1, run_main)
