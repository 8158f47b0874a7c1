"""Appending to Kafka: one idempotent producer; what was refused is raised at the next call, never swallowed."""

from __future__ import annotations

import time

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from sinks.log.api import DeliveryFailed, Headers
from sinks.log.kafka_cluster import COMMON, Cluster
from sinks.log.rows import size_bytes

RECORD_OVERHEAD_BYTES = 1024
"""What Kafka adds to one record (batch header, lengths) and more: a topic's `max.message.bytes` is this much above `Topic.max_bytes`."""
BATCH_BYTES = 256 * 1024
"""A whole batch counts as one message against the topic's `max.message.bytes`: no topic may have a lower limit."""
FULL_WAIT_S = 60.0
PRODUCER: dict[str, str | int | float | bool] = {
    **COMMON,
    "acks": "all",
    "enable.idempotence": True,  # no repeat and no disorder by the client's own retries
    "enable.gapless.guarantee": True,  # after a refused batch nothing that follows it may be appended
    "linger.ms": 2,
    "batch.size": BATCH_BYTES,
    "message.max.bytes": 2 * 1024 * 1024 + RECORD_OVERHEAD_BYTES,
    "compression.type": "lz4",
    "queue.buffering.max.messages": 100_000,
    "queue.buffering.max.kbytes": 64 * 1024,
    "message.timeout.ms": 120_000,
    "delivery.report.only.error": True,
}


class KafkaWriter:
    """See `api.Writer`. `waits` counts the appends that found the buffer full."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.name = name
        self.waits = 0
        self._cluster = cluster
        self._limits: dict[str, tuple[int, int, bool]] = {}
        self._failed: str | None = None
        ours = {"bootstrap.servers": cluster.address.servers, "client.id": name}
        self._producer = Producer({**PRODUCER, **ours, "on_delivery": self._delivered})

    def append(self, topic: str, partition: int, value: bytes | None, key: bytes | None = None, headers: Headers = ()) -> None:
        """The first record of a topic asks the broker for the topic's limits. Raises DeliveryFailed, LogError."""
        limits = self._limits.get(topic)
        if limits is None:
            limits = self._limits[topic] = self._ask_limits(topic)
        max_bytes, partitions, compact = limits
        size = size_bytes(key, value, headers)
        if size > max_bytes:
            limit = f"above this topic's limit of {max_bytes}"
            msg = f"{topic}/{partition}: a record of {size} bytes is {limit}; nothing of it was written"
            raise DeliveryFailed(msg)
        if not 0 <= partition < partitions:
            msg = f"{topic}/{partition}: no such partition, the topic has {partitions}"
            raise DeliveryFailed(msg)
        if key is None and compact:
            msg = f"{topic}/{partition}: a record of a compacted topic needs a key"
            raise DeliveryFailed(msg)
        self._raise_failed()
        self._produce(self._cluster.name(topic), partition, value, key, headers)

    def poll(self) -> None:
        self._serve(0)
        self._raise_failed()

    def flush(self, timeout_s: float = 30.0) -> None:
        self._raise_failed()
        left = 0
        try:
            left = self._producer.flush(timeout_s)
        except (KafkaException, SystemError) as error:
            self._note_fatal(error)
        self._raise_failed()
        if left:
            self._failed = f"Kafka at {self._cluster.address.servers} did not confirm {left} records within {timeout_s:g} s"
            self._raise_failed()

    def close(self) -> None:
        """Flushes, unless the writer has failed already: then what is buffered is given up (it was told before)."""
        if self._failed is None:
            self.flush()
        else:
            self._producer.purge()
            self._serve(0)

    def _ask_limits(self, topic: str) -> tuple[int, int, bool]:
        """(largest record in bytes, partitions, compacted?)"""
        partitions = len(self._cluster.describe(topic).partitions)
        settings = self._cluster.settings(topic)
        return int(settings["max.message.bytes"]) - RECORD_OVERHEAD_BYTES, partitions, "compact" in settings["cleanup.policy"]

    def _produce(self, name: str, partition: int, value: bytes | None, key: bytes | None, headers: Headers) -> None:
        deadline = 0.0
        while True:
            try:
                self._producer.produce(name, value, key, partition, headers=list(headers))
            except BufferError:
                if deadline == 0.0:
                    self.waits += 1
                    deadline = time.monotonic() + FULL_WAIT_S
                elif time.monotonic() > deadline:
                    self._failed = f"Kafka at {self._cluster.address.servers} took nothing for {FULL_WAIT_S:g} s, the buffer is full"
                self._serve(0.05)
                self._raise_failed()
            except KafkaException as error:
                self._note_fatal(error)
                self._raise_failed()
            else:
                return

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and self._failed is None:
            self._failed = f"{message.topic()}/{message.partition()}: Kafka did not take a record: {error.str()}"

    def _serve(self, timeout_s: float) -> None:
        try:
            self._producer.poll(timeout_s)
        except (KafkaException, SystemError) as error:
            self._note_fatal(error)

    def _note_fatal(self, error: BaseException) -> None:
        """The client raises a fatal error out of whatever call serves it, as SystemError when `_delivered` is called on top of it."""
        cause = error if isinstance(error, KafkaException) else error.__cause__ or error
        if self._failed is None:
            self._failed = f"Kafka at {self._cluster.address.servers} ended this writer: {cause}"

    def _raise_failed(self) -> None:
        if self._failed is not None:
            raise DeliveryFailed(self._failed)
