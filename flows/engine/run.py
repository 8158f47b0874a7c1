"""One life of a flow process: lock, log, checks, run, and an exit status with a sentence when it cannot."""

from __future__ import annotations

import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from bytewax.dataflow import Dataflow

from flows.engine import launch, source
from flows.engine.feeds import positions_of
from flows.engine.health import Health, serve
from schemas.identity import SHARDS_PER_PROCESS
from sinks.log import open_log
from sinks.log.api import TP, Log, LogError

ENDED, FAILED, REFUSED = 0, 1, 2
"""Exit statuses: by a signal or at the end of a stream; starting again may help; starting again would say the same."""
SOURCE_STEP = "in"

Prepared = Callable[[Log, Mapping[str, Any] | None, Health, threading.Event], Dataflow]


def now_ms() -> int:
    """The wall clock of this machine."""
    return time.time_ns() // 1_000_000


def run_flow(
    name: str,
    format: int,
    owned: Sequence[str],
    prepared: Prepared,
    *,
    log_url: str,
    recovery_dir: Path,
    epoch_s: float,
    status_dir: Path | None,
    metrics_port: int | None,
    instance: str | None,
) -> int:
    """`owned`: the topics without which the folder is meaningless. `prepared` builds the flow, given the source's last committed state."""
    stop = launch.stop_on_signals()
    file = None if status_dir is None else status_dir / f"{name}.json"
    health = Health(name, instance or uuid.uuid4().hex, now_ms, file)
    server = None
    try:
        with launch.locked(recovery_dir), closing(open_log(log_url)) as log:
            health.tick(force=True)
            server = None if metrics_port is None else serve(health, metrics_port)
            identity = launch.Identity(name, format, SHARDS_PER_PROCESS, {topic: log.incarnation(topic) for topic in owned})
            state = launch.prepare(recovery_dir, identity, f"{name}.{SOURCE_STEP}", source.PART)
            if state is not None:
                launch.check_positions(recovery_dir, log, _positions(state))
            launch.run(prepared(log, state, health, stop), recovery_dir, epoch_s)
            health.state = "ended"
            health.tick(force=True)
            return ENDED
    except launch.StartRefused as error:
        print(f"{name}: {error}", file=sys.stderr)
        return REFUSED
    except (LogError, ValueError) as error:  # ValueError: state or a timeline record of another version
        print(f"{name}: {error}", file=sys.stderr)
    except Exception:  # noqa: BLE001 - a fault of this program: the whole story, and an exit status for the supervisor
        traceback.print_exc()
    finally:
        if server is not None:
            server.shutdown()
            server.server_close()
    health.state = "failed"
    health.tick(force=True)
    return FAILED


def _positions(state: Mapping[str, Any]) -> dict[TP, int]:
    names = [name.rsplit("/", 1) for name in state["next"]]
    return positions_of(state, {TP(topic, int(partition)): 0 for topic, partition in names})
