"""What people answer to alerts: acknowledge, give back, be too late, be second. For a second pass over a run whose alerts are known.

Alert ids are pure functions of their causes, so a first pass (an oracle's, or a run's) tells which alerts a ward raises; commands about
them can then be part of the ward from the start. Seeded; ids of commands are functions of the alert.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from operators.sim.hospital import command_id
from operators.sim.items import Draft, fact
from schemas.facts import Command
from schemas.identity import key64


class Raised(NamedTuple):
    """An alert of the first pass."""

    alert: str
    patient: str
    at_ms: int


def answers(raised: Iterable[Raised], seed: int, share: float = 0.7) -> list[Draft]:
    """Commands about a share of the alerts, in order of arrival: legal or not, whatever the alert has come to by then."""
    drafts = [draft for alert in raised for draft in _answers(alert, np.random.default_rng([seed, key64(alert.alert)]), share)]
    return sorted(drafts, key=lambda draft: (draft.arrival_ms, draft.key))


def _answers(alert: Raised, draw: np.random.Generator, share: float) -> Iterator[Draft]:
    """Mostly one acknowledgement within minutes; some are given back, said twice, or contested by a second person."""
    if draw.random() >= share:
        return
    at_ms = alert.at_ms
    moves = [("acknowledge", "nurse-1")]
    also = float(draw.random())
    if also < 0.15:
        moves.append(("unacknowledge", "nurse-1"))
    elif also < 0.3:
        moves.append(("acknowledge", "doctor-1"))
    elif also < 0.4:
        moves += [("unacknowledge", "nurse-1"), ("acknowledge", "doctor-1")]
    elif also < 0.5:
        moves += [("acknowledge", "nurse-1"), ("unacknowledge", "doctor-1")]
    for number, (kind, by) in enumerate(moves):
        at_ms += int(draw.exponential(90_000)) + 500
        identity = command_id("answer", alert.alert, number)
        yield fact(at_ms, Command(identity, kind, alert.patient, by, by.split("-")[0], None, alert.alert, [], "sim"))
