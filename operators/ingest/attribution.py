"""From decoded messages to rows of the timeline: whose, when, late or repeated.

Columns throughout; only what is outside its device's newest lease is looked at singly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.decode.seam import Row
from operators.ingest.runs import Run
from operators.ingest.slots import Slots
from operators.ingest.tables import LATE_MS, MONITOR, SPOT, TOLERATED_MS, UNKNOWN, Devices
from schemas.codes import FUTURE, LATE, OBSERVED, REPLAYED
from schemas.columns import MAX_ROWS_A_RECORD, ROW, Rows, empty
from schemas.records import Append
from schemas.timeline import encode_rows

TIMELINE = "timeline"


class Placed(NamedTuple):
    """What became of a run, or of an observation."""

    rows: Rows
    """By shard, within a shard in order of application."""
    shard: NDArray[np.int16]
    """Of each row."""
    refused: dict[int, tuple[str, str]]
    """Input -> reason, detail."""
    repeats: int


NOBODY: tuple[str, str] = ("unbound", "no lease covers the time")
UNKNOWN_DEVICE: tuple[str, str] = ("unbound", "unknown device")
AMBIGUOUS: tuple[str, str] = ("ambiguous_binding", "an old reading of a device that has changed hands since")


def numbers(run: Run, devices: Devices) -> NDArray[np.int64]:
    """The number of each message's device, UNKNOWN for one in no table."""
    known = devices.number
    try:
        return np.array(list(map(known.__getitem__, run.poll.devices)), np.int64)
    except KeyError:
        return np.array([known.get(name, UNKNOWN) for name in run.poll.devices], np.int64)


def clamped(run: Run, devices: Devices, number: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """(t, arrival, whether t lay further ahead than its class allows and was set to the arrival) of each message."""
    t, arrival = run.poll.t, run.arrival[run.poll.place]
    future = t > arrival + TOLERATED_MS[devices.device_class[number]]
    return (np.where(future, arrival, t) if future.any() else t), arrival, future


def outside(devices: Devices, number: NDArray[np.int64], t: NDArray[np.int64], arrival: NDArray[np.int64]) -> NDArray[np.int64]:
    """The messages whose t or arrival is not in the newest lease of their device."""
    since, until = devices.since[number], devices.until[number]
    inside = (np.minimum(t, arrival) >= since) & (np.maximum(t, arrival) < until)
    return np.flatnonzero(~inside)


def lease(devices: Devices, number: int, t: int, arrival: int) -> str | tuple[str, str]:
    """The patient of one message, or why there is none (`semantics.md` 5)."""
    if number == UNKNOWN:
        return UNKNOWN_DEVICE
    holder = devices.holder(number, t)
    if holder is None:
        return NOBODY
    if devices.device_class[number] == MONITOR and arrival - t > LATE_MS[MONITOR]:
        now = devices.holder(number, arrival)
        if now is not None and now != holder:
            return AMBIGUOUS
    return holder


def unresolved(run: Run, devices: Devices) -> bool:
    """Whether a message would be refused for want of a device or a lease."""
    number = numbers(run, devices)
    t, arrival, _ = clamped(run, devices, number)
    return any(
        lease(devices, int(number[m]), int(t[m]), int(arrival[m])) in (NOBODY, UNKNOWN_DEVICE)
        for m in outside(devices, number, t, arrival).tolist()
    )


def place(run: Run, devices: Devices, slots: Slots, patient_key: Callable[[str], int]) -> Placed:
    """Attributes the messages of a run and judges their rows against their slots."""
    poll = run.poll
    number = numbers(run, devices)
    t, arrival, future = clamped(run, devices, number)
    pair = devices.pair[number]
    refused: dict[int, tuple[str, str]] = {at: (why.reason, why.detail) for at, why in poll.refused}
    bound = np.ones(len(pair), np.bool_)
    for m in outside(devices, number, t, arrival).tolist():
        holder = lease(devices, int(number[m]), int(t[m]), int(arrival[m]))
        if isinstance(holder, str):
            pair[m] = slots.pair(patient_key(holder), int(devices.key[number[m]]))
        else:
            bound[m] = False
            refused[int(poll.place[m])] = holder
    received = run.received[poll.place]
    old = received - t > LATE_MS[devices.device_class[number]]
    flags = poll.message_flags | np.where(future, np.uint32(FUTURE), np.uint32(0))
    if run.replayed is not None:
        again = run.replayed[poll.place]
        old |= again
        flags |= np.where(again, np.uint32(REPLAYED), np.uint32(0))
    chosen = applied(run, bound)
    if chosen is None:
        owner, code, value, row_flags, nth = poll.owner, poll.code, poll.value, poll.flags, poll.nth
    else:
        owner, code, value = poll.owner[chosen], poll.code[chosen], poll.value[chosen]
        row_flags, nth = poll.flags[chosen], poll.nth[chosen]
    row_pair = pair[owner]
    repeat, late = slots.judge(row_pair, code, t[owner], value, old[owner])
    all_flags = row_flags | flags[owner] | np.where(late, np.uint32(LATE), np.uint32(0))
    kept = np.flatnonzero(~repeat)
    order = kept[np.argsort(slots.shard[row_pair[kept]], kind="stable")]
    row_pair, message, source = row_pair[order], owner[order], poll.place[owner[order]]
    rows = empty(len(order))
    rows["patient"], rows["device"] = slots.patient[row_pair], slots.device[row_pair]
    rows["t"], rows["received"], rows["value"] = t[message], received[message], value[order]
    rows["code"], rows["flags"], rows["index"] = code[order], all_flags[order], nth[order]
    rows["partition"], rows["offset"] = run.partition[source], run.offset[source]
    return Placed(rows, slots.shard[row_pair], refused, len(owner) - len(order))


def applied(run: Run, bound: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    """The rows of bound messages in order of application, None if that is all of them as they stand."""
    poll, all_bound = run.poll, bool(bound.all())
    if run.order is None:
        return None if all_bound else np.flatnonzero(bound[poll.owner])
    if all_bound and len(poll.owner) == len(run.order) == len(poll.devices):
        return run.order  # one row a message, and no message is missing
    rank = np.empty_like(run.order)
    rank[run.order] = np.arange(len(rank))
    rows = np.argsort(rank[poll.place][poll.owner], kind="stable")
    return rows if all_bound else rows[bound[poll.owner[rows]]]


def observed(
    rows: tuple[Row, ...], patient: int, device: int, at_ms: int | None, received: int, position: tuple[int, int], slots: Slots
) -> Placed:
    """The rows of one `observe`: class spot, a device of its own a person; `position` = (partition column, offset)."""
    n = len(rows)
    t, flags = (received, OBSERVED) if at_ms is None else (at_ms, OBSERVED)
    if t > received + int(TOLERATED_MS[SPOT]):
        t, flags = received, flags | FUTURE
    pair = slots.pair(patient, device)
    found = empty(n)
    found["patient"], found["device"], found["t"], found["received"] = patient, device, t, received
    found["partition"], found["offset"] = position
    for column, values in zip(("index", "code", "value", "flags"), zip(*rows, strict=True), strict=True):
        found[column] = values
    old = np.full(n, received - t > int(LATE_MS[SPOT]))
    repeat, late = slots.judge(np.full(n, pair), found["code"], found["t"].copy(), found["value"].copy(), old)
    found["flags"] |= np.where(late, np.uint32(flags | LATE), np.uint32(flags))
    return Placed(found[~repeat], np.full(n, slots.shard[pair])[~repeat], {}, int(np.count_nonzero(repeat)))


def records(rows: Rows, shard: NDArray[np.int16]) -> Iterator[Append]:
    """As few R records a shard as sizes allow; the rows of one source message are never split over two."""
    start = 0
    for number, count in enumerate(np.bincount(shard).tolist()):
        for part in _parts(rows[start : start + count]) if count else ():
            yield Append(TIMELINE, number, encode_rows(part))
        start += count


def _parts(rows: Rows) -> Iterator[Rows]:
    """Cuts before the message that would not fit whole (a message has at most 64 rows)."""
    start, n = 0, len(rows)
    while n - start > MAX_ROWS_A_RECORD:
        end = start + MAX_ROWS_A_RECORD
        while rows["offset"][end] == rows["offset"][end - 1] and rows["partition"][end] == rows["partition"][end - 1]:
            end -= 1
        yield rows[start:end]
        start = end
    yield rows[start:]


assert ROW.itemsize * MAX_ROWS_A_RECORD + 2 < 512 * 1024
