"""Helpers around the one broker of a test run: a namespace a test, so that topics keep their real names."""

from __future__ import annotations

import uuid

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from sinks.log.kafka_cluster import parse_url


def fresh_namespace(broker_url: str) -> str:
    return f"{broker_url}/t{uuid.uuid4().hex[:12]}"


def drop_namespace(url: str) -> None:
    """Removes its topics; the broker deletes their files when it has time."""
    admin, names = _topics(url)
    if names:
        for future in admin.delete_topics(names).values():
            future.result(20)


def drop_topic(url: str, topic: str) -> None:
    """Returns when the broker does not list it any more."""
    admin, names = _topics(url)
    name = parse_url(url).prefix + topic
    assert name in names
    admin.delete_topics([name])[name].result(20)
    while name in admin.list_topics(timeout=10).topics:
        pass


def plain_producer(url: str) -> Producer:
    """A stranger's producer, with no setting of ours."""
    return Producer({"bootstrap.servers": parse_url(url).servers})


def _topics(url: str) -> tuple[AdminClient, list[str]]:
    address = parse_url(url)
    admin = AdminClient({"bootstrap.servers": address.servers, "log_level": 2})
    return admin, [name for name in admin.list_topics(timeout=10).topics if name.startswith(address.prefix)]
