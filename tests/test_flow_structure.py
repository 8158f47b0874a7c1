"""Flow ids, step ids, operator kinds, parts and state keys are a storage format: changing one loses state without a word."""

from __future__ import annotations

import io
import json
import pickle
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from bytewax.dataflow import Dataflow
from bytewax.visualize import to_json

from flows import ingest, monitor
from flows.engine.health import Health
from flows.sim import sim_items
from sinks.log import open_log
from sinks.log.api import Log
from tests.oracle_ingest import judge
from tests.support.flows import event_ids, produce, run_to_end

GOLDEN = Path(__file__).parent / "golden" / "flow_steps.json"
PLAIN = {
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy._core.numeric._frombuffer",
    "numpy.ndarray",
    "numpy.dtype",
}
"""All that a snapshot may need besides builtins: arrays."""


def flows_of(log: Log) -> dict[str, Dataflow]:
    health, stop = Health("x", "i", lambda: 0), threading.Event()
    return {
        "ingest": ingest.build(log, "live", ingest.Begin({}, []), 1, health, stop),
        "monitor": monitor.build(log, {}, 1, health, stop, until_end=False, live=True),
    }


def steps_of(flow: Dataflow) -> list[dict[str, Any]]:
    """Every step with its kind and what it reads, those inside others too."""

    def walk(step: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {"id": step["step_id"], "kind": step["op_type"]}
        reads = {port["port_name"]: port["from_port_ids"] for port in step["inp_ports"]}
        if reads:
            found["reads"] = reads
        if step["substeps"]:
            found["steps"] = [walk(inner) for inner in step["substeps"]]
        return found

    return [walk(step) for step in json.loads(to_json(flow))["substeps"]]


def test_steps_are_frozen(sqlite_log_url: str) -> None:
    """If this fails and must: raise the state's FORMAT, so that old folders are refused."""
    log = open_log(sqlite_log_url)
    assert {name: steps_of(flow) for name, flow in flows_of(log).items()} == json.loads(GOLDEN.read_text())
    log.close()


class Classes(pickle.Unpickler):
    """Notes what a pickle needs besides plain values."""

    def __init__(self, pickled: bytes) -> None:
        super().__init__(io.BytesIO(pickled))
        self.needed: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.needed.add(f"{module}.{name}")
        return super().find_class(module, name)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A small dirty ward through both flows: (log, folder)."""
    folder = tmp_path_factory.mktemp("finished")
    url = f"sqlite://{folder / 'log'}/"
    produce(url, sim_items(6, "mixed", 1, 10.0, dirt=True))
    run_to_end(url, folder, 50)
    return url, folder


def test_the_events_are_the_oracles(finished: tuple[str, Path]) -> None:
    verdict = judge(sim_items(6, "mixed", 1, 10.0, dirt=True))
    assert event_ids(finished[0]) == {event.id for event in verdict.events}


@pytest.mark.parametrize(("flow", "keys"), [("ingest", {"ingest"}), ("monitor", {str(shard) for shard in range(8)})])
def test_state_is_kept_under_frozen_keys_as_plain_values(finished: tuple[str, Path], flow: str, keys: set[str]) -> None:
    with closing(sqlite3.connect(finished[1] / "recovery" / flow / "part-0.sqlite3")) as db:
        rows = cast("list[tuple[str, str, bytes]]", db.execute("SELECT step_id, state_key, ser_change FROM snaps").fetchall())
    assert {(step, key) for step, key, _ in rows} == {
        (f"{flow}.in", "g0"),
        (f"{flow}.out", "out"),
        *((f"{flow}.fold", key) for key in keys),
    }
    needed: set[str] = set()
    for _, _, pickled in rows:
        read = Classes(pickled)
        read.load()
        needed |= read.needed
    assert needed <= PLAIN
