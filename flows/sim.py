"""`nadi sim`: a simulated ward into the log, live as time passes or as a recorded stream."""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from flows.appending import Pace, Progress, Sent, append_live, append_stream, create_topics, must_be_empty
from operators.sim.answers import Raised, answers
from operators.sim.dirt import Dirt, dirty
from operators.sim.items import Draft, Item, place
from operators.sim.order import START_MS
from operators.sim.stories import Plan, plan
from operators.sim.ward import ward_drafts
from sinks.log import open_log

LOCAL_HOUR_OF_START = 9.0
DEMO_PEOPLE = 16


def sim_drafts(
    people: int = 30,
    story: str = "mixed",
    seed: int = 1,
    minutes: float | None = 30.0,
    dirt: bool = False,
    ward: str = "4b",
    start_ms: int = START_MS,
    speed: float = 1.0,
) -> Iterator[Draft]:
    """The drafts of a ward in order of arrival. Raises ValueError (an unknown story, no people)."""
    if people < 1:
        raise ValueError("a ward has at least one person")
    scenario = plan(story, people, seed, ward, 120.0 if minutes is None else minutes)
    drafts = ward_drafts(scenario, seed, start_ms, minutes, speed, LOCAL_HOUR_OF_START)
    if not dirt:
        return drafts
    end_ms = None if minutes is None else start_ms + round(minutes * 60_000 / speed)
    return dirty(drafts, Dirt(), seed, end_ms)


def sim_items(
    people: int = 30,
    story: str = "mixed",
    seed: int = 1,
    minutes: float = 30.0,
    dirt: bool = False,
    ward: str = "4b",
    raised: Sequence[Raised] = (),
) -> Iterator[Item]:
    """The items of a recorded run: what an oracle reads and `--clock stream` appends.

    `raised`: alerts that a first pass over the same ward has raised; people then answer them.
    """
    end_ms = START_MS + round(minutes * 60_000)
    drafts = sim_drafts(people, story, seed, minutes, dirt, ward)
    if raised:
        drafts = heapq.merge(drafts, answers(raised, seed), key=lambda draft: draft.arrival_ms)
    return place(drafts, end_ms)


def script_of(story: str, people: int = DEMO_PEOPLE, seed: int = 1, ward: str = "4b") -> list[dict[str, object]]:
    """What will happen, for the board of a demo: `at_s` after the start, `text`."""
    scenario: Plan = plan(story, people, seed, ward)
    return [{"at_s": at_s, "text": text} for at_s, text in scenario.script]


def write_script(path: Path, start_ms: int, script: list[dict[str, object]]) -> None:
    """`{"start_ms": ms, "script": [{"at_s", "text"}]}`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"start_ms": start_ms, "script": script}, ensure_ascii=False), encoding="utf-8")
    part.replace(path)


def run_sim(
    log_url: str,
    people: int = 30,
    story: str = "mixed",
    seed: int = 1,
    minutes: float | None = None,
    dirt: bool = False,
    ward: str = "4b",
    speed: float = 1.0,
    clock: str = "live",
    started: Callable[[int], None] | None = None,
    script_file: Path | None = None,
) -> Sent:
    """Fills the log of `log_url`. Live: facts first, then messages as time passes, for ever without `minutes`. Stream: as fast as it goes.

    `started` is told the ms at which second 0 of the story lies; `script_file` gets that and the lines of the story, for a board.
    Raises ValueError (arguments), LogError.
    """
    if speed <= 0:
        raise ValueError("speed is above 0")
    if clock not in ("live", "stream"):
        raise ValueError("clock is live or stream")
    if clock == "stream" and minutes is None:
        raise ValueError("a stream needs --minutes: it cannot be endless")
    log = open_log(log_url)
    try:
        create_topics(log)
        progress = Progress("sim")
        writer = log.writer("sim")
        try:
            if clock == "stream":
                must_be_empty(log)
                assert minutes is not None
                return append_stream(writer, sim_items(people, story, seed, minutes, dirt, ward), Pace(None), progress)
            start_ms = time.time_ns() // 1_000_000 + 200
            drafts = sim_drafts(people, story, seed, minutes, dirt, ward, start_ms, speed)
            if script_file is not None:
                write_script(script_file, start_ms, script_of(story, people, seed, ward))
            if started is not None:
                started(start_ms)
            return append_live(writer, drafts, WallPace(), progress)
        finally:
            writer.close()
    finally:
        log.close()


class WallPace(Pace):
    """Arrivals are times of the wall clock: the ward's messages leave when their own time has come."""

    def __init__(self) -> None:
        super().__init__(1.0)

    def due_s(self, arrival_ms: int) -> float:
        return arrival_ms / 1000 - time.time()
