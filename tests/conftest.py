"""Rules and logs for all tests: seeded; with NADI_REQUIRE=1 (CI) a test that could not run is a failure with its reason.

`log_url` is a fresh, empty log, once in SQLite and once in Kafka; `kafka_log_url` and `sqlite_log_url` are one of them; `kafka_url` is the
one real broker of the run.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from sinks.log import sqlite_url
from sinks.log.broker import LocalKafka, available
from tests.support.kafka import drop_namespace, fresh_namespace

settings.register_profile("nadi", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("nadi")

REQUIRE = os.environ.get("NADI_REQUIRE") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skip says what this machine lacks; CI must lack nothing but the recorded patients, which are no part of the project."""
    report = yield
    if REQUIRE and report.skipped and not hasattr(report, "wasxfail") and "recorded" not in report.keywords:
        report.outcome = "failed"
        report.longrepr = f"could not run, and NADI_REQUIRE=1 is set: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself whole."""
    report = yield
    if REQUIRE and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"could not run, and NADI_REQUIRE=1 is set: {report.longrepr}"
    return report


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of the one broker or browser go to one worker: neither is started twice."""
    for item in items:
        if "kafka_url" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.kafka)
        if item.get_closest_marker("kafka") or item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("outside"))


@pytest.fixture(scope="session")
def kafka_url() -> Iterator[str]:
    """A real broker, started at its first use. Where there can be none, tests that need it are skipped; in CI they fail."""
    reason = available()
    if reason is not None and (REQUIRE or os.environ.get("CI")):
        pytest.fail(f"no Kafka: {reason}")
    if reason is not None:
        pytest.skip(f"no Kafka: {reason}")
    with LocalKafka(quick=True) as kafka:
        yield kafka.url


@pytest.fixture
def kafka_log_url(kafka_url: str) -> Iterator[str]:
    """A namespace of its own in the broker: empty, and removed afterwards."""
    url = fresh_namespace(kafka_url)
    yield url
    drop_namespace(url)


@pytest.fixture
def sqlite_log_url(tmp_path: Path) -> str:
    """A folder that does not exist yet."""
    return sqlite_url(tmp_path / "log")


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def log_url(request: pytest.FixtureRequest) -> str:
    """Whoever asks for it runs once on either log."""
    return str(request.getfixturevalue(f"{request.param}_log_url"))
