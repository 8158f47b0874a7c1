"""What Kafka alone can do to us: brokers that stop, strangers' topics and records, refused deliveries."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # public, but not in the hints' __all__

from schemas.topics import TOPICS, Topic
from sinks.log import kafka_writer, open_log
from sinks.log.api import TP, DeliveryFailed, Log, LogError, LogUnreachable
from sinks.log.broker import LocalKafka
from sinks.log.broker_config import free_port
from sinks.log.kafka import KafkaLog
from sinks.log.kafka_cluster import Address, parse_url
from sinks.log.kafka_reader import ASK_S, ASKS
from tests.support.kafka import fresh_namespace, plain_producer, produce_foreign_header
from tests.support.logs import ALL, EVENTS, ZERO, fill, read, read_all, until

FIRST = ALL[0]


@pytest.fixture
def log(kafka_log_url: str) -> Iterator[Log]:
    opened = open_log(kafka_log_url)
    opened.create([EVENTS])
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def own_kafka(kafka_url: str) -> Iterator[LocalKafka]:
    """One that may be stopped. `kafka_url` skips where there can be none."""
    assert kafka_url
    with LocalKafka(session_ms=1500, quick=True) as kafka:
        yield kafka


def test_a_paused_broker_gives_no_ends_no_records_and_blocks_nobody(own_kafka: LocalKafka) -> None:
    log = open_log(fresh_namespace(own_kafka.url))
    log.create([EVENTS])
    fill(log, range(30))
    reader = log.reader(ZERO)
    read(reader, 30)
    own_kafka.pause()
    try:
        started = time.monotonic()
        for _ in range(3 * ASKS):
            reader.ask_ends()
            assert reader.ends() is None
            assert len(reader.poll(100)) == 0
        assert time.monotonic() - started < ASKS * ASK_S  # waiting for each answer would take three times this
        until(lambda: no_question_left(reader), "the questions to be given up")
        assert reader.ends() is None
        with pytest.raises(LogUnreachable, match=r"Kafka at 127\.0\.0\.1:\d+ does not answer"):
            log.ends(ALL)
    finally:
        own_kafka.resume()
    answers: list[dict[TP, int]] = []

    def answered() -> bool:
        reader.ask_ends()
        answer = reader.ends()
        answers.extend([] if answer is None else [answer[1]])
        return bool(answers)

    until(answered, "an answer after the pause")
    assert answers[-1] == dict.fromkeys(ALL, 10)
    reader.close()


def no_question_left(reader: object) -> bool:
    asked = reader._asked  # type: ignore[attr-defined]
    return all(future.done() for _, futures in asked for future in futures.values())


def test_reader_and_writer_go_on_after_the_broker_was_killed(own_kafka: LocalKafka) -> None:
    log = open_log(fresh_namespace(own_kafka.url))
    log.create([EVENTS])
    writer = log.writer("w")
    writer.append("events", 0, b"before")
    writer.flush()
    incarnation = log.incarnation("events")
    reader = log.reader(ZERO)
    read(reader, 1)
    own_kafka.kill()
    for number in range(100):
        writer.append("events", 0, b"%d" % number)
        writer.poll()
    assert len(reader.poll(100)) == 0
    own_kafka.start()
    writer.close()
    records = read(reader, 100)
    assert [record.value for record in records] == [b"%d" % number for number in range(100)]
    assert [record.offset for record in records] == list(range(1, 101))
    assert log.incarnation("events") == incarnation
    reader.close()


def test_nobody_at_the_address() -> None:
    with pytest.raises(LogUnreachable, match="is it running, is the address right"):
        open_log(f"kafka://127.0.0.1:{free_port()}")


def test_a_flush_that_is_not_confirmed_is_a_failed_delivery(own_kafka: LocalKafka) -> None:
    log = open_log(fresh_namespace(own_kafka.url))
    log.create([EVENTS])
    writer = log.writer("w")
    writer.append("events", 0, b"a")
    writer.flush()
    own_kafka.pause()
    try:
        writer.append("events", 0, b"b")
        with pytest.raises(DeliveryFailed, match="did not confirm 1 records within"):
            writer.flush(0.1)
        calls: list[Callable[[], None]] = [lambda: writer.append("events", 0, b"c"), writer.poll, writer.flush]
        for call in calls:
            with pytest.raises(DeliveryFailed):
                call()
    finally:
        own_kafka.resume()
    writer.close()


def test_a_delivery_that_the_broker_refuses_is_raised(log: KafkaLog) -> None:
    """Somebody lowers the topic's limit behind our back."""
    writer = log.writer("w")
    writer.append("events", 0, b"a")
    writer.flush()
    lower_limit(log, "events", 1000)
    writer.append("events", 0, random.Random(3).randbytes(50_000))
    with pytest.raises(DeliveryFailed, match="too large"):
        writer.flush()
    with pytest.raises(DeliveryFailed):
        writer.append("events", 0, b"b")
    writer.close()
    assert [record.value for record in read_all(log, [FIRST])] == [b"a"]


def lower_limit(log: KafkaLog, topic: str, max_bytes: int) -> None:
    from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, but not in the hints' __all__
        AlterConfigOpType,
        ConfigEntry,
        ConfigResource,
        ResourceType,
    )

    entry = ConfigEntry("max.message.bytes", str(max_bytes), incremental_operation=AlterConfigOpType.SET)
    address = parse_url(log.url)
    resource = ConfigResource(ResourceType.TOPIC, address.prefix + topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": address.servers})
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(10)


def test_a_full_buffer_waits_and_loses_nothing(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kafka_writer.PRODUCER, "queue.buffering.max.messages", 10)
    writer = log.writer("w")
    for number in range(500):
        writer.append("events", 0, b"%d" % number)
    writer.close()
    assert writer.waits > 0  # type: ignore[attr-defined]
    assert [record.value for record in read_all(log, [FIRST])] == [b"%d" % number for number in range(500)]


def test_an_existing_topic_with_the_producers_clock_is_refused(kafka_log_url: str) -> None:
    address = parse_url(kafka_log_url)
    admin = AdminClient({"bootstrap.servers": address.servers})
    foreign = NewTopic(f"{address.prefix}events", 3, config={"message.timestamp.type": "CreateTime"})
    admin.create_topics([foreign])[f"{address.prefix}events"].result(10)
    log = open_log(kafka_log_url)

    def refused() -> bool:
        try:
            log.create([EVENTS])
        except LogError as error:
            return "set it to LogAppendTime" in str(error)
        return False

    until(refused, "the refusal")


def test_a_limit_below_one_batch_is_refused(log: Log) -> None:
    with pytest.raises(LogError, match="below that of one batch"):
        log.create([Topic("tiny", 1, "delete", -1, 1000)])


def test_the_stamp_is_the_brokers_and_foreign_headers_stop_nothing(log: Log) -> None:
    producer = plain_producer(log.url)
    name = f"{parse_url(log.url).prefix}events"
    before = time.time_ns() // 1_000_000
    producer.produce(name, b"1", partition=0, timestamp=5, headers=[("empty", None), ("name", b"v")])
    producer.flush(10)
    for _ in range(50):  # Python specialises code that ran often
        produce_foreign_header(log.url, "events", b"\xff\xfe", b"2")
    one, *others = read_all(log, [FIRST])
    assert one.append_ms >= before - 60_000
    assert one.headers == (("empty", b""), ("name", b"v"))
    assert [(record.value, record.headers) for record in others] == [(b"2", ())] * 50


def test_a_position_passes_offsets_that_hold_no_record(log: Log) -> None:
    """A transaction's marker takes an offset, as does what compaction removed at the end: without it "read to the end" would never be true."""
    producer = plain_producer(log.url, {"transactional.id": parse_url(log.url).prefix})
    producer.init_transactions(30)
    for value in (b"1", b"2"):
        producer.begin_transaction()
        producer.produce(f"{parse_url(log.url).prefix}events", value, partition=0)
        producer.commit_transaction(30)
    until(lambda: log.ends([FIRST]) == {FIRST: 4}, "both markers")
    records = read_all(log, [FIRST])  # to the end, positions included
    assert [(record.offset, record.value) for record in records] == [(0, b"1"), (2, b"2")]


def test_namespaces_do_not_see_each_other(kafka_url: str) -> None:
    one, two = (open_log(fresh_namespace(kafka_url)) for _ in range(2))
    one.create([EVENTS])
    fill(one, range(3))
    two.create([EVENTS])
    assert (one.topics(), two.topics()) == (["events"], ["events"])
    assert one.incarnation("events") != two.incarnation("events")
    assert two.ends(ALL) == ZERO
    assert {record.topic for record in read_all(one, ALL)} == {"events"}


def test_all_topics_of_nadi_can_be_created(kafka_log_url: str) -> None:
    log = open_log(kafka_log_url)
    assert log.create(TOPICS) == [topic.name for topic in TOPICS]
    assert log.create(TOPICS) == []


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("kafka://a:1", Address("a:1", "")),
        ("kafka://a:1,b:2/", Address("a:1,b:2", "")),
        ("kafka://[::1]:9092/ward-a", Address("[::1]:9092", "ward-a.")),
    ],
)
def test_addresses(url: str, address: Address) -> None:
    assert parse_url(url) == address
