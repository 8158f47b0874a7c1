"""A process that appends until it is killed: `python -m tests.support.log_child URL NAME [die-in-batch N]`.

It appends `NAME 0`, `NAME 1`, ... to partition 0 of `events`, 20 between flushes, and prints how many are confirmed after each flush. With
`die-in-batch` it kills itself in its N-th transaction, after the rows are inserted and before they are committed (SQLite only).
"""

from __future__ import annotations

import os
import signal
import sys

from sinks.log import open_log, sqlite_writer
from sinks.log.sqlite_file import TopicFile
from sinks.log.sqlite_writer import Pending

PER_FLUSH = 20


def die_in_batch(number: int) -> None:
    insert = sqlite_writer.insert
    done = 0

    def insert_and_die(file: TopicFile, batch: list[Pending], now_ms: int) -> None:
        nonlocal done
        insert(file, batch, now_ms)
        done += 1
        if done == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sqlite_writer.insert = insert_and_die


def main(url: str, name: str, *rest: str) -> None:
    if rest:
        die_in_batch(int(rest[1]))
    writer = open_log(url).writer(name)
    number = 0
    while True:
        for _ in range(PER_FLUSH):
            writer.append("events", 0, f"{name} {number}".encode())
            number += 1
        writer.flush()
        print(number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
