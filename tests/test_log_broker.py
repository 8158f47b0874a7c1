"""The local broker: one Ctrl-C ends it, nothing is left behind, and it never outlives who started it."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from sinks.log import broker_install, open_log
from sinks.log.broker import BrokerFailed, LocalKafka, available, main
from sinks.log.broker_config import cluster_id
from tests.support.logs import EVENTS, ZERO, until

URL = re.compile(r"kafka://127\.0\.0\.1:\d+\n")
BROKER = [sys.executable, "-m", "sinks.log.broker"]


def java_of(pid: int) -> psutil.Process:
    (child,) = (process for process in psutil.Process(pid).children(recursive=True) if "java" in process.name())
    return child


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.usefixtures("kafka_url")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_it_and_removes_its_folder(number: signal.Signals) -> None:
    with subprocess.Popen(BROKER, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline()
        assert URL.fullmatch(url)
        java = java_of(process.pid)
        folder = Path(java.cwd())
        assert folder.name.startswith("nadi-kafka-")
        open_log(url.strip()).create([EVENTS])
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert gone(java)
    assert not folder.exists()


@pytest.mark.usefixtures("kafka_url")
def test_it_dies_with_its_parent_and_keeps_a_given_folder(tmp_path: Path) -> None:
    with subprocess.Popen([*BROKER, "--dir", str(tmp_path / "kafka")], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        log = open_log(process.stdout.readline().strip())
        log.create([EVENTS])
        incarnation = log.incarnation("events")
        java = java_of(process.pid)
        process.kill()
    until(lambda: gone(java), "the broker to end with its parent")
    with LocalKafka(tmp_path / "kafka", session_ms=1500, quick=True) as kafka:
        again = open_log(kafka.url)
        assert again.incarnation("events") == incarnation
        assert again.ends(list(ZERO)) == ZERO
    assert (tmp_path / "kafka" / "data").exists()


@pytest.mark.usefixtures("kafka_url")
def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(BrokerFailed, match=r"port \d+ is taken by another program"):
        LocalKafka(tmp_path / "kafka", taken.getsockname()[1]).start()


def test_without_java_or_maven_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "mvn" else f"/usr/bin/{name}")
    assert "no `mvn` on the path" in str(available(tmp_path / "lib"))
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert "no `java` on the path" in str(available(tmp_path / "lib"))
    with pytest.raises(BrokerFailed, match="no `java` on the path"):
        LocalKafka(tmp_path / "kafka").start()
    assert main([]) == 1
    assert capsys.readouterr().err.startswith("Kafka cannot be started here: no `java`")


def fake_maven(folder: Path, script: str) -> str:
    path = folder / "mvn"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_failed_download_leaves_nothing_that_looks_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lib = tmp_path / "cache" / "lib"
    maven = fake_maven(tmp_path, f"mkdir -p {lib}.part; touch {lib}.part/half.jar; echo '[ERROR] no route to the repository'; exit 1")
    monkeypatch.setattr(shutil, "which", lambda name: maven if name == "mvn" else f"/usr/bin/{name}")
    assert available(lib) == "Maven could not bring Apache Kafka: [ERROR] no route to the repository"
    assert not lib.exists()
    fake_maven(tmp_path, f"mkdir -p {lib}.part; touch {lib}.part/{broker_install.MAIN_JAR}; date >> {tmp_path}/runs")
    assert available(lib) is None
    assert available(lib) is None
    assert len((tmp_path / "runs").read_text().splitlines()) == 1
    assert [path.name for path in lib.iterdir()] == [broker_install.MAIN_JAR]


def test_a_download_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    maven = fake_maven(tmp_path, "exec sleep 60")
    monkeypatch.setattr(shutil, "which", lambda name: maven if name == "mvn" else f"/usr/bin/{name}")
    monkeypatch.setattr(broker_install, "INSTALL_S", 0.1)
    started = time.monotonic()
    assert "did not bring Apache Kafka within" in str(available(tmp_path / "lib"))
    assert time.monotonic() - started < 30


def test_ids_of_clusters() -> None:
    ids = {cluster_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"N[\w-]{21}", found) for found in ids)
