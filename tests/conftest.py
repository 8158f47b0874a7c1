"""Rules for all tests: seeded, and with NADI_REQUIRE=1 (CI) a test that could not run is a failure with its reason."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

settings.register_profile("nadi", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("nadi")

REQUIRE = os.environ.get("NADI_REQUIRE") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skip says what this machine lacks; CI must lack nothing."""
    report = yield
    if REQUIRE and report.skipped and not hasattr(report, "wasxfail"):
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of the one broker or browser go to one worker: neither is started twice."""
    for item in items:
        if item.get_closest_marker("kafka") or item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("outside"))
