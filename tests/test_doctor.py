"""`nadi doctor` finds what it must find: each fault is planted, found, and answered with what to do."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flows import doctor
from flows.doctor import Finding, examine
from flows.settings import Settings, load
from schemas.topics import TOPICS
from sinks.log import open_log
from tests.support.cli import runner

NOW_MS = 1_800_000_000_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation with a log and no process."""
    found = load({"NADI_DATA": str(tmp_path / "data")})
    log = open_log(found.log_url)
    log.create(TOPICS)
    log.close()
    return found


def find(settings: Settings, check: str, now_ms: Callable[[], int] | None = None, **environ: str) -> Finding:
    """The finding of one check."""
    findings = examine(settings, environ) if now_ms is None else examine(settings, environ, now_ms)
    return next(f for f in findings if f.check == check)


def says(settings: Settings, flow: str, committed_ms: int, time_ms: int, pid: int = 0) -> None:
    """A flow has written how it goes."""
    settings.health(flow).parent.mkdir(parents=True, exist_ok=True)
    settings.health(flow).write_text(json.dumps({"pid": pid, "committed_ms": committed_ms, "time_ms": time_ms}))


def belongs(settings: Settings, flow: str, **other: str) -> None:
    """A recovery folder as a flow keeps it."""
    log = open_log(settings.log_url)
    incarnations = {"timeline": log.incarnation("timeline")} | other
    log.close()
    settings.recovery(flow).mkdir(parents=True, exist_ok=True)
    (settings.recovery(flow) / "log.json").write_text(json.dumps({"flow": flow, "incarnations": incarnations}))


@pytest.fixture
def held(settings: Settings) -> Iterator[Callable[[str, int], None]]:
    """Holds the lock of a recovery folder, as a process `pid` would."""
    open_files = []

    def hold(flow: str, pid: int) -> None:
        settings.recovery(flow).mkdir(parents=True, exist_ok=True)
        file = (settings.recovery(flow) / "LOCK").open("a+")
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(str(pid))
        file.flush()
        open_files.append(file)

    yield hold
    for file in open_files:
        file.close()


def test_an_installation_that_has_not_started_fails_in_nothing(settings: Settings) -> None:
    assert [f for f in examine(settings, {}) if f.level == "fail"] == []


def test_a_log_without_folder_is_found_and_not_made(tmp_path: Path) -> None:
    finding = find(load({"NADI_DATA": str(tmp_path / "none")}), "log")
    assert (finding.level, finding.todo) == ("fail", "start `nadi up`, or say where the log is with --data or --log")
    assert not (tmp_path / "none").exists()


def test_a_broker_that_does_not_answer_is_found(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"kafka://127.0.0.1:{free.getsockname()[1]}"
    finding = find(load({"NADI_DATA": str(tmp_path), "NADI_LOG": url}), "log")
    assert (finding.level, finding.todo) == ("fail", "start the broker, or correct the setting `log`")


def test_missing_topics_are_found(tmp_path: Path) -> None:
    settings = load({"NADI_DATA": str(tmp_path)})
    open_log(settings.log_url).close()
    finding = find(settings, "log")
    assert (finding.level, finding.todo) == ("fail", "nadi topics create")


def test_a_folder_of_another_log_is_found(settings: Settings) -> None:
    belongs(settings, "monitor")
    assert find(settings, "monitor folder").level == "ok"
    belongs(settings, "monitor", timeline="sqlite/other/file")
    finding = find(settings, "monitor folder")
    assert (finding.level, "another log (timeline)" in finding.found) == ("fail", True)
    assert str(settings.recovery("monitor")) in finding.todo


def test_a_folder_that_cannot_be_read_is_found(settings: Settings) -> None:
    belongs(settings, "ingest")
    (settings.recovery("ingest") / "log.json").write_text("{")
    assert find(settings, "ingest folder").level == "fail"


def test_a_lock_that_another_process_holds_is_found(settings: Settings, held: Callable[[str, int], None]) -> None:
    held("ingest", 4242)
    says(settings, "ingest", NOW_MS, NOW_MS, pid=17)
    finding = find(settings, "ingest lock")
    assert (finding.level, finding.todo) == ("fail", "stop process 4242, then start ingest")


def test_a_lock_that_the_flow_itself_holds_is_good(settings: Settings, held: Callable[[str, int], None]) -> None:
    held("ingest", 17)
    says(settings, "ingest", NOW_MS, NOW_MS, pid=17)
    assert find(settings, "ingest lock") == Finding("ingest lock", "ok", "held by process 17")


def test_a_flow_that_does_not_run_is_a_warning(settings: Settings) -> None:
    settings.recovery("monitor").mkdir(parents=True)
    (settings.recovery("monitor") / "LOCK").write_text("1")
    assert find(settings, "monitor lock").level == "warn"
    assert find(settings, "ingest lock").found.startswith("ingest has never run")


@pytest.mark.parametrize(("off_ms", "level"), [(-2500, "fail"), (0, "ok"), (1500, "ok")])
def test_a_clock_that_was_set_back_is_found_in_the_embedded_log(settings: Settings, off_ms: int, level: str) -> None:
    log = open_log(settings.log_url)
    writer = log.writer("test")
    writer.append("timeline", 3, b"x")
    writer.flush()
    writer.close()
    log.close()
    now_ms = doctor.newest_stamp(open_log(settings.log_url))
    assert now_ms is not None
    finding = find(settings, "clock", lambda: now_ms + off_ms)
    assert finding.level == level
    assert ("ahead of" in finding.found) == (level == "fail")


@pytest.mark.parametrize(("off_ms", "word"), [(-3000, "ahead of"), (60_000, "behind")])
def test_a_clock_that_is_not_the_broker_s_is_found(kafka_log_url: str, off_ms: int, word: str) -> None:
    log = open_log(kafka_log_url)
    now_ms = doctor.probe_stamp(log)
    assert now_ms is not None
    assert doctor.clock(log, WallClock(0)).level == "ok"
    finding = doctor.clock(log, WallClock(off_ms))
    assert (finding.level, word in finding.found) == ("fail", True)
    log.close()


class WallClock:
    """This machine's clock, off by some ms."""

    def __init__(self, off_ms: int) -> None:
        self.off_ms = off_ms

    def __call__(self) -> int:
        import time

        return time.time_ns() // 1_000_000 + self.off_ms


@pytest.mark.parametrize(("which", "place"), [("epoch", 0), ("time", 1)])
@pytest.mark.parametrize(("age_ms", "level"), [(10_000, "ok"), (10_001, "fail")])
def test_an_old_epoch_and_an_old_time_are_found(settings: Settings, which: str, place: int, age_ms: int, level: str) -> None:
    times = [NOW_MS, NOW_MS]
    times[place] -= age_ms
    says(settings, "monitor", *times)
    finding = find(settings, f"monitor {which}", lambda: NOW_MS)
    assert finding.level == level
    assert bool(finding.todo) == (level == "fail")


@pytest.mark.parametrize(("free", "level"), [(999_999_999, "fail"), (1_000_000_000, "ok")])
def test_a_full_disk_is_found(tmp_path: Path, free: int, level: str) -> None:
    finding = doctor.disk(tmp_path / "not" / "yet", lambda path: free if path == tmp_path else 0)
    assert finding.level == level


def test_a_default_secret_is_found_and_not_shown(settings: Settings) -> None:
    secret = "change-me-before-you-start-the-gateway"
    finding = find(settings, "secret", NADI_TOKEN_SECRET=secret)
    assert (finding.level, "openssl rand" in finding.todo) == ("fail", True)
    assert secret not in str(finding)


def test_a_secret_that_all_can_read_is_found(settings: Settings) -> None:
    (settings.folder / "secret").write_text("7c1fb0e2d9a84356" * 4)
    os.chmod(settings.folder / "secret", 0o644)
    finding = find(settings, "secret")
    assert (finding.level, "chmod 600" in finding.todo) == ("fail", True)


def test_the_command_ends_with_1_when_something_is_wrong(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nadi = runner(capsys, monkeypatch, settings.folder)
    assert nadi("doctor").status == 0
    says(settings, "monitor", 0, 0)
    status, out, _ = nadi("doctor", "--json")
    assert status == 1
    assert {f["check"] for f in json.loads(out) if f["level"] == "fail"} == {"monitor epoch", "monitor time"}
