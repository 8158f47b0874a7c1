"""The one sink of a flow: appends records as they come, and lets no epoch be committed before the log has confirmed all of them.

A `DynamicSink` is not part of Bytewax's commit and loses what it had not written. This is a `FixedPartitionedSink`, whose `snapshot` is a
barrier.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from flows.engine.health import Health
from schemas.records import Append
from sinks.log.api import Writer

PART = "out"
"""The only part: a recovery key, never change it."""


class Part(StatefulSinkPartition[Sequence[Append], None]):
    """One writer. A record that the log refuses ends the process: its next run repeats from the last committed epoch."""

    def __init__(self, writer: Writer, health: Health) -> None:
        self._writer, self._health = writer, health

    def write_batch(self, values: list[Sequence[Append]]) -> None:
        append, n = self._writer.append, 0
        for records in values:
            for topic, partition, value, key, headers in records:
                append(topic, partition, value, key, headers)
            n += len(records)
        self._writer.poll()  # alerts leave now, not at the epoch's end
        self._health.add("appended", n)

    def snapshot(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class Sink(FixedPartitionedSink[Sequence[Append], None]):
    """Takes lists of appends under any key."""

    def __init__(self, open_writer: Callable[[], Writer], health: Health) -> None:
        self._open, self._health = open_writer, health

    def list_parts(self) -> list[str]:
        return [PART]

    def part_fn(self, item_key: str) -> int:
        return 0

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> Part:
        return Part(self._open(), self._health)
