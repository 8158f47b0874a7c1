"""The oracle's ingest: from items of `sim` or `replay` to the entries that `Fold` judges (`semantics.md` 2, 5, 6). One item at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from operators.clinical import tables as tab
from operators.sim.items import Item, Said, expected
from schemas import codes as c
from schemas.columns import SOURCE_TOPICS, source_partition
from schemas.facts import Command, Observation, manual_device
from schemas.timeline import Begin, Bye, End, Fact, Hello, Time
from tests.oracle import Fold, holder
from tests.support.entries import Event, Row

TIME_EVERY_MS = 10_000  # where time entries fall changes nothing: few make it fast


class Verdict(NamedTuple):
    events: list[Event]
    dead_letters: int
    rows: int


class Ingest:
    def __init__(self) -> None:
        self.fold = Fold()
        self.newest: dict[tuple[str, str, int], tuple[int, float | None]] = {}
        self.commands: set[str] = set()
        self.dead_letters = self.rows = 0

    def item(self, item: Item) -> None:
        if item.mark:
            return
        if item.topic == "device-readings":
            self.readings(item)
        elif item.expect != "ok":
            self.dead_letters += 1  # CHOICE: a fact or command with an `expect` is a dead letter and nothing else
        elif isinstance(item.fact, Command):
            self.command(item, item.fact)
        else:
            self.fold.take(self.entry(item, item.partition))

    def entry(self, item: Item, partition: int, refused: str | None = None) -> Fact:
        return Fact(item.topic, item.key, partition, item.offset, item.arrival_ms, item.arrival_ms, item.body, refused)

    def readings(self, item: Item) -> None:
        """A message of a device: its lease is sought at its own time. CHOICE: one dead letter a message, whatever its reasons."""
        rows: list[tuple[str, str, int, int, float | None, int, str]] = []
        unbound = False
        for truth in item.truth:
            fact = self.fold.devices.get(truth.device)
            known = fact.device_class if fact else "spot"
            t, flags = self.clock(truth.t_ms, truth.flags_expected, item.arrival_ms, known)
            patient, now = holder(fact, t), holder(fact, item.arrival_ms)
            ambiguous = known == "monitor" and now not in ("", patient) and item.arrival_ms - t > tab.LATE_LIMIT_MS[known]
            unbound |= not patient or ambiguous
            code = c.BY_LOINC[truth.loinc].number if truth.loinc else 0
            rows.append((patient, truth.device, code, t, truth.value, flags, known))
        self.dead_letters += unbound or item.expect != "ok"
        if not unbound:
            self.append(item, rows)

    def clock(self, t: int | None, flags: int, received: int, device_class: str) -> tuple[int, int]:
        if t is None:
            return received, flags | c.NO_CLOCK
        if t > received + tab.TOLERANCE_MS[device_class]:
            return received, flags | c.FUTURE  # CHOICE: the lease is then sought at `received`
        return t, flags

    def append(self, item: Item, rows: list[tuple[str, str, int, int, float | None, int, str]]) -> None:
        """Drops exact repeats of the newest, marks what is late, appends the rest as one record."""
        partition, out = source_partition(item.topic, item.partition), list[Row]()
        for place, (patient, device, code, t, value, flags, device_class) in enumerate(rows):
            newest = self.newest.get((patient, device, code))
            if newest == (t, value):
                continue
            if (newest and t <= newest[0]) or item.arrival_ms - t > tab.LATE_LIMIT_MS[device_class]:
                flags |= c.LATE
            else:
                self.newest[patient, device, code] = (t, value)
            out.append(Row(patient, device, code, t, item.arrival_ms, value, flags, partition, item.offset, place))
        self.rows += len(out)
        self.fold.take(out)

    def command(self, item: Item, command: Command) -> None:
        """`observe` becomes rows of a manual device, class spot; whatever cannot is refused whole."""
        rows: list[tuple[str, str, int, int, float | None, int, str]] = []
        refused, device, again = self.shape(item.body), manual_device(command.by), command.id in self.commands
        self.commands.add(command.id)
        if command.kind == "observe":
            person = self.fold.patients.get(command.patient)
            if person is None or person.fact is None:
                refused = "unknown_patient"
            t, flags = self.clock(command.at_ms, c.OBSERVED, item.arrival_ms, "spot")
            flags &= ~c.NO_CLOCK  # CHOICE: a person without a time means now; that is no missing clock
            for seen in command.readings:
                found = self.observed(seen)
                if isinstance(found, str):
                    refused = refused or found
                else:
                    rows.append((command.patient, device, found[0], t, found[1], flags | found[2], "spot"))
        self.fold.take(self.entry(item, source_partition(item.topic, item.partition), refused))
        if not refused and not again:  # CHOICE: the same command again makes no rows either
            self.append(item, rows)

    def shape(self, body: bytes | None) -> str | None:
        try:
            msgspec.json.decode(body or b"", type=Command)
        except msgspec.MsgspecError:
            return "bad_shape"
        return None

    def observed(self, seen: Observation) -> tuple[int, float, int] | str:
        """(code, value, flags), or why not. CHOICE: one without a usable value is refused, in a word of `ABSENT` or of dead letters."""
        said = Said(seen.code, seen.value, seen.unit)
        if c.SYNONYMS.get(seen.code, seen.code) in c.CODED:
            words = c.CODED[seen.code]
            if seen.coded not in words:
                return "bad_value"
            said = Said(seen.code, float(words.index(seen.coded)), c.BY_LOINC[seen.code].unit)
        found = expected(said)
        if found is None:
            return "unknown_code"
        loinc, value, flags = found
        return (c.BY_LOINC[loinc].number, value, flags) if value is not None else c.absent_reason(flags) or "unknown"


def judge(items: Iterable[Item]) -> Verdict:
    """The answer that every run over these items (sorted by the merge's key) must give."""
    ingest, stated, last = Ingest(), 0, 0
    for entry in (Hello("ingest", "1"), Begin("first"), End("first", 0)):
        ingest.fold.take(entry)
    for item in items:
        last = item.arrival_ms
        if last - 1 >= stated + TIME_EVERY_MS:
            stated = last - 1
            ingest.fold.take(Time("ingest", "1", stated))
        ingest.item(item)
    ingest.fold.take(Time("ingest", "1", last))
    ingest.fold.take(Bye("ingest", "1"))
    return Verdict(ingest.fold.events, ingest.dead_letters, ingest.rows)


assert SOURCE_TOPICS == ("device-readings", "alert-commands")
