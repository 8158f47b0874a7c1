"""Helpers around the one broker of a test run: a namespace a test, so that topics keep their real names."""

from __future__ import annotations

import ctypes
import uuid
from collections.abc import Mapping
from pathlib import Path

import confluent_kafka
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


def plain_producer(url: str, settings: Mapping[str, str] | None = None) -> Producer:
    """A stranger's producer."""
    return Producer({"bootstrap.servers": parse_url(url).servers, "log_level": 0, **(settings or {})})


def produce_foreign_header(url: str, topic: str, name: bytes, value: bytes) -> None:
    """One record to partition 0 whose header's name may be any bytes: the Python client takes text alone, librdkafka itself does not."""
    (path,) = (Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs").glob("librdkafka*.so*")
    library = ctypes.CDLL(str(path))
    for function in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_headers_new"):
        getattr(library, function).restype = ctypes.c_void_p
    address = parse_url(url)
    error = ctypes.create_string_buffer(512)
    conf = ctypes.c_void_p(library.rd_kafka_conf_new())
    assert library.rd_kafka_conf_set(conf, b"bootstrap.servers", address.servers.encode(), error, 512) == 0, error.value
    producer = ctypes.c_void_p(library.rd_kafka_new(0, conf, error, ctypes.c_size_t(512)))
    headers = ctypes.c_void_p(library.rd_kafka_headers_new(ctypes.c_size_t(1)))
    library.rd_kafka_header_add(headers, name, ctypes.c_ssize_t(len(name)), b"", ctypes.c_ssize_t(0))
    fields = (  # rd_kafka_vtype_t and its value, ended by 0
        (1, ctypes.c_char_p((address.prefix + topic).encode())),
        (3, ctypes.c_int32(0)),
        (4, ctypes.c_char_p(value), ctypes.c_size_t(len(value))),
        (7, ctypes.c_int(2)),  # copy the value
        (10, headers),
    )
    arguments = [part for kind, *values in fields for part in (ctypes.c_int(kind), *values)]
    assert library.rd_kafka_producev(producer, *arguments, ctypes.c_int(0)) == 0
    assert library.rd_kafka_flush(producer, 10_000) == 0
    library.rd_kafka_destroy(producer)


def _topics(url: str) -> tuple[AdminClient, list[str]]:
    address = parse_url(url)
    admin = AdminClient({"bootstrap.servers": address.servers, "log_level": 2})
    return admin, [name for name in admin.list_topics(timeout=10).topics if name.startswith(address.prefix)]
