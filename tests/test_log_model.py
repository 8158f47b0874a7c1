"""The SQLite log against a list a partition: any sequence of appends, trims, polls of any size and restarts of readers."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from schemas.topics import Topic
from sinks.log import open_log, sqlite_url
from sinks.log.api import TP, OffsetGone, Record

TOPICS = (Topic("one", 2, "delete", -1), Topic("two", 1, "delete", -1))
TPS = (TP("one", 0), TP("one", 1), TP("two", 0))
places = st.sampled_from(TPS)
payloads = st.one_of(st.none(), st.binary(max_size=20))


class LogModel(RuleBasedStateMachine):
    """`content` = all records ever appended by partition, `start` = what was trimmed of them, `read_to` = what the reader must have given."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.log = open_log(sqlite_url(Path(self._folder.name)))
        self.log.create(TOPICS)
        self.content: dict[TP, list[tuple[bytes | None, bytes | None]]] = {tp: [] for tp in TPS}
        self.start = dict.fromkeys(TPS, 0)
        self.read_to = dict.fromkeys(TPS, 0)
        self.reader = self.log.reader(self.read_to)
        self.writers = [self.log.writer("a"), self.log.writer("b")]

    def teardown(self) -> None:
        self.reader.close()
        for writer in self.writers:
            writer.close()
        self.log.close()
        self._folder.cleanup()

    @rule(which=st.integers(0, 1), batch=st.lists(st.tuples(places, payloads, payloads), min_size=1, max_size=12), flush=st.booleans())
    def append(self, which: int, batch: list[tuple[TP, bytes | None, bytes | None]], flush: bool) -> None:
        writer = self.writers[which]
        for tp, key, value in batch:
            writer.append(tp.topic, tp.partition, value, key)
            self.content[tp].append((key, value))
        if flush:
            writer.flush()
        else:
            writer.poll()  # no other writer holds the lock: the same

    @rule(max_records=st.integers(1, 15))
    def poll(self, max_records: int) -> None:
        lost = [tp for tp in TPS if self.read_to[tp] < self.start[tp]]
        if lost:
            try:
                self.reader.poll(max_records)
            except OffsetGone:
                self.reader.close()
                self.read_to = {tp: max(self.read_to[tp], self.start[tp]) for tp in TPS}
                self.reader = self.log.reader(self.read_to)
            else:
                raise AssertionError("a trimmed position must be told")
            return
        records = self.reader.poll(max_records).records()
        assert len(records) <= max_records
        assert records or self.read_to == {tp: len(self.content[tp]) for tp in TPS}, "records at hand must come"
        for record in records:
            self.check(record)
        assert self.reader.positions == self.read_to

    def check(self, record: Record) -> None:
        tp = TP(record.topic, record.partition)
        assert record.offset == self.read_to[tp]
        assert (record.key, record.value) == self.content[tp][record.offset]
        self.read_to[tp] += 1

    @rule()
    def restart(self) -> None:
        self.reader.close()
        self.read_to = {tp: max(self.read_to[tp], self.start[tp]) for tp in TPS}
        self.reader = self.log.reader(self.read_to)

    @precondition(lambda self: any(self.content.values()))
    @rule(tp=places, share=st.floats(0, 1))
    def trim(self, tp: TP, share: float) -> None:
        before = int(len(self.content[tp]) * share)
        self.log.trim(tp, before)
        self.start[tp] = max(self.start[tp], before)

    @invariant()
    def bounds(self) -> None:
        assert self.log.starts(TPS) == self.start
        assert self.log.ends(TPS) == {tp: len(self.content[tp]) for tp in TPS}
        self.reader.ask_ends()
        answer = self.reader.ends()
        assert answer is not None
        assert answer[1] == self.log.ends(TPS)


TestLogModel = LogModel.TestCase
TestLogModel.settings = settings(max_examples=25, stateful_step_count=25, derandomize=True, deadline=None)
