"""How a single-node broker is configured: both roles in one process, loopback only, small."""

from __future__ import annotations

import base64
import os
import socket
from pathlib import Path

PROPERTIES = """
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
num.partitions=1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
auto.create.topics.enable=false
log.message.timestamp.type=LogAppendTime
log.index.size.max.bytes=1048576
message.max.bytes=4194304
replica.fetch.max.bytes=4194304
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms={session_ms}
broker.heartbeat.interval.ms=500
log.retention.check.interval.ms=10000
num.network.threads=2
num.io.threads=2
num.recovery.threads.per.data.dir=1
log.cleaner.dedupe.buffer.size=4194304
"""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cluster_id() -> str:
    """22 characters of URL-safe base64, as Kafka writes ids; never one that begins with a dash, which its tools take for an option."""
    return "N" + base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")[1:]


def setting(path: Path, name: str, default: str) -> str:
    """One value of a properties file, or the default where it is missing."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return default
    return next((line.partition("=")[2].strip() for line in lines if line.startswith(f"{name}=")), default)
