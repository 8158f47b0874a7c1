"""From a device to a screen: produced to a real Kafka, judged by real processes, seen in a real browser, each event once, whoever is killed."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import psutil
import pytest
from playwright.sync_api import Browser

from gateway.auth import make_token
from schemas.facts import DeviceFact, Lease, PatientFact
from schemas.identity import key64
from schemas.topics import TOPICS
from sinks.log import open_log
from sinks.log.api import Log
from tests.support.browser import Board, chromium
from tests.support.cli import child_environment, start, until
from tests.support.flows import Events

pytestmark = [pytest.mark.timeout(240), pytest.mark.browser]
PATIENT, DEVICE, WARD = "p-walk", "mon-walk", "4b"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


class Bedside:
    """A monitor that says its SpO2, stamped now."""

    def __init__(self, log: Log) -> None:
        self.writer = log.writer("bedside")

    def says(self, spo2: float) -> None:
        body = {"device": DEVICE, "t": time.time_ns() // 1_000_000, "code": "59408-5", "value": spo2, "unit": "%"}
        self.writer.append("device-readings", key64(DEVICE) % 4, json.dumps(body).encode(), DEVICE.encode())
        self.writer.flush()


def admit(log: Log) -> None:
    log.create(TOPICS)
    writer = log.writer("facts")
    patient = PatientFact(PATIENT, "1", "a1", ward=WARD, bed="07", initials="S.R.", age_years=67, by="test")
    device = DeviceFact(DEVICE, "1", "monitor", 5000, [Lease(PATIENT, 0, None, "test")])
    writer.append("patients", 0, msgspec.json.encode(patient), PATIENT.encode())
    writer.append("devices", 0, msgspec.json.encode(device), DEVICE.encode())
    writer.flush()
    writer.close()


def children(pid: int) -> dict[str, int]:
    """Command of each child of `nadi up` -> its process."""
    return {" ".join(p.cmdline()[3:5]): p.pid for p in psutil.Process(pid).children() if p.status() != psutil.STATUS_ZOMBIE}


def again(pid: int, name: str, old: int) -> bool:
    """Has the child been started again?"""
    return any(command.startswith(name) and p != old for command, p in children(pid).items())


def test_a_reading_reaches_a_screen_once_though_everything_is_killed(kafka_log_url: str, tmp_path: Path, browser: Browser) -> None:
    log = open_log(kafka_log_url)
    admit(log)
    alerts = Events(log)
    data, out = tmp_path / "data", tmp_path / "out"
    environ = child_environment(NADI_DATA=str(data), NADI_PORT="0", NADI_LOG=kafka_log_url)
    up = start("up", out=out, environ=environ)
    board: Board | None = None
    try:
        until(lambda: "board: http" in out.read_text(), "the address of the board")
        http = out.read_text().split("board: ")[1].split()[0]
        secret = until(lambda: (data / "secret").read_text().strip() if (data / "secret").exists() else None, "the secret")
        bedside = Bedside(log)
        bedside.says(97)
        until(lambda: len(children(up.pid)) >= 3, "three processes")
        token = make_token(secret, user="nurse-1", role="nurse", wards=[WARD], now_s=time.time(), initials="N1")
        board = Board(browser, http).open(token).live()
        bedside.says(75)  # below 80 %: at once
        board.page.wait_for_selector(".card", timeout=30_000)

        for name in ("flow ingest", "flow monitor", "gateway"):
            pid = next(pid for command, pid in children(up.pid).items() if command.startswith(name))
            os.kill(pid, signal.SIGKILL)
            bedside.says(74)
            until(partial(again, up.pid, name, pid), f"{name} again")
        page = board.live().page

        def shown() -> list[str]:
            return list(page.evaluate("window.nadiLedger.ids"))

        board.page.get_by_role("button", name="I have it").first.click()

        def all_seen() -> bool:
            told = alerts.now()
            owned = any(event["transition"] == "acknowledged" and event["by"] == "nurse-1" for event in told)
            return owned and set(shown()) >= {event["id"] for event in told}

        board.until(all_seen, "every event, the acknowledgement too,")
        assert len(shown()) == len(set(shown()))
        raised = [event for event in alerts.now() if event["transition"] == "raised" and event["state"]["rule"] == "limit"]
        assert len({event["id"] for event in raised}) == 1
    finally:
        if board is not None:
            board.close()
        up.terminate()
        up.wait(30)
        alerts.close()
        log.close()
