"""All that a shard remembers between two records, and its snapshot as plain versioned values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators.alerting.limits import Side
from operators.clinical.tables import CONTINUOUS_CLASSES, DEFAULT_LIMITS
from operators.monitor.columns import LONG_AGO
from operators.monitor.devices import Devices, Pairs
from operators.monitor.people import People
from operators.monitor.slots import Slots
from schemas.events import AlertEvent, AlertState
from schemas.facts import DeviceFact, Limit, PatientFact, RuleFact
from schemas.facts import Side as SideName
from schemas.identity import key64

FORMAT = 1
"""Of the snapshot; another number is refused."""
COMMANDS_REMEMBERED = 20_000
"""Ids of commands that can still be told from new ones, newest kept; older repeats are caught by their position."""


class Versioned(msgspec.Struct):
    """A table fact as it stood."""

    version: int
    value: bytes | None


class ScoreEpisode(msgspec.Struct):
    """The open NEWS2 episode of a patient."""

    alert: str
    level: int


class Leaving(msgspec.Struct, frozen=True):
    """A lease of `person` that ended by time at `at_ms`; its consequences for that patient are still to come."""

    at_ms: int
    device: int
    person: int


class State:
    """See the attributes. Dense parts are tables of columns; sparse parts are dictionaries of small objects."""

    def __init__(self, shard: int) -> None:
        self.shard = shard
        self.time_ms = LONG_AGO
        self.writers: dict[str, list[Any]] = {}
        """writer -> [live instance, its T (LONG_AGO before its first), 0 = live, 1 = gone, 2 = ended]."""
        self.high: dict[int, int] = {}
        """source partition -> highest row offset of earlier records."""
        self.high_command: dict[int, int] = {}
        self.commands: dict[str, None] = {}
        self.warm = False
        self.statement: list[Any] = ["", 0]
        """[id of the re-statement under way, facts seen in it]."""
        self.facts: dict[tuple[str, str], Versioned] = {}
        self.people, self.slots, self.devices, self.pairs = People(), Slots(), Devices(), Pairs()
        self.sides: dict[tuple[int, SideName], Side] = {}
        self.signal_lost: dict[int, str] = {}
        self.silent: dict[int, str] = {}
        self.not_judged: dict[int, str] = {}
        self.scores: dict[int, ScoreEpisode] = {}
        self.alerts: dict[str, AlertState] = {}
        """Active and latched episodes."""
        self.leaving: list[Leaving] = []
        self.second_ms = LONG_AGO
        self.minute_ms = LONG_AGO
        self.key_ms = LONG_AGO
        # Derived, not in the snapshot:
        self.names: dict[int, str] = {}
        self.person_of: dict[int, int] = {}
        self.device_of: dict[int, int] = {}
        self.slot_of: dict[tuple[int, int, int], int] = {}
        self.slots_of_person: dict[int, list[int]] = {}
        self.slots_of_device: dict[int, list[int]] = {}
        self.pair_of: dict[tuple[int, int], int] = {}
        self.patients: dict[int, PatientFact] = {}
        self.device_facts: dict[int, DeviceFact] = {}
        self.site: RuleFact | None = None
        self.sorted_hash: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self.sorted_slot: NDArray[np.intp] = np.zeros(0, np.intp)
        self.hashed = 0
        self.events: list[AlertEvent] = []

    # -- names and indexes

    def person(self, key: int, name: str | None = None) -> int:
        """Index of a patient, made when new. A row of a patient whose name no fact has told yet gets its key as name."""
        index = self.person_of.get(key)
        if index is None:
            index = self.people.add()
            self.people.key[index] = key
            self.person_of[key] = index
            self.slots_of_person[index] = []
        if name is not None:
            self.names[key] = name
        return index

    def device(self, key: int, name: str | None = None) -> int:
        """Index of a device, made when new."""
        index = self.device_of.get(key)
        if index is None:
            index = self.devices.add()
            self.devices.key[index] = key
            self.device_of[key] = index
            self.slots_of_device[index] = []
        if name is not None:
            self.names[key] = name
        return index

    def slot(self, person: int, device: int, code: int) -> int:
        """Index of a slot, made when new."""
        index = self.slot_of.get((person, device, code))
        if index is None:
            index = self.slots.open(person, device, code, bool(self.devices.continuous[device]))
            self.slots.pair[index] = self.pair(device, person)
            self._index_slot(index)
            part = int(self.slots.part[index])
            if part >= 0:
                self.people.offer(person, part, index)
        return index

    def pair(self, device: int, person: int) -> int:
        """Index of a device with a patient, made when new."""
        index = self.pair_of.get((device, person))
        if index is None:
            index = self.pair_of[device, person] = self.pairs.add()
            self.pairs.device[index], self.pairs.patient[index] = device, person
        return index

    def _index_slot(self, index: int) -> None:
        person, device = int(self.slots.patient[index]), int(self.slots.device[index])
        self.slot_of[person, device, int(self.slots.code[index])] = index
        self.slots_of_person[person].append(index)
        self.slots_of_device[device].append(index)

    def name(self, key: int) -> str:
        """The pseudonym of a key."""
        return self.names.get(key) or f"key:{key:016x}"

    def patient_name(self, person: int) -> str:
        return self.name(int(self.people.key[person]))

    def device_name(self, device: int) -> str:
        return self.name(int(self.devices.key[device]))

    def device_class(self, device: int) -> str:
        """Class of a device; spot for a person who enters values."""
        fact = self.device_facts.get(device)
        return fact.device_class if fact else "spot"

    def limit(self, person: int, loinc: str, side: SideName) -> tuple[Limit, str] | None:
        """The limit in force and whose it is: patient > site > default, of two in one list the last. None = none, or switched off."""
        fact = self.patients.get(person)
        sources = [(fact.limits, f"patient: {fact.revision} by {fact.by}")] if fact else []
        if self.site is not None:
            sources.append((self.site.limits, f"site: {self.site.revision}"))
        sources.append((list(DEFAULT_LIMITS), "default"))
        for limits, whose in sources:
            for limit in reversed(limits):
                if limit.code == loinc and limit.side == side:
                    return None if limit.medium is None else (limit, whose)
        return None

    # -- snapshot

    def dump(self) -> dict[str, Any]:
        """Plain values and arrays only."""
        plain = msgspec.to_builtins
        return {
            "format": FORMAT,
            "shard": self.shard,
            "time": [self.time_ms, self.second_ms, self.minute_ms, self.key_ms],
            "writers": {k: list(v) for k, v in self.writers.items()},
            "high": dict(self.high),
            "high_command": dict(self.high_command),
            "commands": list(self.commands),
            "warm": self.warm,
            "statement": list(self.statement),
            "facts": [(k[0], k[1], f.version, f.value) for k, f in self.facts.items()],
            "names": dict(self.names),
            "people": self.people.dump(),
            "slots": self.slots.dump(),
            "devices": self.devices.dump(),
            "pairs": self.pairs.dump(),
            "sides": [(s, name, plain(side)) for (s, name), side in self.sides.items()],
            "signal_lost": dict(self.signal_lost),
            "silent": dict(self.silent),
            "not_judged": dict(self.not_judged),
            "scores": {p: (e.alert, e.level) for p, e in self.scores.items()},
            "leaving": [(x.at_ms, x.device, x.person) for x in self.leaving],
            "alerts": [plain(a) for a in self.alerts.values()],
        }

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> State:
        """Takes what `dump` gave; ValueError for another format."""
        if dumped["format"] != FORMAT:
            raise ValueError(
                f"state of monitor has format {dumped['format']}, this version reads {FORMAT}: start it on a fresh recovery folder"
            )
        state = cls(dumped["shard"])
        state.time_ms, state.second_ms, state.minute_ms, state.key_ms = dumped["time"]
        state.writers = {k: list(v) for k, v in dumped["writers"].items()}
        state.high, state.high_command = dict(dumped["high"]), dict(dumped["high_command"])
        state.commands = dict.fromkeys(dumped["commands"])
        state.warm, state.statement = dumped["warm"], list(dumped["statement"])
        state.facts = {(topic, key): Versioned(version, value) for topic, key, version, value in dumped["facts"]}
        state.names = dict(dumped["names"])
        tables = ((state.people, "people"), (state.slots, "slots"), (state.devices, "devices"), (state.pairs, "pairs"))
        for table, name in tables:
            table.load(dumped[name])
        state.sides = {(s, name): msgspec.convert(side, Side) for s, name, side in dumped["sides"]}
        state.signal_lost, state.silent, state.not_judged = (dict(dumped[k]) for k in ("signal_lost", "silent", "not_judged"))
        state.scores = {p: ScoreEpisode(*e) for p, e in dumped["scores"].items()}
        state.alerts = {a["alert"]: msgspec.convert(a, AlertState) for a in dumped["alerts"]}
        state.leaving = [Leaving(*x) for x in dumped["leaving"]]
        state._derive()
        return state

    def _derive(self) -> None:
        for index in range(self.people.n):
            self.person_of[int(self.people.key[index])] = index
            self.slots_of_person[index] = []
        for index in range(self.devices.n):
            self.device_of[int(self.devices.key[index])] = index
            self.slots_of_device[index] = []
        for index in range(self.slots.n):
            self._index_slot(index)
        for index in range(self.pairs.n):
            self.pair_of[int(self.pairs.device[index]), int(self.pairs.patient[index])] = index
        for (topic, key), fact in self.facts.items():
            if fact.value is None:
                continue
            if topic == "patients":
                self.patients[self.person(key64(key))] = msgspec.json.decode(fact.value, type=PatientFact)
            elif topic == "devices":
                self.device_facts[self.device(key64(key))] = msgspec.json.decode(fact.value, type=DeviceFact)
            elif key == "limits":
                self.site = msgspec.json.decode(fact.value, type=RuleFact)


def is_continuous(device_class: str) -> bool:
    """Monitors and CGM stream; spot and charted values stand alone."""
    return device_class in CONTINUOUS_CLASSES
