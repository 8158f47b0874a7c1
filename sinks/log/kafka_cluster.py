"""The connection to a Kafka cluster: its address, names, questions with a bounded wait, and errors in the words of the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, but not in the hints' __all__
    AdminClient,
    ConfigResource,
    OffsetSpec,
    ResourceType,
    TopicDescription,
)

from sinks.log.api import TP, LogError, LogUnreachable, OffsetGone

WAIT_S = 5.0
"""How long a question to the cluster may take."""
COMMON: dict[str, str | int | float | bool] = {
    "log_level": 2,  # librdkafka's lines would go to the terminal; every error that matters is raised
    "socket.keepalive.enable": True,
    # A client that asks while a lone broker is fenced (it stood still for longer than its session) learns that there is no broker, and
    # without this asks nobody again for 5 minutes.
    "topic.metadata.refresh.interval.ms": 2000,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 500,  # default 10 s: that long nothing would move after the broker is back
}
EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
UNKNOWN = -1001
"""What the client puts, without an error, into the result of a ListOffsets that timed out: never an offset."""
_NO_ANSWER = frozenset(
    {
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._RESOLVE,
        KafkaError._WAIT_COORD,
        KafkaError.REQUEST_TIMED_OUT,
    }
)
_NO_TOPIC = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION, KafkaError._NOENT})

K = TypeVar("K")
V = TypeVar("V")


class Address(NamedTuple):
    """`servers` as librdkafka wants them; `prefix` = the namespace and a dot, or nothing."""

    servers: str
    prefix: str


def parse_url(url: str) -> Address:
    """`kafka://host:port[,host:port][/namespace]`: topics of a namespace are called `namespace.topic` in the cluster."""
    servers, _, namespace = url.removeprefix("kafka://").rstrip("/").partition("/")
    ports = [server.rpartition(":")[2] for server in servers.split(",")]
    if not servers or "@" in servers or not all(port.isascii() and port.isdigit() for port in ports) or "/" in namespace:
        msg = f"{url!r} is not the address of a Kafka: give kafka://host:port[,host:port][/namespace]"
        raise LogError(msg)
    return Address(servers, f"{namespace}." if namespace else "")


class Cluster:
    """Asks the cluster. May be used from several threads; readers share it with their log."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.admin = AdminClient({"bootstrap.servers": address.servers, **COMMON})
        answer = self.result(self.admin.describe_cluster(request_timeout=WAIT_S))
        self.cluster_id = str(answer.cluster_id)

    def name(self, topic: str) -> str:
        return self.address.prefix + topic

    def result(self, future: Future[V], wait_s: float = WAIT_S) -> V:
        """Raises LogUnreachable, LogError."""
        try:
            return future.result(wait_s + 1.0)
        except KafkaException as error:
            raise self.explain(error.args[0]) from error
        except TimeoutError as error:
            raise self.unreachable("no answer") from error

    def results(self, futures: Mapping[K, Future[V]], wait_s: float = WAIT_S) -> dict[K, V]:
        return {key: self.result(future, wait_s) for key, future in futures.items()}

    def explain(self, error: KafkaError, about: str = "") -> LogError:
        code = error.code()
        if code in _NO_ANSWER:
            return self.unreachable(error.str())
        if code in _NO_TOPIC:
            return LogError(f"{about or 'a topic'} does not exist at {self.address.servers}; create the topics first (`nadi topics`)")
        return LogError(f"Kafka at {self.address.servers} refused{f' {about}' if about else ''}: {error.str()} ({error.name()})")

    def unreachable(self, why: str) -> LogUnreachable:
        where = self.address.servers
        return LogUnreachable(f"Kafka at {where} does not answer within {WAIT_S:g} s ({why}); is it running, is the address right?")

    def describe(self, topic: str) -> TopicDescription:
        name = self.name(topic)
        futures = self.admin.describe_topics(TopicCollection([name]), request_timeout=WAIT_S)
        try:
            found: TopicDescription = futures[name].result(WAIT_S + 1.0)
        except KafkaException as error:
            raise self.explain(error.args[0], f"topic {name}") from error
        except TimeoutError as error:
            raise self.unreachable("no answer") from error
        return found

    def settings(self, topic: str) -> dict[str, str]:
        """All settings of the topic, as the broker states them."""
        resource = ConfigResource(ResourceType.TOPIC, self.name(topic))
        (found,) = self.results(self.admin.describe_configs([resource], request_timeout=WAIT_S)).values()
        return {name: str(entry.value) for name, entry in found.items()}

    def ask_offsets(self, tps: Iterable[TP], spec: OffsetSpec, wait_s: float = WAIT_S) -> dict[TP, Future[Any]]:
        """One request a broker, not waited for. An offset of -1 = there is none; `UNKNOWN` = the broker did not answer."""
        back = {self.name(tp.topic): tp.topic for tp in tps}
        wanted = {TopicPartition(self.name(tp.topic), tp.partition): spec for tp in tps}
        futures = self.admin.list_offsets(wanted, request_timeout=wait_s)
        return {TP(back[key.topic], key.partition): future for key, future in futures.items()}

    def offsets(self, tps: Iterable[TP], spec: OffsetSpec) -> dict[TP, int]:
        wanted = list(tps)
        if not wanted:
            return {}
        found: dict[TP, int] = {}
        for tp, future in self.ask_offsets(wanted, spec).items():
            try:
                found[tp] = future.result(WAIT_S + 1.0).offset
            except KafkaException as error:
                raise self.explain(error.args[0], f"{tp.topic}/{tp.partition}") from error
            except TimeoutError as error:
                raise self.unreachable("no answer") from error
            if found[tp] <= UNKNOWN:
                raise self.unreachable("no answer")
        return {tp: found[tp] for tp in wanted}

    def check_positions(self, positions: Mapping[TP, int]) -> None:
        """Raises OffsetGone where a position was trimmed or lies beyond the end."""
        starts = self.offsets(positions, EARLIEST)
        ends = self.offsets(positions, LATEST)
        for tp, position in positions.items():
            if not starts[tp] <= position <= ends[tp]:
                where = "was trimmed" if position < starts[tp] else "lies beyond the end"
                msg = f"{tp.topic}/{tp.partition}: offset {position} {where}; the log holds {starts[tp]} up to {ends[tp]}"
                raise OffsetGone(msg)
