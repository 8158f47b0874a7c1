"""A run of readings between two control records: in order of application, with what their headers say, decoded."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.decode.seam import Decoder, Poll
from operators.ingest.arrivals import READINGS, BatchLike, Clock, reading_order, replay_of, stamp
from schemas.columns import source_partition

Ints = NDArray[np.int64]
Forged = tuple[int, int, str, str]
"""A record whose headers are not believed: place, received, reason, detail."""


class Run(NamedTuple):
    """Messages as they were polled, decoded; one entry an input in the arrays, one a message or row in `poll`."""

    poll: Poll
    received: NDArray[np.int64]
    """ms: what the rows carry."""
    arrival: NDArray[np.int64]
    """ms: `received`, but the old arrival of a replayed dead letter; chooses the lease and stands in for a clock."""
    replayed: NDArray[np.bool_] | None
    """None = none of them."""
    partition: NDArray[np.int64]
    """The column of the timeline."""
    offset: NDArray[np.int64]
    place: NDArray[np.int64]
    """Of each input: its record in the batch."""
    order: Ints | None
    """The inputs in order of application; None = as they stand."""


def run_of(batch: BatchLike, places: Ints, clock: Clock, decoder: Decoder) -> tuple[Run, list[Forged]]:
    """The readings at `places` in their order, decoded; and those whose headers are not believed."""
    received = np.array(batch.append_ms, np.int64)
    arrival, replayed, forged = received, None, list[Forged]()
    if clock == "stream" or any(batch.headers):
        received, arrival, replayed, places, forged = _headed(batch, places, received, clock)
    partition, offset = np.array(batch.partitions, np.int64)[places], np.array(batch.offsets, np.int64)[places]
    order = reading_order(received[places], partition) if clock == "live" else None
    values = batch.values if len(places) == len(batch) else list(map(batch.values.__getitem__, places.tolist()))
    poll = decoder.many(values, arrival[places])
    again = None if replayed is None else replayed[places]
    column = source_partition(READINGS, 0) | partition
    return Run(poll, received[places], arrival[places], again, column, offset, places, order), forged


def _headed(batch: BatchLike, places: Ints, append_ms: Ints, clock: Clock) -> tuple[Ints, Ints, NDArray[np.bool_], Ints, list[Forged]]:
    """(received, arrival, replayed, the places that stay, those refused): what headers say. Marks only move time and go."""
    headers, appended = batch.headers, batch.append_ms
    received, arrival = append_ms.copy(), append_ms.copy()
    replayed, stays, forged = np.zeros(len(batch), np.bool_), list[int](), list[Forged]()
    for i in places.tolist():
        found = dict(headers[i])
        stamped, replay = stamp(found, appended[i], clock), replay_of(found)
        received[i] = arrival[i] = stamped.received
        if stamped.refused or isinstance(replay, str):
            forged.append((i, stamped.received, "forged_header", stamped.refused or str(replay)))
        elif not stamped.mark:
            stays.append(i)
            if replay is not None:
                arrival[i], replayed[i] = replay.arrival, True
    return received, arrival, replayed, np.array(stays, np.int64), forged
