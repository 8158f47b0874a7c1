"""Reads `live`, `alerts` and `trends` in one thread and hands whole polls to the event loop.

`live` from append time now - 30 s (a key-frame comes each 10 s), `alerts` far enough back that a client may resume over a restart of
this process, `trends` from its start. A lost or replaced log is opened anew until it answers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from gateway.config import Limits
from gateway.report import report
from gateway.status import FeedState
from schemas.events import AlertEvent, LiveFrame, TrendFrame
from sinks.log import open_log
from sinks.log.api import TP, Batch, Log, LogError, Reader

LIVE_BACK_MS = 30_000
POLL_RECORDS = 2000
PART = 500
"""Records folded in one step of the event loop."""
IDLE_S = 0.004
ASK_ENDS_S = 2.0
STATE_S = 0.5
BACKOFF_S = (0.2, 0.5, 1.0, 2.0)
MAX_AHEAD = 8
"""Parts handed over and not folded yet: the thread waits for the loop, never the other way."""

_logger = logging.getLogger("nadi.gateway.feed")
_live = msgspec.json.Decoder(LiveFrame).decode
_alert = msgspec.json.Decoder(AlertEvent).decode
_trend = msgspec.json.Decoder(TrendFrame).decode


def wall_ms() -> int:
    """This machine's time, ms since 1970 UTC: the clock that readers ask with."""
    return time.time_ns() // 1_000_000


class Began(NamedTuple):
    """The log was opened; what follows starts at these offsets of `alerts`."""

    incarnation: str
    alert_starts: list[int]


class Item(NamedTuple):
    """One record. `said` None = unreadable."""

    topic: str
    partition: int
    offset: int
    append_ms: int
    said: LiveFrame | AlertEvent | TrendFrame | None
    value: bytes


class Part(NamedTuple):
    """Records in the order of the poll, and how far the reading is after them."""

    items: list[Item]
    state: FeedState


Said = Began | Part


class Feed(threading.Thread):
    """`post` is called in this thread with each `Said`; `taken` must be called for each `Part` once it was folded."""

    def __init__(self, url: str, limits: Limits, clock: Callable[[], int], post: Callable[[Said], None]) -> None:
        super().__init__(name="nadi-gateway-feed", daemon=True)
        self._url, self._limits, self._clock, self._post = url, limits, clock, post
        self._ended = threading.Event()
        self._room = threading.Semaphore(MAX_AHEAD)
        self._failures = 0
        self._told = FeedState()

    def taken(self) -> None:
        """A part was folded."""
        self._room.release()

    def end(self) -> None:
        """Asks the thread to end; `join` waits for it."""
        self._ended.set()
        self._room.release()

    def run(self) -> None:
        """Reads until `end`."""
        while not self._ended.is_set():
            try:
                self._read()
            except LogError as error:
                # The text of the error may name paths or addresses: the kind is enough here, `nadi doctor` tells the rest.
                _logger.warning("the log is not being read: %s", type(error).__name__)
                self._hand([], FeedState(error=type(error).__name__))
            except Exception as error:  # noqa: BLE001 - a reader that dies silently would show old values as if they were new
                report(_logger, "the feed failed", error)
                self._hand([], FeedState(error=type(error).__name__))
            else:
                return
            self._ended.wait(BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)])
            self._failures += 1

    def _read(self) -> None:
        log = open_log(self._url)
        try:
            starts = self._starts(log)
            reader = log.reader(starts)
            try:
                alerts = sorted(tp for tp in starts if tp.topic == "alerts")
                self._told = FeedState()
                self._post(Began(log.incarnation("alerts"), [starts[tp] for tp in alerts]))
                self._follow(reader, log.ends(list(starts)))
            finally:
                reader.close()
        finally:
            log.close()

    def _starts(self, log: Log) -> dict[TP, int]:
        shards = log.partitions("live")
        now = self._clock()
        live, alerts, trends = ([TP(topic, n) for n in range(shards)] for topic in ("live", "alerts", "trends"))
        back = log.offsets_at(alerts, now - self._limits.ring_ms)
        ends, first = log.ends(alerts), log.starts(alerts)
        starts = {**log.offsets_at(live, now - LIVE_BACK_MS), **log.starts(trends)}
        for tp in alerts:
            starts[tp] = max(back[tp], ends[tp] - self._limits.ring_events, first[tp])
        return starts

    def _follow(self, reader: Reader, goal: dict[TP, int]) -> None:
        """Polls until the end. A round: the ends are asked for, heard, and reached; then the next begins."""
        caught_up, lag, rounds, ended_ms = False, 0, 0, 0
        asked_s, told_s = -ASK_ENDS_S, -STATE_S
        reach: dict[TP, int] | None = None
        while not self._ended.is_set():
            now_s = time.monotonic()
            if now_s - asked_s >= ASK_ENDS_S and reach is None:
                reader.ask_ends()
                asked_s = now_s
            batch = reader.poll(POLL_RECORDS)
            answer = reader.ends()
            if answer is not None:
                if reach is None and answer[0] > ended_ms:  # not the late answer to a question of an earlier round
                    reach = {tp: end for tp, end in answer[1].items() if tp.topic == "alerts"}
                lag = sum(max(0, end - reader.positions[tp]) for tp, end in answer[1].items())
            if reach is not None and all(reader.positions[tp] >= end for tp, end in reach.items()):
                reach, rounds, ended_ms = None, rounds + 1, wall_ms()
            caught_up = caught_up or all(reader.positions[tp] >= end for tp, end in goal.items())
            if len(batch) or now_s - told_s >= STATE_S:
                told_s = now_s
                self._failures = 0
                self._hand(_items(batch), FeedState(caught_up, lag, rounds))
            if not len(batch):
                self._ended.wait(IDLE_S)

    def _hand(self, items: list[Item], state: FeedState) -> None:
        for first in range(0, max(1, len(items)), PART):
            self._room.acquire()  # released by `taken`, in the loop's thread
            if self._ended.is_set():
                return
            if first + PART >= len(items):
                self._told = state  # only the last part of a poll may say what was read with it
            self._post(Part(items[first : first + PART], self._told))


def _items(batch: Batch) -> list[Item]:
    if not len(batch):
        return []
    columns: Iterable[tuple[str, int, int, int, bytes | None]]
    columns = zip(batch.topics, batch.partitions, batch.offsets, batch.append_ms, batch.values, strict=True)
    return [Item(topic, p, offset, at, _decode(topic, p, offset, value), value or b"") for topic, p, offset, at, value in columns]


def _decode(topic: str, partition: int, offset: int, value: bytes | None) -> LiveFrame | AlertEvent | TrendFrame | None:
    text = value or b""
    try:
        if topic == "live":
            return _live(text)
        return _alert(text) if topic == "alerts" else _trend(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        _logger.warning("%s/%d/%d cannot be read and is passed by", topic, partition, offset)
        return None
