"""What `sim` and `replay` produce: one `Item` a record of the log, with the truth that the record must lead to.

A generator yields `Draft`s (no place yet) in order of arrival; `place` gives each its partition and offset, adds the clock marks and
the end mark of a recorded clock, and yields `Item`s in the order of the merge (arrival, input topic, partition, offset; `semantics.md` 2).
The truth is written before encoding, so that an oracle needs no decoder. Bodies are native JSON and JSON facts. Pure: no clock, no
randomness.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec

from schemas.codes import (
    ABOVE,
    ABSENT,
    ABSENT_SHIFT,
    BEAT,
    BELOW,
    BY_LOINC,
    CODED,
    CONVERSIONS,
    CONVERTED,
    NO_CLOCK,
    NO_VALUE,
    SUSPECT,
    SYNONYMS,
    Code,
)
from schemas.facts import Command, DeviceFact, PatientFact, RuleFact
from schemas.identity import key64
from schemas.topics import BY_NAME, INPUTS

Mark = Literal["", "clock", "end"]
FactValue = PatientFact | DeviceFact | RuleFact | Command
READINGS = "device-readings"
COMMANDS = "alert-commands"
MINUTE_MS = 60_000
READING_PARTITIONS = BY_NAME[READINGS].partitions


class Truth(NamedTuple):
    """One row that must come out of a message, before its lease is resolved."""

    device: str
    loinc: str
    """The timeline's code; empty for a beat."""
    t_ms: int | None
    """None: the message has no clock."""
    value: float | None
    """In the canonical unit; None: a row without value."""
    flags_expected: int
    """As ingest must set them, without LATE, FUTURE, REPLAYED."""


class Item(NamedTuple):
    """One record of an input topic at its place."""

    arrival_ms: int
    topic: str
    partition: int
    offset: int
    """0-based in its partition, counted over all records, marks too: a run starts on empty topics."""
    key: str
    body: bytes | None
    mark: Mark
    expect: str
    """`ok`, or the reason of its dead letter; `unknown_code` may leave rows in `truth`."""
    truth: tuple[Truth, ...]
    fact: FactValue | None


class Draft(NamedTuple):
    """A record that has no place yet."""

    arrival_ms: int
    topic: str
    key: str
    body: bytes | None
    expect: str = "ok"
    truth: tuple[Truth, ...] = ()
    fact: FactValue | None = None


class Said(NamedTuple):
    """One reading as a device says it: `schemas.readings.Reading`, before encoding."""

    code: str
    value: float | None = None
    unit: str | None = None
    absent: str | None = None
    compare: str | None = None
    quality: str = "good"


def no_value(reason: str) -> int:
    """Flags of a row without value."""
    return NO_VALUE | ABSENT.index(reason if reason in ABSENT else "unknown") << ABSENT_SHIFT


def expected(said: Said) -> tuple[str, float | None, int] | None:
    """(timeline code, canonical value or None, flags) of a reading, None for a code that is not taken (`ways-in.md` 1 and 8).

    Written apart from `operators.decode`: where the two differ, one of them is wrong.
    """
    loinc = SYNONYMS.get(said.code, said.code)
    code = BY_LOINC.get(loinc)
    if code is None:
        return None
    if said.value is None or said.absent is not None:
        return loinc, None, no_value(said.absent or "unknown")
    flags, x = 0, float(said.value)
    if said.unit != code.unit:
        conversion = CONVERSIONS[code.unit].get(said.unit or "")
        if conversion is None:
            return loinc, None, no_value("unit-unknown")
        x, flags = x * conversion[0] + conversion[1], CONVERTED
    if said.compare:
        return loinc, *_bound(said, code, x, flags)
    if x == 0 and code.zero_is_no_signal:
        return loinc, None, flags | no_value("zero")
    if _unit_is_suspect(loinc, said.unit, said.value):
        return loinc, None, flags | no_value("unit-suspect")
    if not code.low <= x <= code.high or (loinc in CODED and x != int(x)):
        return loinc, None, flags | no_value("impossible")
    if not code.suspect_low <= x <= code.suspect_high or said.quality == "suspect":
        flags |= SUSPECT
    return loinc, x, flags


def _bound(said: Said, code: Code, x: float, flags: int) -> tuple[float | None, int]:
    """A sensor's LOW or HIGH: the bound of its range, which counts as beyond; a bound that cannot be one is impossible."""
    low, high = (0.0, code.high) if said.compare == "<" else (code.low, 10 * code.high)
    if code.loinc in CODED or not low <= x <= high:
        return None, flags | no_value("impossible")
    return x, flags | (BELOW if said.compare == "<" else ABOVE) | (SUSPECT if said.quality == "suspect" else 0)


def _unit_is_suspect(loinc: str, unit: str | None, value: float) -> bool:
    """A number that only makes sense in another unit than the one it names: never converted, never shown."""
    if loinc == "8310-5":
        return unit == "Cel" and 70 <= value <= 120
    if loinc in ("2339-0", "99504-3"):
        return (unit == "mmol/L" and value > 40) or (unit == "mg/dL" and value < 30)
    return loinc == "3150-6" and unit == "%" and value <= 1


def truth_of(device: str, t_ms: int | None, said: Sequence[Said]) -> tuple[str, tuple[Truth, ...]]:
    """(expect, rows) of a well-formed message: an unknown code is refused alone, test data and a code twice refuse the whole."""
    if any(reading.quality in ("test", "demo") for reading in said):
        return "test_data", ()
    rows: list[Truth] = []
    expect, clock = "ok", NO_CLOCK if t_ms is None else 0
    for reading in said:
        outcome = expected(reading)
        if outcome is None:
            expect = "unknown_code"
        elif any(outcome[0] == row.loinc for row in rows):
            return "code_twice", ()
        else:
            rows.append(Truth(device, outcome[0], t_ms, outcome[1], outcome[2] | clock))
    return expect, tuple(rows)


_json = msgspec.json.Encoder().encode


def body_of(device: str, t_ms: int | None, said: Sequence[Said], **extra: object) -> bytes:
    """The native JSON of one message; `extra`: seq, boot, buffered, battery_percent."""
    message: dict[str, object] = {"v": 1, "device": device}
    if t_ms is not None:
        message["t"] = t_ms
    readings = []
    for reading in said:
        entry: dict[str, object] = {"code": reading.code}
        entry |= {name: got for name in ("value", "unit", "absent", "compare") if (got := getattr(reading, name)) is not None}
        if reading.quality != "good":
            entry["quality"] = reading.quality
        readings.append(entry)
    return _json(message | extra | {"readings": readings})


def message(arrival_ms: int, device: str, t_ms: int | None, said: Sequence[Said], **extra: object) -> Draft:
    """A well-formed message of a device."""
    expect, truth = truth_of(device, t_ms, said)
    return Draft(arrival_ms, READINGS, device, body_of(device, t_ms, said, **extra), expect, truth)


def beat(arrival_ms: int, device: str, t_ms: int | None) -> Draft:
    """The link lives, nothing to report."""
    clock = {} if t_ms is None else {"t": t_ms}
    flags = BEAT | NO_VALUE | (NO_CLOCK if t_ms is None else 0)
    body = _json({"v": 1, "device": device} | clock | {"beat": True})
    return Draft(arrival_ms, READINGS, device, body, "ok", (Truth(device, "", t_ms, None, flags),))


def fact(arrival_ms: int, value: FactValue) -> Draft:
    """A fact or a command, on the topic of its type."""
    if isinstance(value, PatientFact):
        topic, key = "patients", value.patient
    elif isinstance(value, DeviceFact):
        topic, key = "devices", value.device
    elif isinstance(value, RuleFact):
        topic, key = "rules", value.name
    else:
        topic, key = COMMANDS, value.patient
    return Draft(arrival_ms, topic, key, _json(value), "ok", (), value)


def partition_of(topic: str, key: str) -> int:
    """Where `sim` and `replay` put a record; devices may choose any partition."""
    return key64(key) % READING_PARTITIONS if topic == READINGS else 0


INPUT_PARTITIONS: tuple[tuple[str, int], ...] = tuple((topic, p) for topic in INPUTS for p in range(BY_NAME[topic].partitions))
"""All partitions of all input topics, in the order of the merge."""
_RANK = {topic: rank for rank, topic in enumerate(INPUTS)}


class _Places:
    """Counts offsets, remembers partitions."""

    def __init__(self) -> None:
        self.offsets = dict.fromkeys(INPUT_PARTITIONS, 0)
        self.partitions: dict[tuple[str, str], int] = {}

    def block(self, drafts: list[Draft], mark: Mark, mark_ms: int) -> Iterator[Item]:
        """One block in the order of the merge; the marks of each partition after its other records of the same ms."""
        known, rows = self.partitions, []
        for draft in drafts:
            at = (draft.topic, draft.key)
            if (partition := known.get(at)) is None:
                partition = known[at] = partition_of(*at)
            rows.append((draft.arrival_ms, _RANK[draft.topic], partition, draft))
        rows.sort(key=_block_order)
        marks = [(mark_ms, _RANK[topic], partition, None) for topic, partition in INPUT_PARTITIONS]
        offsets = self.offsets
        for arrival_ms, rank, partition, found in sorted([*rows, *marks], key=_block_order):
            topic = INPUTS[rank]
            offset = offsets[topic, partition]
            offsets[topic, partition] = offset + 1
            if found is None:
                yield Item(arrival_ms, topic, partition, offset, "", None, mark, "ok", (), None)
            else:
                yield Item(arrival_ms, topic, partition, offset, found.key, found.body, "", found.expect, found.truth, found.fact)


def _block_order(row: tuple[int, int, int, Draft | None]) -> tuple[int, int, int]:
    return row[:3]


def place(drafts: Iterable[Draft], end_ms: int | None = None, marks_after: int = 1) -> Iterator[Item]:
    """Items of a recorded clock: drafts in order of arrival, clock marks after each minute in which something arrived, end marks last.

    An empty minute needs no mark: time moves at the next one, and where time entries fall changes no event (`semantics.md` 2). So a sparse
    recording may have its marks at the first whole minute after `marks_after` records, instead of eight marks for each of them.
    `end_ms` (default: one minute after the last clock mark) is when the run ends; drafts at or after it are left out.
    """
    places, block, marked_ms, minute_end = _Places(), list[Draft](), 0, 0
    for draft in drafts:
        if end_ms is not None and draft.arrival_ms >= end_ms:
            break
        if draft.arrival_ms > minute_end:
            if len(block) >= marks_after:
                yield from places.block(block, "clock", minute_end)
                block, marked_ms = [], minute_end
            elif not minute_end:
                marked_ms = _minute_before(draft.arrival_ms)
                yield from places.block([], "clock", marked_ms)
            minute_end = _minute_before(draft.arrival_ms) + MINUTE_MS
        elif draft.arrival_ms <= marked_ms:
            raise ValueError(f"drafts out of order: arrival {draft.arrival_ms} after the marks of {marked_ms}")
        block.append(draft)
    end = minute_end + MINUTE_MS if end_ms is None else end_ms
    if block and minute_end < end:
        yield from places.block(block, "clock", minute_end)
        block = []
    yield from places.block(block, "end", end)


def _minute_before(ms: int) -> int:
    """The last whole minute strictly before `ms`."""
    return (ms - 1) // MINUTE_MS * MINUTE_MS
