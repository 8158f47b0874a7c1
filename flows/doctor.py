"""`nadi doctor`: what is wrong with an installation, and what to do. Each check is one function that reads and changes nothing.

The one exception is the clock of a Kafka log: a broker tells its time only by stamping a record, so a probe goes into the topic
`nadi-doctor-probe` and is deleted again. Limits: clock 2 s, epoch and shard time 10 s, disk 1 GB.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

from flows.records import wait_for
from flows.secret import checked, from_file
from flows.settings import Settings, SettingsError
from schemas.topics import TOPICS, Topic
from sinks.log import open_log, sqlite_folder
from sinks.log.api import TP, Log, LogError, Record

CLOCK_OFF_MS = 2_000
OLD_MS = 10_000
DISK_FREE_BYTES = 1_000_000_000
PROBE = Topic("nadi-doctor-probe", 1, "delete", 60_000)
PROBE_S = 5.0
FLOWS = ("ingest", "monitor")
Level = Literal["ok", "warn", "fail"]


class Finding(NamedTuple):
    """One line of the answer. `todo` is empty when all is well."""

    check: str
    level: Level
    found: str
    todo: str = ""


def examine(
    settings: Settings, environ: Mapping[str, str], now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
) -> Iterator[Finding]:
    """All findings, as they are made."""
    yield disk(settings.folder)
    yield secret(settings, environ)
    try:
        with closing(open_existing(settings.log_url)) as log:
            yield reachable(log)
            yield clock(log, now_ms)
            yield from (of_this_log(settings, flow, log) for flow in FLOWS)
    except LogError as error:
        yield unreachable(settings.log_url, error)
    yield from (lock(settings, flow) for flow in FLOWS)
    for flow in FLOWS:
        yield from ages(settings, flow, now_ms())


def open_existing(url: str) -> Log:
    """The log; a SQLite folder that is not there is not made. Raises LogError."""
    if url.startswith("sqlite:///") and not sqlite_folder(url).is_dir():
        raise LogError(f"there is no log in {sqlite_folder(url)}")
    return open_log(url)


def unreachable(url: str, error: LogError) -> Finding:
    """What to do when the log does not answer."""
    todo = (
        "start `nadi up`, or say where the log is with --data or --log"
        if url.startswith("sqlite:")
        else "start the broker, or correct the setting `log`"
    )
    return Finding("log", "fail", str(error), todo)


def reachable(log: Log) -> Finding:
    """The log answers and has its topics."""
    there = set(log.topics())
    missing = [t.name for t in TOPICS if t.name not in there]
    if missing:
        return Finding("log", "fail", f"{log.url} lacks the topics {', '.join(missing)}", "nadi topics create")
    return Finding("log", "ok", f"{log.url} answers, {len(TOPICS)} topics")


def clock(log: Log, now_ms: Callable[[], int]) -> Finding:
    """This machine's clock against the log's, whose stamps say what is late: a difference makes good readings late or future."""
    before_ms = now_ms()
    stamp_ms = newest_stamp(log) if log.url.startswith("sqlite:") else probe_stamp(log)
    after_ms = now_ms()
    if stamp_ms is None:
        return Finding("clock", "ok", "the log has no record yet to compare with")
    # SQLite stamps by this machine's clock: only a stamp ahead of now tells something (the clock was set back). A broker has its own.
    off_ms = max(stamp_ms - after_ms, 0) if log.url.startswith("sqlite:") else stamp_ms - min(max(stamp_ms, before_ms), after_ms)
    if abs(off_ms) > CLOCK_OFF_MS:
        which = "ahead of" if off_ms > 0 else "behind"
        return Finding(
            "clock",
            "fail",
            f"the log's clock is {abs(off_ms) / 1000:.1f} s {which} this machine's",
            "set both by the same time service (NTP)",
        )
    return Finding("clock", "ok", f"within {max(abs(off_ms), after_ms - before_ms) / 1000:.1f} s of the log's")


def newest_stamp(log: Log) -> int | None:
    """Append time of the newest record of the topics that are written all the time."""
    stamps = []
    for name in ("timeline", "device-readings"):
        if name not in log.topics():
            continue
        tps = [TP(name, p) for p in range(log.partitions(name))]
        starts, ends = log.starts(tps), log.ends(tps)
        last = {tp: ends[tp] - 1 for tp in tps if ends[tp] > starts[tp]}
        for tp, offset in last.items():
            stamp = wait_for(log, {tp: offset}, lambda record: record.append_ms, PROBE_S)
            stamps += [] if stamp is None else [stamp]
    return max(stamps, default=None)


def probe_stamp(log: Log) -> int | None:
    """The stamp that the log gives a record appended now."""
    log.create([PROBE])
    tp = TP(PROBE.name, 0)
    at = log.ends([tp])
    token = f"{os.getpid()}-{time.time_ns()}".encode()
    with closing(log.writer("doctor")) as writer:
        writer.append(tp.topic, tp.partition, token)
        writer.flush(PROBE_S)
    stamp = wait_for(log, at, lambda r: _stamp_of(r, token), PROBE_S)
    log.trim(tp, log.ends([tp])[tp])
    return stamp


def _stamp_of(record: Record, token: bytes) -> int | None:
    return record.append_ms if record.value == token else None


def of_this_log(settings: Settings, flow: str, log: Log) -> Finding:
    """The recovery folder of a flow belongs to this log."""
    name, folder = f"{flow} folder", settings.recovery(flow)
    try:
        kept: dict[str, str] = json.loads((folder / "log.json").read_text())["incarnations"]
    except FileNotFoundError:
        return Finding(name, "ok", f"{folder} is new")
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        return Finding(
            name, "fail", f"{folder} cannot be read: {type(error).__name__}", f"begin anew: delete {folder} (all is judged again)"
        )
    there = set(log.topics())
    other = sorted(t for t, incarnation in kept.items() if t not in there or log.incarnation(t) != incarnation)
    if other:
        todo = (
            f"give the address of the log that it was made for, or begin anew: delete {folder} (all is judged again from the log's start)"
        )
        return Finding(name, "fail", f"{folder} belongs to another log ({', '.join(other)})", todo)
    return Finding(name, "ok", f"{folder} belongs to this log")


def lock(settings: Settings, flow: str) -> Finding:
    """Who runs on a recovery folder. A live holder is good; one that says nothing is told by its ages."""
    name, file = f"{flow} lock", settings.recovery(flow) / "LOCK"
    try:
        with file.open("r") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = held.read().strip()
            else:
                return Finding(name, "warn", f"{flow} does not run: nobody holds {file.parent}", "nadi up")
    except FileNotFoundError:
        return Finding(name, "warn", f"{flow} has never run on {settings.folder}", "nadi up")
    pid = _pid_of(settings, flow)
    if holder.isdigit() and pid is not None and int(holder) != pid:
        return Finding(
            name,
            "fail",
            f"{file.parent} is held by process {holder}, but {flow} last ran as {pid}",
            f"stop process {holder}, then start {flow}",
        )
    return Finding(name, "ok", f"held by process {holder or '?'}")


def _status(settings: Settings, flow: str) -> dict[str, object] | None:
    try:
        found = json.loads(settings.health(flow).read_text())
    except (OSError, json.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None


def _pid_of(settings: Settings, flow: str) -> int | None:
    pid = (_status(settings, flow) or {}).get("pid")
    return pid if isinstance(pid, int) else None


def ages(settings: Settings, flow: str, now_ms: int) -> Iterator[Finding]:
    """The last durable epoch of a flow, and how far its time is behind: a flow may run and yet stand still."""
    status = _status(settings, flow)
    for name, key, todo in (
        (f"{flow} epoch", "committed_ms", f"{flow} hangs or is stopped: look at its output; restart it, it goes on where it was"),
        (f"{flow} time", "time_ms", "time stands still, so no silence is noticed: is ingest running, does the log answer?"),
    ):
        at = (status or {}).get(key)
        if not isinstance(at, int):
            yield Finding(name, "warn", f"{flow} has not said yet", "nadi up")
        elif settings.clock == "stream" and key == "time_ms":
            yield Finding(name, "ok", "a replay has its own time")
        elif now_ms - at > OLD_MS:
            yield Finding(name, "fail", f"{(now_ms - at) / 1000:.0f} s old, more than {OLD_MS // 1000} s", todo)
        else:
            yield Finding(name, "ok", f"{max(0, now_ms - at) / 1000:.1f} s old")


def disk(folder: Path, free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free) -> Finding:
    """Room where the data folder is."""
    there = next(p for p in (folder, *folder.parents) if p.exists())
    free = free_bytes(there)
    if free < DISK_FREE_BYTES:
        return Finding(
            "disk",
            "fail",
            f"{free / 1e9:.2f} GB free at {folder}, less than 1 GB: a full disk stops the log",
            "make room, or move the data folder",
        )
    return Finding("disk", "ok", f"{free / 1e9:.1f} GB free at {folder}")


def secret(settings: Settings, environ: Mapping[str, str]) -> Finding:
    """The secret that signs tokens is long, unknown to others and readable by its owner alone."""
    if settings.gateway.jwks:
        return Finding("secret", "ok", f"tokens are signed by the keys of {settings.gateway.jwks}")
    own = settings.folder / "secret"
    file = Path(settings.gateway.token_secret_file).expanduser() if settings.gateway.token_secret_file else own
    try:
        if given := environ.get("NADI_TOKEN_SECRET"):
            checked(given, "NADI_TOKEN_SECRET")
            return Finding("secret", "ok", "from NADI_TOKEN_SECRET")
        if file == own and not own.exists():
            return Finding("secret", "ok", "will be made at first use")
        from_file(file)
    except SettingsError as error:
        found, _, todo = str(error).rpartition(": ")
        return Finding("secret", "fail", found, f"{todo}; tokens signed with the old one end")
    return Finding("secret", "ok", f"{file}, readable by its owner alone")
