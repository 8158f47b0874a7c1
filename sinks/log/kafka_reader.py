"""Reading Kafka: one consumer for all assigned partitions, whole polls as columns, no Python work a message besides the client's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import cached_property
from operator import methodcaller
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sinks.log.api import TP, CorruptRecord, Headers, LogError, OffsetGone, Record
from sinks.log.kafka_cluster import COMMON, LATEST, Cluster

ASK_S = 2.0
"""An answer about the ends later than this is of no use."""
ASKS = 8
"""Questions under way at once; with a stopped broker no more are asked."""
CONSUMER: dict[str, str | int | float | bool] = {
    **COMMON,
    "group.id": "nadi",  # asked for by the client; nothing is ever committed
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",  # its default jumps to the end without a word where the position was trimmed
    "enable.partition.eof": True,  # the only way to learn that a hole at the end (a compacted deletion) was passed
    "check.crcs": True,
    "fetch.queue.backoff.ms": 2,  # default 1000: a draining consumer would sleep with data at hand
    "fetch.wait.max.ms": 10,
    "fetch.error.backoff.ms": 50,
    "fetch.max.bytes": 16 * 1024 * 1024,
    "queued.max.messages.kbytes": 64 * 1024,
}
_PASSING = frozenset(
    {
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
        KafkaError._RESOLVE,
        KafkaError._MAX_POLL_EXCEEDED,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
    }
)
_OUT_OF_RANGE = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._NO_OFFSET})
_headers_of = methodcaller("headers")
"""Never `message.headers()`: at a name that is not UTF-8 the client returns null pointers and an error that Python's fast path for such
calls overlooks (it comes up anywhere later, or the pointer is followed). A call through C looks. Ask once a message."""
_error_of: Callable[[Message], KafkaError | None] = Message.error


class KafkaBatch:
    """The messages of one poll; columns are made when asked for."""

    def __init__(self, messages: list[Message], back: Mapping[str, str]) -> None:
        self._messages = messages
        self._back = back

    def __len__(self) -> int:
        return len(self._messages)

    @cached_property
    def topics(self) -> list[str]:
        back = self._back
        return [back[m.topic()] for m in self._messages]  # type: ignore[index]  # never None in a message without error

    @cached_property
    def partitions(self) -> list[int]:
        return [m.partition() for m in self._messages]  # type: ignore[misc]

    @cached_property
    def offsets(self) -> list[int]:
        return [m.offset() for m in self._messages]  # type: ignore[misc]

    @cached_property
    def append_ms(self) -> list[int]:
        return [m.timestamp()[1] for m in self._messages]

    @cached_property
    def keys(self) -> list[bytes | None]:
        return [m.key() for m in self._messages]

    @cached_property
    def values(self) -> list[bytes | None]:
        return [m.value() for m in self._messages]

    @cached_property
    def headers(self) -> list[Headers]:
        return [headers_of(m) for m in self._messages]

    def records(self) -> list[Record]:
        columns = (self.topics, self.partitions, self.offsets, self.append_ms, self.keys, self.values, self.headers)
        return [Record(*fields) for fields in zip(*columns, strict=True)]


def headers_of(message: Message) -> Headers:
    """A header without value has b"". Strangers produce too: with a name that is not UTF-8 no header counts."""
    try:
        found: Any = _headers_of(message)
    except (SystemError, ValueError):
        return ()
    return tuple((name, value or b"") for name, value in found) if found else ()


class KafkaReader:
    """See `api.Reader`. With a stopped broker `poll` gives nothing and `ends` None: only an answer says what the end is."""

    def __init__(self, cluster: Cluster, positions: Mapping[TP, int], now_ms: int | None) -> None:
        cluster.check_positions(positions)
        self.positions: dict[TP, int] = dict(positions)
        self._cluster = cluster
        self._now_ms = now_ms
        self._asked: list[tuple[int, dict[TP, Future[Any]]]] = []
        self._back = {cluster.name(tp.topic): tp.topic for tp in positions}
        self._assigned = [TopicPartition(cluster.name(tp.topic), tp.partition) for tp in positions]
        self._consumer = Consumer({"bootstrap.servers": cluster.address.servers, **CONSUMER})
        self._consumer.assign([TopicPartition(cluster.name(tp.topic), tp.partition, offset) for tp, offset in positions.items()])

    def poll(self, max_records: int) -> KafkaBatch:
        ends: dict[TP, int] = {}
        for _ in range(len(self._assigned) + 1):  # the end of a partition comes as a message: a small poll may see nothing else
            try:
                messages = self._consumer.consume(max_records, 0)
            except KafkaException as error:
                raise self._cluster.explain(error.args[0]) from error
            if not messages:
                break
            if any(map(_error_of, messages)):
                ends |= self._judge_errors([m for m in messages if m.error() is not None])
                messages = [m for m in messages if m.error() is None]
            if messages:
                break
        if not messages and not ends:
            return KafkaBatch([], self._back)
        for place in self._consumer.position(self._assigned):
            if place.offset >= 0:  # negative: nothing read of it yet
                self.positions[TP(self._back[place.topic], place.partition)] = place.offset
        for tp, offset in ends.items():
            self.positions[tp] = max(self.positions[tp], offset)
        return KafkaBatch(messages, self._back)

    def ask_ends(self) -> None:
        if len(self._asked) >= ASKS:
            self._asked = [ask for ask in self._asked if not all(future.done() for future in ask[1].values())]
            if len(self._asked) >= ASKS:
                return
        asked = time.time_ns() // 1_000_000 if self._now_ms is None else self._now_ms
        self._asked.append((asked, dict(self._cluster.ask_offsets(self.positions, LATEST, ASK_S))))

    def ends(self) -> tuple[int, dict[TP, int]] | None:
        """The newest whole answer; older questions are forgotten with it, failed ones too."""
        for index in range(len(self._asked) - 1, -1, -1):
            asked, futures = self._asked[index]
            if not all(future.done() for future in futures.values()):
                continue
            if any(future.exception() is not None or future.result().offset < 0 for future in futures.values()):
                del self._asked[index]
                continue
            del self._asked[: index + 1]
            return asked, {tp: future.result().offset for tp, future in futures.items()}
        return None

    def close(self) -> None:
        self._consumer.close()

    def _judge_errors(self, events: list[Message]) -> dict[TP, int]:
        """The ends that were reached; passing errors mend themselves, all others are raised."""
        ends: dict[TP, int] = {}
        for event in events:
            error = event.error()
            assert error is not None
            code = error.code()
            if code == KafkaError._PARTITION_EOF:
                ends[TP(self._back[str(event.topic())], int(event.partition() or 0))] = int(event.offset() or 0)
            elif code in _OUT_OF_RANGE:
                self._cluster.check_positions(self.positions)  # says which, and what the log holds
                msg = f"a position lies outside what Kafka holds: {error.str()}"
                raise OffsetGone(msg)
            elif code == KafkaError._BAD_MSG:
                msg = f"{event.topic()}/{event.partition()}: a record does not match its checksum: {error.str()}"
                raise CorruptRecord(msg)
            elif not (error.retriable() or code in _PASSING):
                raise self._explain_event(event, error)
        return ends

    def _explain_event(self, event: Message, error: KafkaError) -> LogError:
        return self._cluster.explain(error, f"topic {event.topic()}" if event.topic() else "")
