"""Tells a timeline in a clinician's words, for tables of expected events written by hand. Times are seconds from the start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from schemas import codes as c
from schemas.columns import source_partition
from schemas.facts import Command, DeviceFact, Lease, Limit, LimitLevel, PatientFact, RuleFact, manual_device
from schemas.identity import key64, shard_of
from schemas.timeline import Begin, Bye, End, Fact, Hello, Time
from tests.oracle import Fold
from tests.support.entries import Entry, Event, Row
from tests.support.monitored import difference, events, monitored

START_MS = 1_700_000_000_000
CODE = {"hr": 8867, "rr": 9279, "spo2": 59408, "sbp": 8480, "temp": 8310, "glucose": 2339, "cgm": 99504, "acvpu": 67775, "oxygen": 107117}
CODE |= {"fio2": 3150, "flow": 3151, "dbp": 8462}
SHARD = shard_of(key64("amin"))
WORDS = {number: word for word, number in CODE.items()}
HEALTHY: dict[str, Any] = {"hr": 70.0, "rr": 16.0, "spo2": 98.0, "sbp": 120.0, "temp": 37.0}


def ms(at_s: float) -> int:
    return START_MS + round(at_s * 1000)


def command_id(n: int) -> str:
    return f"00000000-0000-4000-8000-{n:012d}"


class Ward:
    """Patient `amin` (age unknown, so no NEWS2, unless told), monitor `mon` each 2 s, bound from the start unless told otherwise."""

    def __init__(self, bare: bool = False, stated: bool = True, **person: Any) -> None:
        self.fold = Fold()
        self.entries: list[Entry] = []
        self.versions: dict[str, int] = {}
        self.offset = self.commands = 0
        self.add(Hello("ingest", "1"), Begin("a"))
        if not bare:
            self.patient(0, **person)
            self.device(0)
        if stated:
            self.add(End("a", 0 if bare else 2))

    def add(self, *entries: Entry) -> None:
        for entry in entries:
            self.entries.append(entry)
            self.fold.take(entry)

    def _fact(self, at_s: float, topic: str, key: str, value: msgspec.Struct | None) -> None:
        self.versions[topic + key] = version = self.versions.get(topic + key, -1) + 1
        self.add(Fact(topic, key, 0, version, ms(at_s), ms(at_s), None if value is None else msgspec.json.encode(value)))

    def patient(self, at_s: float, name: str = "amin", **fields: Any) -> None:
        told = {"patient": name, "revision": f"p{at_s}", "admission": "first"} | fields
        self._fact(at_s, "patients", name, msgspec.convert(told, PatientFact))

    def device(
        self, at_s: float, name: str = "mon", *leases: tuple[str, float, float | None], kind: str = "monitor", every_s: int = 2
    ) -> None:
        """`leases`: (patient, from, until) in seconds; the default is amin's from the start."""
        spans = [Lease(who, ms(start), None if end is None else ms(end)) for who, start, end in leases or [("amin", 0, None)]]
        self._fact(at_s, "devices", name, DeviceFact(name, f"d{at_s}", kind, every_s * 1000, spans))  # type: ignore[arg-type]

    def site(self, at_s: float, *limits: Limit) -> None:
        self._fact(at_s, "rules", "limits", RuleFact("limits", f"r{at_s}", 1, list(limits)))

    def gone(self, at_s: float, topic: str, key: str) -> None:
        """The fact is deleted."""
        self._fact(at_s, topic, key, None)

    def time(self, at_s: float, instance: str = "1") -> None:
        self.add(Time("ingest", instance, ms(at_s)))

    def bye(self) -> None:
        self.add(Bye("ingest", "1"))

    def rows(self, at_s: float, values: dict[str, float | None], device: str, patient: str, t_s: float | None, flags: int) -> list[Row]:
        self.offset += 1
        t = ms(at_s if t_s is None else t_s)
        marks = [flags | (c.NO_VALUE if value is None else 0) for value in values.values()]
        return [
            Row(patient, device, CODE.get(word, 0), t, ms(at_s), value, mark, 0, self.offset, place)
            for place, ((word, value), mark) in enumerate(zip(values.items(), marks, strict=True))
        ]

    def read(
        self, at_s: float, device: str = "mon", patient: str = "amin", t_s: float | None = None, flags: int = 0, **values: Any
    ) -> None:
        """One message."""
        self.add(self.rows(at_s, values, device, patient, t_s, flags))

    def beat(self, at_s: float, device: str = "mon", patient: str = "amin") -> None:
        self.add(self.rows(at_s, {"beat": None}, device, patient, None, c.BEAT))

    def every(self, step_s: float, start_s: float, end_s: float, device: str = "mon", patient: str = "amin", **values: Any) -> None:
        """The same message each `step_s` from `start_s` up to and with `end_s`."""
        for n in range(int((end_s - start_s) / step_s) + 1):
            self.read(start_s + n * step_s, device, patient, **values)

    def observe(self, at_s: float, by: str = "siti", patient: str = "amin", **values: float | None) -> None:
        self.command(at_s, "observe", by, patient=patient)
        rows = self.rows(at_s, values, manual_device(by), patient, None, c.OBSERVED)
        self.add([row._replace(partition=source_partition("alert-commands", 0), offset=self.commands) for row in rows])

    def command(
        self,
        at_s: float,
        kind: str,
        by: str = "siti",
        alert: str | None = None,
        patient: str = "amin",
        n: int | None = None,
        refused: str = "",
    ) -> None:
        self.commands += 1
        body = Command(command_id(n or self.commands), kind, patient, by, alert=alert)
        partition = source_partition("alert-commands", 0)
        value = msgspec.json.encode(body)
        self.add(Fact("alert-commands", patient, partition, self.commands, ms(at_s), ms(at_s), value, refused or None))

    def alert(self, nth: int = 0) -> str:
        """Id of the n-th alert raised so far."""
        return [e for e in self.fold.events if e.transition == "raised"][nth].alert

    def told(self, until_s: float | None = None) -> list[str]:
        """What happened up to and with `until_s`, one line an event; `monitor` must say the same."""
        if until_s is not None:
            self.time(until_s)
        found = events(monitored(self.entries, shard=SHARD))
        assert sorted(found) == sorted(self.fold.events), difference(found, self.fold.events)
        return [_line(e) for e in self.fold.events]


def _line(e: Event) -> str:
    what = [e.rule if not e.slot else f"{e.rule} {_words(e.slot)}" if e.rule else "", e.transition, e.priority, e.reason]
    return f"{(e.at_ms - START_MS) / 1000:g} " + " ".join(word for word in what if word)


def _words(slot: str) -> str:
    head, *rest = slot.split(":", 2)
    known = c.BY_LOINC.get(head)
    return " ".join([WORDS[known.number], *rest]) if known else slot


def limit(
    code: str, side: str, medium: Sequence[float] | None, clear: float, hold_s: float = 0, high: Sequence[float] | None = None
) -> Limit:
    """`medium`, `high`: (limit, delay in seconds); low sides are `<`, high sides `>`."""
    sign = "<" if side == "low" else ">"
    levels = [LimitLevel(sign, *level) if level else None for level in (medium, high)]  # type: ignore[arg-type]
    return Limit(c.BY_NUMBER[CODE[code]].loinc, side, levels[0], clear, hold_s, levels[1])  # type: ignore[arg-type]
