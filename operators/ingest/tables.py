"""What `ingest` knows of patients, devices and rules: the newest fact of each key, whose a device is at a time (`semantics.md` 4, 5).

A fact that cannot be believed is refused with its reason and the one before it stays. In no snapshot: read anew from the topics at each
start.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators.clinical.tables import LATE_LIMIT_MS, TOLERANCE_MS
from operators.ingest.arrivals import Item
from operators.ingest.slots import Slots
from schemas.codes import BY_LOINC
from schemas.facts import DeviceFact, Lease, Limit, PatientFact, RuleFact, manual_device
from schemas.identity import key64, shard_of
from schemas.topics import TABLES

MAX_FACT_BYTES = 256 * 1024
MAX_NAME_CHARS = 128
MAX_LEASES = 1000
MAX_MS = 1 << 43
FOREVER = 1 << 62
CLASSES: tuple[str, ...] = tuple(LATE_LIMIT_MS)
LATE_MS: NDArray[np.int64] = np.array([LATE_LIMIT_MS[name] for name in CLASSES], np.int64)
TOLERATED_MS: NDArray[np.int64] = np.array([TOLERANCE_MS[name] for name in CLASSES], np.int64)
MONITOR, SPOT = CLASSES.index("monitor"), CLASSES.index("spot")
UNKNOWN = 0
"""Number of the device that stands for all unknown ones: its lease never covers."""
MANUAL = manual_device("")

_patient = msgspec.json.Decoder(PatientFact).decode
_device = msgspec.json.Decoder(DeviceFact).decode
_rule = msgspec.json.Decoder(RuleFact).decode


class Refused(Exception):
    """A fact or command that is not believed."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class Stated(NamedTuple):
    """The newest fact of a key, as it stood."""

    partition: int
    version: int
    at: int
    value: bytes
    shards: tuple[int, ...]
    """Where it belongs."""


class Devices:
    """All devices in columns: the newest lease of each, which holds nearly every reading; older leases in `leases`, oldest first."""

    def __init__(self) -> None:
        self.number: dict[str, int] = {}
        self.key = np.zeros(64, np.uint64)
        self.device_class = np.zeros(64, np.int8)
        self.pair = np.zeros(64, np.int64)
        self.since = np.full(64, FOREVER, np.int64)
        self.until = np.full(64, -FOREVER, np.int64)
        self.leases: list[list[Lease]] = [[]]

    def put(self, name: str, key: int, device_class: int, leases: list[Lease], slots: Slots) -> None:
        """`leases` empty: nobody's."""
        number = self.number.get(name) or self._new(name, key)
        self.device_class[number] = device_class
        # A later binding supersedes an earlier one that was not ended; of two that begin together the last in the list counts.
        self.leases[number] = sorted(leases, key=lambda lease: lease.from_ms)
        if leases:
            newest = self.leases[number][-1]
            self.pair[number] = slots.pair(key64(newest.patient), key)
            self.since[number], self.until[number] = newest.from_ms, FOREVER if newest.until_ms is None else newest.until_ms
        else:
            self.since[number], self.until[number] = FOREVER, -FOREVER

    def _new(self, name: str, key: int) -> int:
        number = len(self.leases)
        if number == len(self.key):
            columns = ("key", "device_class", "pair", "since", "until")
            for column in columns:
                setattr(self, column, np.resize(getattr(self, column), 2 * number))
        self.number[name], self.key[number] = number, key
        self.leases.append([])
        return number

    def holder(self, number: int, at_ms: int) -> str | None:
        """The patient whose lease covers a time, None if none does."""
        for lease in reversed(self.leases[number]):
            if lease.from_ms <= at_ms and (lease.until_ms is None or at_ms < lease.until_ms):
                return lease.patient
        return None


class Tables:
    """Facts by (topic, key), in a fixed order for re-statements."""

    def __init__(self, shards: int, slots: Slots) -> None:
        self.shards, self.slots = shards, slots
        self.devices = Devices()
        self.patients: set[str] = set()
        self.facts: dict[tuple[int, str], Stated] = {}
        self.order: list[tuple[int, str]] = []
        self._names: dict[tuple[str, int], str] = {}

    def apply(self, item: Item, at: int) -> tuple[str, tuple[int, ...]] | None:
        """(key, shards that must hear of it) of a table record, None if a newer one was applied; raises Refused."""
        key = _text(item.key)
        place = TABLES.index(item.topic), key
        old = self.facts.get(place)
        if old is not None and old.partition == item.partition and old.version >= item.offset:
            return None
        before = () if old is None else old.shards
        if item.value is None:
            now = self._deleted(item.topic, key)
            if old is not None:
                del self.facts[place]
                del self.order[bisect_left(self.order, place)]
            return key, tuple(sorted({*before, *now}))
        if len(item.value) > MAX_FACT_BYTES:
            raise Refused("too_large", f"a fact has at most {MAX_FACT_BYTES} bytes")
        now = self._put(item.topic, key, item.value)
        if old is None:
            insort(self.order, place)
        self.facts[place] = Stated(item.partition, item.offset, at, item.value, now)
        return key, tuple(sorted({*before, *now}))

    def _put(self, topic: str, key: str, value: bytes) -> tuple[int, ...]:
        try:
            if topic == "patients":
                return self._put_patient(key, _patient(value))
            if topic == "devices":
                return self._put_device(key, _device(value))
            return self._put_rule(key, _rule(value))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            shape = isinstance(error, msgspec.ValidationError)
            raise Refused("bad_fact", "a field is missing, unknown or of the wrong type" if shape else "not JSON") from error

    def _put_patient(self, key: str, fact: PatientFact) -> tuple[int, ...]:
        _same(key, fact.patient)
        if fact.age_years is not None and not 0 <= fact.age_years <= 150:
            raise Refused("bad_fact", "age_years is 0 to 150")
        _check_limits(fact.limits)
        number = self.claim("patient", fact.patient)
        self.patients.add(fact.patient)
        return (shard_of(number, self.shards),)

    def _put_device(self, key: str, fact: DeviceFact) -> tuple[int, ...]:
        _same(key, fact.device)
        if key.startswith(MANUAL):
            raise Refused("bad_fact", "a device may not be called manual:")
        if not all(1 <= ms < MAX_MS for ms in (fact.interval_ms, *fact.intervals_ms.values())):
            raise Refused("bad_fact", "an interval is at least 1 ms")
        if len(fact.leases) > MAX_LEASES or not all(map(_lease_is_sound, fact.leases)):
            raise Refused("bad_fact", f"at most {MAX_LEASES} leases, each with a patient and from_ms <= until_ms")
        number = self.claim("device", key)
        patients = [self.claim("patient", lease.patient) for lease in fact.leases]
        self.devices.put(key, number, CLASSES.index(fact.device_class), list(fact.leases), self.slots)
        return tuple(sorted({shard_of(patient, self.shards) for patient in patients}))

    def _put_rule(self, key: str, fact: RuleFact) -> tuple[int, ...]:
        _same(key, fact.name)
        _check_limits(fact.limits)
        return tuple(range(self.shards))

    def _deleted(self, topic: str, key: str) -> tuple[int, ...]:
        if topic == "patients":
            self.patients.discard(key)
            return (shard_of(key64(key), self.shards),)
        if topic == "devices":
            number = self.devices.number.get(key)
            if number is not None:
                self.devices.put(key, int(self.devices.key[number]), MONITOR, [], self.slots)
            return ()
        return tuple(range(self.shards))

    def claim(self, kind: str, name: str) -> int:
        """The key of a pseudonym; a second pseudonym with the same key is refused, for their rows could not be told apart."""
        number = key64(name)
        if self._names.setdefault((kind, number), name) != name:
            raise Refused("key_collision", f"another {kind} has the same key")
        return number

    def patient_key(self, name: str) -> int:
        return self.claim("patient", name)

    def after(self, place: tuple[int, str] | None, count: int) -> Iterator[tuple[tuple[int, str], Stated]]:
        """The next `count` facts after a place, in a fixed order."""
        start = 0 if place is None else bisect_right(self.order, place)
        for found in self.order[start : start + count]:
            yield found, self.facts[found]


def _text(key: bytes | None) -> str:
    try:
        text = (key or b"").decode()
    except UnicodeDecodeError as error:
        raise Refused("bad_key", "the key is not UTF-8") from error
    if not 0 < len(text) <= MAX_NAME_CHARS:
        raise Refused("bad_key", f"the key is 1 to {MAX_NAME_CHARS} characters")
    return text


def _same(key: str, own: str) -> None:
    if key != own:
        raise Refused("bad_key", "the record's key is not the fact's own name")


def _lease_is_sound(lease: Lease) -> bool:
    until = lease.from_ms if lease.until_ms is None else lease.until_ms
    return 0 < len(lease.patient) <= MAX_NAME_CHARS and 0 <= lease.from_ms <= until < MAX_MS


def _check_limits(limits: list[Limit]) -> None:
    """A limit that is never judged would be a silent failure."""
    sides = [(limit.code, limit.side) for limit in limits]
    if len(set(sides)) < len(sides):
        raise Refused("bad_fact", "two limits for one side of one vital")
    if not all(code in BY_LOINC for code, _ in sides):
        raise Refused("bad_fact", "a limit for a code that is not taken")
