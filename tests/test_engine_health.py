"""What a flow says of itself: a file that is never half written, metrics, and a health that turns bad by itself."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from flows.engine.health import UNHEALTHY_AFTER_MS, WRITE_EVERY_MS, Health, metrics, serve


class Clock:
    def __init__(self) -> None:
        self.ms = 1_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_file_is_written_at_most_once_a_second(tmp_path: Path, clock: Clock) -> None:
    file = tmp_path / "health" / "ingest.json"
    health = Health("ingest", "i1", clock, file)
    health.tick()
    first = json.loads(file.read_text())
    assert (first["flow"], first["instance"], first["state"], first["committed_ms"], first["time_ms"]) == (
        "ingest",
        "i1",
        "starting",
        None,
        None,
    )
    health.committed_ms, health.time_ms = clock.ms, clock.ms - 300
    clock.ms += WRITE_EVERY_MS - 1
    health.tick()
    assert json.loads(file.read_text()) == first
    clock.ms += 1
    health.tick()
    assert json.loads(file.read_text())["committed_ms"] == 1_000_000
    assert [path.name for path in file.parent.iterdir()] == ["ingest.json"]


def test_a_clock_that_was_set_back_does_not_silence_the_file(tmp_path: Path, clock: Clock) -> None:
    health = Health("ingest", "i1", clock, tmp_path / "ingest.json")
    health.tick()
    clock.ms -= 3_600_000
    health.tick()
    assert json.loads((tmp_path / "ingest.json").read_text())["written_ms"] == clock.ms


def test_health_turns_bad_by_itself(clock: Clock) -> None:
    health = Health("ingest", "i1", clock)
    health.committed_ms = clock.ms
    assert health.healthy()
    clock.ms += UNHEALTHY_AFTER_MS
    assert not health.healthy()


def test_metrics_are_ages_and_counts_and_what_is_unknown_is_absent(clock: Clock) -> None:
    health = Health("monitor", "i1", clock)
    health.add("appended", 3)
    text = metrics(health.status(), clock.ms)
    assert 'nadi_appended_total{flow="monitor"} 3' in text
    assert "nadi_epoch_age_seconds" not in text
    health.committed_ms, health.time_ms = clock.ms - 250, clock.ms - 700
    text = metrics(health.status(), clock.ms)
    assert 'nadi_epoch_age_seconds{flow="monitor"} 0.250' in text
    assert 'nadi_time_age_seconds{flow="monitor"} 0.700' in text


def test_both_are_served_on_the_loopback(clock: Clock) -> None:
    health = Health("monitor", "i1", clock)
    server = serve(health, 0)
    try:
        address = f"http://127.0.0.1:{server.server_address[1]}"
        with pytest.raises(HTTPError, match="503"):
            urlopen(f"{address}/health")
        health.committed_ms = clock.ms
        with urlopen(f"{address}/health") as answer:
            assert json.load(answer)["committed_ms"] == clock.ms
        with urlopen(f"{address}/metrics") as answer:
            assert b"nadi_epoch_age_seconds" in answer.read()
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{address}/dataflow")
    finally:
        server.shutdown()
        server.server_close()
