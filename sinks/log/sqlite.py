"""The embedded log: a folder with one SQLite file a topic. Partitions, dense offsets, append times and incarnations as in Kafka; no server.

Format 1: `folder.meta` (format number, the folder's uuid) and `<topic>.sqlite3`, see `sqlite_file.py`.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from schemas.topics import Topic
from sinks.log.api import TP, LogError
from sinks.log.sqlite_file import FORMAT, SUFFIX, Bounds, TopicFile, create_file, explain, file_of, open_file
from sinks.log.sqlite_reader import SqliteReader
from sinks.log.sqlite_upkeep import compact, first_at, trim
from sinks.log.sqlite_writer import SqliteWriter, wall_ms

FOLDER_META = "folder.meta"
T = TypeVar("T")


class SqliteLog:
    """The log's own calls may come from any thread; each reader and writer belongs to one."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self._lock = threading.Lock()
        self._files: dict[str, TopicFile] = {}
        self._identity = open_folder(folder)

    def incarnation(self, topic: str) -> str:
        """`sqlite/<folder>/<file>`."""
        with self._file(topic) as file:
            return f"sqlite/{self._identity}/{file.incarnation}"

    def create(self, topics: Iterable[Topic]) -> list[str]:
        """An existing topic keeps its settings; another number of partitions is an error. Existing compact topics are compacted."""
        created = []
        for topic in topics:
            if create_file(file_of(self.folder, topic.name), topic):
                created.append(topic.name)
                continue
            with self._file(topic.name) as file:
                check_existing(file, topic)
                compact(file, wall_ms())
        return created

    def topics(self) -> list[str]:
        return sorted(path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))

    def partitions(self, topic: str) -> int:
        with self._file(topic) as file:
            return file.topic.partitions

    def starts(self, tps: Sequence[TP]) -> dict[TP, int]:
        return self._of_each(tps, lambda _file, _tp, bounds: bounds.start)

    def ends(self, tps: Sequence[TP]) -> dict[TP, int]:
        return self._of_each(tps, lambda _file, _tp, bounds: bounds.next)

    def offsets_at(self, tps: Sequence[TP], append_ms: int) -> dict[TP, int]:
        return self._of_each(tps, lambda file, tp, bounds: first_at(file, tp.partition, bounds, append_ms))

    def trim(self, tp: TP, before: int) -> None:
        with self._file(tp.topic) as file:
            self._bounds(file, tp)
            trim(file, tp.partition, before)

    def compact(self, topic: str) -> int:
        """Keeps the newest record of each key; returns how many records went. Also done by `create` and, now and then, by writers."""
        with self._file(topic) as file:
            return compact(file, wall_ms())

    def reader(self, positions: Mapping[TP, int], now_ms: int | None = None) -> SqliteReader:
        return SqliteReader(self.folder, positions, now_ms)

    def writer(self, name: str) -> SqliteWriter:
        return SqliteWriter(self.folder, name)

    def close(self) -> None:
        with self._lock:
            for file in self._files.values():
                file.close()
            self._files.clear()

    def _of_each(self, tps: Sequence[TP], what: Callable[[TopicFile, TP, Bounds], T]) -> dict[TP, T]:
        found = {}
        for tp in tps:
            with self._file(tp.topic) as file:
                found[tp] = what(file, tp, self._bounds(file, tp))
        return found

    @staticmethod
    def _bounds(file: TopicFile, tp: TP) -> Bounds:
        bounds = file.bounds()
        if tp.partition not in bounds:
            msg = f"{tp.topic}/{tp.partition}: no such partition, the topic has {len(bounds)}"
            raise LogError(msg)
        return bounds[tp.partition]

    @contextmanager
    def _file(self, topic: str) -> Iterator[TopicFile]:
        """The topic's file, opened anew when it was replaced, for one thread at a time."""
        with self._lock:
            file = self._files.get(topic)
            if file is not None and file.replaced():
                self._files.pop(topic).close()
                file = None
            if file is None:
                file = self._files[topic] = open_file(self.folder, topic, busy_ms=1000)
            try:
                yield file
            except sqlite3.Error as error:
                raise explain(error, file.path) from error


def check_existing(file: TopicFile, topic: Topic) -> None:
    """Raises LogError where an existing topic would break a law."""
    for name, found, wanted in (
        ("partitions", file.topic.partitions, topic.partitions),
        ("clean-up", file.topic.cleanup, topic.cleanup),
    ):
        if found != wanted:
            msg = f"{file.path}: topic {topic.name} has {name} {found}, not {wanted}; that never changes, use another folder"
            raise LogError(msg)


def open_folder(folder: Path) -> str:
    """The folder's identity; creates the folder when missing. Raises LogError: no permission, a folder of another format."""
    path = folder / FOLDER_META
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            draft = folder / f".{FOLDER_META}.{uuid.uuid4().hex}"
            try:
                draft.write_text(f"nadi-log {FORMAT} {uuid.uuid4().hex}\n", "ascii")
                os.link(draft, path)  # whole or not at all; another process may have been first
            except FileExistsError:
                pass
            finally:
                draft.unlink(missing_ok=True)
        words = path.read_text("ascii", "replace").split()
    except OSError as error:
        msg = f"the log's folder {folder} cannot be used: {error.strerror}; give one that this user may write"
        raise LogError(msg) from error
    if len(words) != 3 or words[0] != "nadi-log" or words[1] != FORMAT:
        found = words[1] if len(words) > 1 else "unknown"
        msg = f"{folder} holds a log of format {found}, this Nadi reads format {FORMAT}; use another folder"
        raise LogError(msg)
    return words[2]
