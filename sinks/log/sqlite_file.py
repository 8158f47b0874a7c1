"""One topic = one SQLite file: its tables, how it is created, opened and what its errors mean.

A file per topic because a file has one writer at a time: in one shared file each topic's writer would stall all others'. Tables:

- `meta`: format number, incarnation and the settings of the topic.
- `bounds`: each partition's first offset, next offset and newest append time, with a checksum. Kept apart from the records so that
  offsets go on when all records are trimmed.
- `record`: see `rows.py`.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple
from zlib import crc32

from schemas.topics import Topic
from sinks.log.api import CorruptRecord, DeliveryFailed, LogError, LogUnreachable
from sinks.log.rows import MAX_PARTITIONS, bounds_checksum, seed_of

FORMAT = "1"
SUFFIX = ".sqlite3"
FULL_SYNC = frozenset({"deliveries", "audit"})
"""Topics whose newest records must outlast a power cut too; `synchronous=NORMAL` outlasts only the end of processes (`kill -9`)."""
OPEN_WAIT_S = 2.0
NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")

SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE bounds (
    partition INTEGER PRIMARY KEY, start INTEGER NOT NULL, next INTEGER NOT NULL, last_ms INTEGER NOT NULL, checksum INTEGER NOT NULL
);
CREATE TABLE record (
    id INTEGER PRIMARY KEY, append_ms INTEGER NOT NULL, checksum INTEGER NOT NULL, key BLOB, headers BLOB, value BLOB
);
"""


class Bounds(NamedTuple):
    """Of one partition: first offset, next offset, newest append time (ms)."""

    start: int
    next: int
    last_ms: int


class TopicFile:
    """An open file: its connection, the topic's settings, its incarnation. Belongs to one thread at a time."""

    def __init__(self, path: Path, conn: sqlite3.Connection, topic: Topic, incarnation: str) -> None:
        self.path = path
        self.conn = conn
        self.topic = topic
        self.incarnation = incarnation
        self.seed = seed_of(incarnation)
        self.inode = os.stat(path).st_ino

    def replaced(self) -> bool:
        """Somebody removed the file, or put another in its place: an open handle would go on reading the old one for ever."""
        try:
            return os.stat(self.path).st_ino != self.inode
        except FileNotFoundError:
            return True

    def bounds(self) -> dict[int, Bounds]:
        """Of all partitions. Raises CorruptRecord."""
        found = {}
        for partition, *bounds, checksum in self.conn.execute("SELECT partition, start, next, last_ms, checksum FROM bounds"):
            if not bounds_intact(self.seed, partition, bounds, checksum):
                msg = f"{self.path}: the bounds of partition {partition} do not match their checksum; restore this file from a backup"
                raise CorruptRecord(msg)
            found[partition] = Bounds(*bounds)
        if len(found) != self.topic.partitions:
            msg = f"{self.path}: the bounds of {self.topic.partitions - len(found)} partitions are missing; restore this file from a backup"
            raise CorruptRecord(msg)
        return found

    def set_bounds(self, partition: int, bounds: Bounds) -> None:
        """Inside a transaction."""
        self.conn.execute(
            "UPDATE bounds SET start = ?, next = ?, last_ms = ?, checksum = ? WHERE partition = ?",
            (*bounds, bounds_checksum(self.seed, partition, *bounds), partition),
        )

    @contextmanager
    def transaction(self, wait_s: float) -> Iterator[None]:
        """BEGIN IMMEDIATE ... COMMIT; on any exception nothing is written. Raises sqlite3.OperationalError (busy) after `wait_s`."""
        begin_immediate(self.conn, wait_s)
        try:
            yield
            self.conn.execute("COMMIT")
        except BaseException:
            if self.conn.in_transaction:
                self.conn.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self.conn.close()


def begin_immediate(conn: sqlite3.Connection, wait_s: float) -> None:
    """SQLite's own waiting backs off to 100 ms; steps of 1 ms give the lock to whoever comes first."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            conn.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= deadline:
                raise
            time.sleep(0.001)
        else:
            return


def bounds_intact(seed: int, partition: int, bounds: list[int], checksum: int) -> bool:
    """False also where a flipped type byte made another type of a number."""
    try:
        return bounds_checksum(seed, partition, *bounds) == checksum
    except (TypeError, struct.error):
        return False


def is_busy(error: sqlite3.Error) -> bool:
    """Another connection holds the lock: later it goes."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def explain(error: sqlite3.Error, path: Path) -> LogError:
    """The error in the words of the log."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if is_busy(error):
        return LogUnreachable(f"{path}: another process holds its write lock (a stopped writer?): {error}")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return CorruptRecord(f"{path} is damaged ({error}); restore it from a backup")
    if code == sqlite3.SQLITE_CONSTRAINT:
        return CorruptRecord(f"{path} is damaged: the next offset of a partition is taken already ({error}); restore it from a backup")
    if code == sqlite3.SQLITE_FULL:
        return DeliveryFailed(f"{path}: the disk is full; make room, then start again")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return LogError(f"{path} cannot be opened for writing ({error}); check its owner and permissions")
    return LogError(f"{path}: {error}")


def file_of(folder: Path, topic: str) -> Path:
    """Where a topic's file lies. Raises LogError: a name that could lead elsewhere."""
    if not topic or len(topic) > 200 or not NAME_CHARS.issuperset(topic) or topic.startswith("."):
        msg = f"{topic!r} cannot name a topic: letters, digits, '.', '_' and '-', at most 200"
        raise LogError(msg)
    return folder / f"{topic}{SUFFIX}"


def connect(path: Path, topic: str) -> sqlite3.Connection:
    """Never creates a file. Autocommit; waits while another process recovers the file after a kill."""
    conn = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=OPEN_WAIT_S, check_same_thread=False
    )
    conn.text_factory = bytes  # a flipped type byte must reach the checksum, not a UTF-8 decoder
    conn.execute(f"PRAGMA synchronous = {'FULL' if topic in FULL_SYNC else 'NORMAL'}")
    conn.execute("PRAGMA journal_size_limit = 67108864")
    return conn


def create_file(path: Path, topic: Topic) -> bool:
    """Creates the file whole or not at all: made under another name, then linked. False = another process was first."""
    if not 0 < topic.partitions <= MAX_PARTITIONS:
        msg = f"topic {topic.name}: {topic.partitions} partitions; at least 1, at most {MAX_PARTITIONS}"
        raise LogError(msg)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        conn = sqlite3.connect(draft, isolation_level=None)
        try:
            write_schema(conn, topic)
        finally:
            conn.close()
        os.link(draft, path)
    except FileExistsError:
        return False
    except sqlite3.Error as error:
        raise explain(error, path) from error
    finally:
        draft.unlink(missing_ok=True)
    return True


def write_schema(conn: sqlite3.Connection, topic: Topic) -> None:
    """Everything that a new file holds."""
    incarnation = uuid.uuid4().hex
    conn.execute("PRAGMA journal_mode = WAL")
    conn.executescript(SCHEMA)
    conn.execute("BEGIN")
    meta = {
        "format": FORMAT,
        "incarnation": incarnation,
        "partitions": str(topic.partitions),
        "cleanup": topic.cleanup,
        "retention_ms": str(topic.retention_ms),
        "max_bytes": str(topic.max_bytes),
    }
    meta["checksum"] = meta_checksum(meta)
    conn.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
    seed = seed_of(incarnation)
    conn.executemany(
        "INSERT INTO bounds VALUES (?, 0, 0, 0, ?)",
        [(partition, bounds_checksum(seed, partition, 0, 0, 0)) for partition in range(topic.partitions)],
    )
    conn.execute("COMMIT")


def meta_checksum(meta: dict[str, str]) -> str:
    """Of all settings but itself: a flipped digit of the retention must not delete records."""
    return str(crc32("\n".join(f"{name}={value}" for name, value in sorted(meta.items()) if name != "checksum").encode()))


def open_file(folder: Path, topic: str, busy_ms: int = 5) -> TopicFile:
    """`busy_ms`: how long a statement waits for a lock; who can wait longer says so (`begin_immediate`).

    Raises LogError: no such topic, a file of another format, no permission, damage.
    """
    path = file_of(folder, topic)
    if not path.exists():
        msg = f"topic {topic} does not exist in {folder}; create the topics first (`nadi topics`)"
        raise LogError(msg)
    try:
        conn = connect(path, topic)
        try:
            settings, incarnation = read_meta(conn, path, topic)
            conn.execute(f"PRAGMA busy_timeout = {busy_ms}")
        except BaseException:
            conn.close()
            raise
    except sqlite3.Error as error:
        raise explain(error, path) from error
    return TopicFile(path, conn, settings, incarnation)


def read_meta(conn: sqlite3.Connection, path: Path, name: str) -> tuple[Topic, str]:
    """The settings and the incarnation."""
    try:
        meta = {key.decode(): value.decode() for key, value in conn.execute("SELECT name, value FROM meta")}
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        meta = {}
    except (AttributeError, ValueError) as error:
        msg = f"{path} is damaged (its settings cannot be read: {error}); restore it from a backup"
        raise CorruptRecord(msg) from error
    if meta.get("format") != FORMAT:
        found = meta.get("format", "unknown")
        msg = f"{path} has format {found}, this Nadi reads format {FORMAT}; use the Nadi that wrote it, or another folder"
        raise LogError(msg)
    if meta.get("checksum") != meta_checksum(meta):
        msg = f"{path} is damaged: its settings do not match their checksum; restore it from a backup"
        raise CorruptRecord(msg)
    cleanup: Literal["compact", "delete"] = "compact" if meta["cleanup"] == "compact" else "delete"
    return Topic(name, int(meta["partitions"]), cleanup, int(meta["retention_ms"]), int(meta["max_bytes"])), meta["incarnation"]
