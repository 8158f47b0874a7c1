"""The log on Apache Kafka. Needs brokers of 3.7 or newer (topic ids, ListOffsets by several partitions at once)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import NewTopic, OffsetSpec  # type: ignore[attr-defined]  # public, but not in the hints' __all__

from schemas.topics import Topic
from sinks.log.api import TP, LogError
from sinks.log.kafka_cluster import EARLIEST, LATEST, WAIT_S, Cluster, parse_url
from sinks.log.kafka_reader import KafkaReader
from sinks.log.kafka_writer import BATCH_BYTES, RECORD_OVERHEAD_BYTES, KafkaWriter

CREATE_S = 15.0


class KafkaLog:
    """The cluster as a log. Opening it asks the cluster who it is. Raises LogUnreachable when nobody answers."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._cluster = Cluster(parse_url(url))

    def incarnation(self, topic: str) -> str:
        """`kafka/<cluster id>/<topic id>`: a topic deleted and created again has another id."""
        return f"kafka/{self._cluster.cluster_id}/{self._cluster.describe(topic).topic_id}"

    def create(self, topics: Iterable[Topic]) -> list[str]:
        """Returns when the new topics can be used. Existing ones must have the partitions, clock and clean-up that the laws need."""
        cluster = self._cluster
        wanted = {cluster.name(topic.name): topic for topic in topics}
        for topic in wanted.values():
            if topic.max_bytes < BATCH_BYTES:
                msg = f"topic {topic.name}: a limit of {topic.max_bytes} bytes is below that of one batch, {BATCH_BYTES}"
                raise LogError(msg)
        if not wanted:
            return []
        new = [NewTopic(name, topic.partitions, config=config_of(topic)) for name, topic in wanted.items()]
        created = []
        for name, future in cluster.admin.create_topics(new, operation_timeout=WAIT_S, request_timeout=CREATE_S).items():
            try:
                future.result(CREATE_S + 1.0)
                created.append(wanted[name].name)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise cluster.explain(error.args[0], f"to create {name}") from error
                self._check(wanted[name])
            except TimeoutError as error:
                raise cluster.unreachable("no answer") from error
        for name in created:
            self._wait_usable(name)
        return created

    def topics(self) -> list[str]:
        prefix = self._cluster.address.prefix
        try:
            found = self._cluster.admin.list_topics(timeout=WAIT_S).topics
        except KafkaException as error:
            raise self._cluster.explain(error.args[0]) from error
        return sorted(name.removeprefix(prefix) for name in found if name.startswith(prefix) and not name.startswith("__"))

    def partitions(self, topic: str) -> int:
        return len(self._cluster.describe(topic).partitions)

    def starts(self, tps: Sequence[TP]) -> dict[TP, int]:
        return self._cluster.offsets(tps, EARLIEST)

    def ends(self, tps: Sequence[TP]) -> dict[TP, int]:
        return self._cluster.offsets(tps, LATEST)

    def offsets_at(self, tps: Sequence[TP], append_ms: int) -> dict[TP, int]:
        """The ends are asked first: what is appended meanwhile is then read, never skipped."""
        ends = self.ends(tps)
        found = self._cluster.offsets(tps, OffsetSpec.for_timestamp(max(0, append_ms)))
        return {tp: offset if offset >= 0 else ends[tp] for tp, offset in found.items()}

    def trim(self, tp: TP, before: int) -> None:
        cluster = self._cluster
        place = TopicPartition(cluster.name(tp.topic), tp.partition, before)
        for future in cluster.admin.delete_records([place], request_timeout=WAIT_S, operation_timeout=WAIT_S).values():
            try:
                future.result(2 * WAIT_S)
            except KafkaException as error:
                raise cluster.explain(error.args[0], f"to trim {tp.topic}/{tp.partition} below {before}") from error

    def reader(self, positions: Mapping[TP, int], now_ms: int | None = None) -> KafkaReader:
        return KafkaReader(self._cluster, positions, now_ms)

    def writer(self, name: str) -> KafkaWriter:
        return KafkaWriter(self._cluster, name)

    def close(self) -> None:
        """The client ends with its last reader or writer."""

    def _check(self, topic: Topic) -> None:
        """Raises LogError where an existing topic would break a law."""
        where = f"topic {self._cluster.name(topic.name)} at {self._cluster.address.servers}"
        partitions = self.partitions(topic.name)
        settings = self._cluster.settings(topic.name)
        if partitions != topic.partitions:
            remedy = "partitions are never changed; use another cluster or namespace"
            msg = f"{where} has {partitions} partitions, not {topic.partitions}: {remedy}"
        elif settings["message.timestamp.type"] != "LogAppendTime":
            clock = settings["message.timestamp.type"]
            msg = f"{where} has message.timestamp.type={clock}; set it to LogAppendTime: no device's clock is trusted"
        elif ("compact" in settings["cleanup.policy"]) != (topic.cleanup == "compact"):
            msg = f"{where} has cleanup.policy={settings['cleanup.policy']}; set it to {topic.cleanup}"
        else:
            return
        raise LogError(msg)

    def _wait_usable(self, topic: str) -> None:
        """A topic just created is not known to every broker at once."""
        deadline = time.monotonic() + CREATE_S
        while True:
            try:
                description = self._cluster.describe(topic)
                if all(partition.leader is not None for partition in description.partitions):
                    self.ends([TP(topic, partition.id) for partition in description.partitions])
                    return
            except LogError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.02)


def config_of(topic: Topic) -> dict[str, str]:
    """What the broker is told of a new topic."""
    return {
        "message.timestamp.type": "LogAppendTime",
        "cleanup.policy": topic.cleanup,
        "retention.ms": str(topic.retention_ms),
        "max.message.bytes": str(topic.max_bytes + RECORD_OVERHEAD_BYTES),
    }
