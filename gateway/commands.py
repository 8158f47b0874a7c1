"""From a click to the log: a person's command, checked, appended to `alert-commands`, answered once the log has it."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from gateway.auth import Claims
from gateway.report import report
from schemas.facts import Command, Observation
from schemas.identity import is_command_id
from schemas.readings import MAX_READINGS
from sinks.log import open_log
from sinks.log.api import Log, LogError, Writer

TOPIC = "alert-commands"
ALERT_KINDS = ("acknowledge", "unacknowledge")
ORIGIN = "board"
MAX_WAITING = 10_000
FLUSH_S = 5.0
BATCH = 256

_logger = logging.getLogger("nadi.gateway.commands")
Outcome = str | None
"""None = the log has it; else why not, in one word."""


class Cmd(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="t", tag="cmd"):
    """What the client sends."""

    id: str
    kind: str
    patient: str
    alert: str | None = None
    at_ms: int | None = None
    readings: list[Observation] = []


def command(asked: Cmd, claims: Claims) -> Command | str:
    """The command as it goes to the log, or `bad_shape`. Whether the reader may command is the caller's question."""
    of_alert = asked.kind in ALERT_KINDS
    if not is_command_id(asked.id) or not (of_alert or asked.kind == "observe"):
        return "bad_shape"
    if of_alert and (asked.readings or asked.at_ms is not None or not _is_alert_id(asked.alert)):
        return "bad_shape"
    if not of_alert and (asked.alert is not None or not 0 < len(asked.readings) <= MAX_READINGS):
        return "bad_shape"
    return Command(
        id=asked.id,
        kind=asked.kind,
        patient=asked.patient,
        by=claims.user,
        role=claims.role,
        at_ms=asked.at_ms,
        alert=asked.alert,
        readings=asked.readings,
        origin=ORIGIN,
    )


def _is_alert_id(text: str | None) -> bool:
    return text is not None and len(text) == 32 and set(text) <= set("0123456789abcdef")


class _Waiting(NamedTuple):
    key: bytes
    value: bytes
    done: Callable[[Outcome], None]


class CommandWriter(threading.Thread):
    """Appends in its own thread. `done` is called there; a command that was refused may be sent again under the same id."""

    def __init__(self, url: str) -> None:
        super().__init__(name="nadi-gateway-commands", daemon=True)
        self._url = url
        self._waiting: queue.Queue[_Waiting | None] = queue.Queue(MAX_WAITING)
        self._log: Log | None = None
        self._writer: Writer | None = None

    def submit(self, wanted: Command, done: Callable[[Outcome], None]) -> None:
        """Takes a command; returns at once."""
        try:
            self._waiting.put_nowait(_Waiting(wanted.patient.encode(), msgspec.json.encode(wanted), done))
        except queue.Full:
            done("busy")

    def end(self) -> None:
        """Writes what waits and ends; `join` waits for it."""
        self._waiting.put(None)

    def run(self) -> None:
        """Appends until `end`."""
        going = True
        while going:
            batch: list[_Waiting] = []
            first = self._waiting.get()
            while first is not None and len(batch) < BATCH:
                batch.append(first)
                try:
                    first = self._waiting.get_nowait()
                except queue.Empty:
                    break
            going = first is not None
            if batch:
                outcome = self._append(batch)
                for each in batch:
                    each.done(outcome)
        self._close()

    def _append(self, batch: list[_Waiting]) -> Outcome:
        try:
            if self._writer is None:
                self._log = open_log(self._url)
                self._writer = self._log.writer("gateway")
            for each in batch:
                self._writer.append(TOPIC, 0, each.value, each.key)
            self._writer.flush(FLUSH_S)
        except LogError as error:
            _logger.warning("commands not taken: %s", type(error).__name__)
            self._close()
            return "log_unavailable"
        except Exception as error:  # noqa: BLE001 - the person must hear that nothing was taken
            report(_logger, "commands not taken", error)
            self._close()
            return "log_unavailable"
        return None

    def _close(self) -> None:
        writer, log, self._writer, self._log = self._writer, self._log, None, None
        for thing in (writer, log):
            with contextlib.suppress(LogError):  # it failed already and was told
                if thing is not None:
                    thing.close()
