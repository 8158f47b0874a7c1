"""Timelines of one shard, made entry by entry from choices: by a seeded generator in bulk, or by Hypothesis, which then shrinks them.

Times lie on a coarse grid, so that deadlines collide with rows and with each other. What ingest guarantees is kept: a row's `received` is
above the time that was stated, the rows of a message share a record, offsets grow, repeats are dropped and late rows are flagged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

import msgspec

from operators.clinical import tables as tab
from schemas import codes as c
from schemas.columns import source_partition
from schemas.facts import Command, DeviceFact, Lease, Limit, LimitLevel, PatientFact, RuleFact, manual_device
from schemas.identity import key64, shard_of
from schemas.timeline import Begin, Bye, End, Fact, Hello, Time
from tests.oracle import Fold, holder
from tests.support.entries import Entry, Row
from tests.support.monitored import SHARD

Pick = Callable[[int], int]
"""A number from 0 up to but not with n."""
Values = dict[int, tuple[float | None, int]]
"""code -> (value, flags)."""
T = TypeVar("T")

START_MS = 1_700_000_040_000  # a whole minute
HERE = [name for n in range(60) if shard_of(key64(name := f"person-{n}")) == SHARD][:3]
ELSEWHERE = next(name for n in range(60) if shard_of(key64(name := f"person-{n}")) != SHARD)
DEVICES = {"mon-1": ("monitor", 2000), "mon-2": ("monitor", 1000), "cgm-1": ("cgm", 3000), "spot-1": ("spot", 0)}
VALUES: dict[int, list[float]] = {
    59408: [98, 92, 91.5, 89, 88, 79, 93],
    8867: [70, 126, 131, 140, 40, 45, 90.5],
    9279: [16, 25, 23, 8, 20.5],
    8480: [120, 95, 90, 85, 220],
    8310: [37, 34.9, 35.05, 35.2, 39.1],
    99504: [5, 4.2, 3.5, 2.8],
    67775: [0, 0, 3],
    107117: [0, 1],
    3150: [21, 28],
    3151: [0, 2],
}
STEPS_MS = [0, 0, 0, 1, 500, 1000, 1000, 2000, 2000, 5000, 5000, 10_000, 15_000, 30_000]
LEAPS_MS = [60_000, 70_000, 290_000, 300_000, 3_600_000, tab.LATCH_MS, 22_000_000]


def _limit(code: str, side: str, medium: tuple[float, float] | None, clear: float, hold_s: float, high: Any = None) -> Limit:
    sign = "<" if side == "low" else ">="
    levels = [None if level is None else LimitLevel(sign, *level) for level in (medium, high)]  # type: ignore[arg-type]
    return Limit(code, side, levels[0], clear, hold_s, levels[1])  # type: ignore[arg-type]


LIMITS: list[Limit] = [
    _limit("59408-5", "low", (92, 5), 93, 5, (89, 5)),
    _limit("59408-5", "low", (90, 0), 92, 2, (80, 5)),
    _limit("59408-5", "low", (92, 10), 92, 0, (89, 2)),
    _limit("59408-5", "low", None, 0, 0),
    _limit("8867-4", "high", (90, 2), 80, 2, (131, 2)),
    _limit("8867-4", "low", (80, 1), 85, 1),
    _limit("8480-6", "low", (91, 0), 0, 0, (86, 0)),
    _limit("8310-5", "high", (39, 0.5), 38, 0.5),
    _limit("9279-1", "high", None, 0, 0),
    _limit("99504-3", "low", (4, 5), 4.2, 0, (3, 0)),
]


class Maker:
    """Makes entries from choices; `now` is the clock of the log, `stated` the last T, `fold` knows which alerts exist."""

    def __init__(self, pick: Pick) -> None:
        self.pick = pick
        self.entries: list[Entry] = []
        self.fold = Fold(SHARD)
        self.now, self.stated = START_MS, 0
        self.instance, self.statement = 1, 0
        self.versions: dict[tuple[str, str], int] = {}
        self.facts: dict[tuple[str, str], Fact] = {}
        self.offsets: dict[int, int] = {}
        self.revision = 0
        self.newest: dict[tuple[str, str, int], tuple[int, float | None]] = {}
        self.stream = self.one_in(2)  # facts carry their arrival, or the writer's last T

    def choose(self, options: Sequence[T]) -> T:
        return options[self.pick(len(options))]

    def one_in(self, n: int) -> bool:
        return self.pick(n) == n - 1  # shrinks to False

    def add(self, *entries: Entry) -> None:
        for entry in entries:
            self.entries.append(entry)
            self.fold.take(entry)

    def timeline(self, steps: int) -> list[Entry]:
        """Opening, then `steps` steps."""
        self.add(Hello("ingest", "1"))
        if not self.stream or self.one_in(2):
            self.state(START_MS - 1)
        cold = 1 + self.pick(8) if self.one_in(5) else 0  # the fold starts before any statement
        for _ in range(cold):
            self.step()
        self.add(Begin("b0"))
        for fact in list(self.facts.values()):
            self.add(msgspec.structs.replace(fact, stamp=self.stated + 1))
        for name in HERE[: 1 + self.pick(len(HERE))]:
            self.patient(name)
        for device in list(DEVICES)[: 1 + self.pick(len(DEVICES))]:
            self.device(device, plain=True)
        self.add(End("b0", len(self.facts)))
        for _ in range(steps):
            self.step()
        self.state(self.now + self.choose([0, 1000, 15_000, 300_000, tab.LATCH_MS]))
        self.add(Bye("ingest", str(self.instance)))
        return self.entries

    def step(self) -> None:
        self.now += self.choose(LEAPS_MS) if self.one_in(40) else self.choose(STEPS_MS)
        if not self.stream and self.now - self.stated > 1500:
            self.state(self.now - 200)  # live: twice a second, whatever comes
        which = self.pick(64)
        if which < 44:
            self.message(self.choose(list(DEVICES)))
        elif which < 51:
            self.state(self.now - self.choose([0, 0, 1, 200, 1000]))
        elif which < 56:
            self.command()
        elif which < 58:
            self.device(self.choose(list(DEVICES)))
        elif which < 60:
            self.patient(self.choose(HERE))
        elif which < 61:
            self.site()
        elif which < 62:
            self.observe()
        elif which < 63:
            self.choose([self.settle, self.drift])()
        elif self.one_in(2):
            self.restate()
        else:
            self.instance += 1
            self.add(Hello("ingest", str(self.instance)))

    def state(self, t: int) -> None:
        self.stated = max(self.stated, t)
        self.now = max(self.now, self.stated)
        self.add(Time("ingest", str(self.instance), t))

    def received(self) -> int:
        """Append time of a record that comes now: above the stated T; rows of other partitions may come a little out of order."""
        lag = self.choose([0, 0, 0, 1000]) if not self.stream else 0
        self.now = max(self.now, self.stated + 1)
        return max(self.now - lag, self.stated + 1)

    # --- rows ---------------------------------------------------------------------------------------------------------------
    def message(self, device: str) -> None:
        received = self.received()
        fact = self.fold.devices.get(device)
        device_class = fact.device_class if fact else DEVICES[device][0]
        t = received - self.choose([0, 0, 0, 0, 0, 1, 1000, -1000, 5000, 61_000, 14_400_001])
        patient = holder(fact, t)
        if not fact and self.fold.cold:
            patient = self.choose(HERE)
        if patient not in HERE:
            return  # a dead letter, or another shard's
        n = 1 + self.pick(3)
        codes = [0] if self.one_in(8) else sorted({self.choose(list(VALUES)) for _ in range(n)})
        self.rows(patient, device, device_class, t, received, {code: self.value(code) for code in codes}, 0, self.partition(device))

    def partition(self, device: str) -> int:
        return source_partition("device-readings", list(DEVICES).index(device) % 3)

    def value(self, code: int) -> tuple[float | None, int]:
        if code == 0:
            return None, c.BEAT | c.NO_VALUE
        if self.one_in(10):
            return None, c.NO_VALUE | self.pick(len(c.ABSENT)) << c.ABSENT_SHIFT
        return self.choose(VALUES[code]), self.choose([c.BELOW, c.ABOVE, c.SUSPECT, c.CONVERTED]) if self.one_in(12) else 0

    def rows(
        self, patient: str, device: str, kind: str, t: int, received: int, values: Values, flags: int, part: int, step: int = 0
    ) -> None:
        """Appends a message's rows as ingest would: exact repeats dropped, late ones flagged."""
        offset = self.offsets[part] = self.offsets.get(part, -1) + (step or 1 + self.pick(2))
        out = []
        for place, (code, (value, marks)) in enumerate(values.items()):
            newest = self.newest.get((patient, device, code))
            if newest == (t, value):
                continue
            if (newest and t <= newest[0]) or received - t > tab.LATE_LIMIT_MS[kind]:
                marks |= c.LATE | (c.REPLAYED if self.one_in(8) else 0)
            else:
                self.newest[patient, device, code] = (t, value)
            out.append(Row(patient, device, code, t, received, value, flags | marks, part, offset, place))
        if out:
            self.add(out)

    # --- facts and commands -------------------------------------------------------------------------------------------------
    def stamp(self) -> int:
        self.now = max(self.now, self.stated + 1)
        return self.now if self.stream else self.stated + 1

    def fact(self, topic: str, key: str, value: msgspec.Struct | None) -> None:
        version = self.versions[topic, key] = self.versions.get((topic, key), -1) + 1 + self.pick(2)
        stamp = self.stamp()
        body = None if value is None else msgspec.json.encode(value)
        fact = self.facts[topic, key] = Fact(topic, key, 0, version, self.now, stamp, body)
        if self.stream:
            self.stated = max(self.stated, stamp - 1)  # the merge is past everything before it
        self.add(fact)

    def name(self) -> str:
        self.revision += 1
        return f"r{self.revision}"

    def patient(self, name: str) -> None:
        if self.one_in(12):
            self.fact("patients", name, None)
            return
        fact = PatientFact(
            name,
            self.name(),
            self.choose(["one", "one", "one", "two"]),
            "discharged" if self.one_in(6) else "admitted",
            age_years=self.choose([70, 70, 70, 16, 15, None]),
            pregnant=self.one_in(10),
            spo2_scale_2=self.one_in(3),
            limits=self.limits(),
        )
        self.fact("patients", name, fact)

    def limits(self) -> list[Limit]:
        return [self.choose(LIMITS) for _ in range(self.choose([0, 0, 1, 2, 4]))]

    def site(self) -> None:
        if self.one_in(4):
            self.fact("rules", "limits", None)
        else:
            self.fact("rules", self.choose(["limits", "limits", "rota"]), RuleFact("limits", self.name(), 1, self.limits()))

    def device(self, device: str, plain: bool = False) -> None:
        """New leases: one after the other, some in the past, some in the future; or the class or the interval changes."""
        old = self.fold.devices.get(device)
        kind, interval = DEVICES[device]
        leases = list(old.leases) if old else []
        if plain or not leases:
            leases = [Lease(self.choose(HERE), START_MS - 60_000)]
        elif self.one_in(12):
            self.fact("devices", device, None)
            return
        elif self.one_in(5):
            kind, interval = self.choose(["monitor", "spot", "charted", "cgm"]), self.choose([1000, 4000, 0])
        else:
            at = self.now + self.choose([0, 0, 1, 5000, 10_000, -1000, -30_000, -61_000])
            last = leases[-1]
            leases[-1] = Lease(
                last.patient, last.from_ms, max(at, last.from_ms + 1) if last.until_ms is None or self.one_in(2) else last.until_ms
            )
            if not self.one_in(4):
                start = at + self.choose([0, 0, 0, 2000])
                leases.append(Lease(self.choose([*HERE, *HERE, ELSEWHERE]), start, start + 20_000 if self.one_in(4) else None))
        self.fact("devices", device, DeviceFact(device, self.name(), kind, interval, leases[-4:]))  # type: ignore[arg-type]

    def command(self) -> None:
        """Mostly about an alert that is there, by one of two people."""
        there = [(a, p.name) for p in self.fold.patients.values() for a in p.alerts.values()]
        alert, patient, by = None if self.one_in(4) else "f" * 32, self.choose(HERE), self.choose(["siti", "ravi"])
        kind = self.choose(["acknowledge"] * 6 + ["unacknowledge"] * 3 + ["snooze"])
        if there and not self.one_in(10):
            chosen, owner = self.choose(there)
            alert, patient = chosen.id, patient if self.one_in(8) else owner
            if chosen.owner:
                kind = self.choose([kind, "unacknowledge"])
        self.say(Command(self.command_id(), kind, patient, by, alert=alert), "bad_shape" if self.one_in(15) else None)

    def command_id(self) -> str:
        if not self.one_in(10):
            self.revision += 1
        return f"00000000-0000-4000-8000-{self.revision:012d}"

    def say(self, command: Command, refused: str | None = None) -> int:
        part = source_partition("alert-commands", 0)
        offset = self.offsets[part] = self.offsets.get(part, -1) + 1
        stamp = self.stamp()
        if self.stream:
            self.stated = max(self.stated, stamp - 1)
        self.add(Fact("alert-commands", command.patient, part, offset, self.now, stamp, msgspec.json.encode(command), refused))
        return stamp

    def observe(self, values: Values | None = None, patient: str = "") -> None:
        patient, by = patient or self.choose(HERE), self.choose(["siti", "ravi"])
        known = self.fold.patients.get(patient)
        unknown = known is None or known.fact is None
        self.revision += 1
        word = f"00000000-0000-4000-8000-{self.revision:012d}"
        self.say(Command(word, "observe", patient, by), "unknown_patient" if unknown else None)
        if unknown:
            return
        received = self.received()
        part = source_partition("alert-commands", 0)
        self.offsets[part] -= 1  # its rows carry the command's own position
        values = values or {code: (self.choose(VALUES[code]), 0) for code in sorted({self.choose(list(VALUES)) for _ in range(3)})}
        self.rows(patient, manual_device(by), "spot", received, received, values, c.OBSERVED, part, step=1)

    def settle(self) -> None:
        """A patient gets well: everything is measured and normal, and stays so for five minutes."""
        devices = [(device, patient) for device in DEVICES if (patient := holder(self.fold.devices.get(device), self.now)) in HERE]
        if not devices:
            return
        patient = self.choose(devices)[1]
        self.observe({67775: (0, 0), 107117: (0, 0), 9279: (16, 0), 8480: (120, 0), 8310: (37, 0), 8867: (70, 0), 59408: (98, 0)}, patient)
        for _ in range(3):
            self.now += self.choose([100_000, 150_000, 60_000])
            for device in [device for device, owner in devices if owner == patient]:
                received = self.received()
                fine: Values = {8867: (70, 0), 59408: (98, 0), 9279: (16, 0)}
                self.rows(patient, device, DEVICES[device][0], received, received, fine, 0, self.partition(device))

    def drift(self) -> None:
        """A device's clock is 61 s behind, for more than a minute."""
        device = self.choose(list(DEVICES))
        for _ in range(5):
            self.now += self.choose([20_000, 30_000])
            received = self.received()
            patient = holder(self.fold.devices.get(device), received - 61_000)
            if patient in HERE:
                values: Values = {8867: self.value(8867)}
                self.rows(patient, device, "monitor", received - 61_000, received, values, 0, self.partition(device))

    def restate(self) -> None:
        self.statement += 1
        self.add(Begin(f"s{self.statement}"))
        for fact in self.facts.values():
            self.add(msgspec.structs.replace(fact, stamp=self.stated + 1))
        self.add(End(f"s{self.statement}", len(self.facts)))


def seeded(seed: int, steps: int = 120) -> list[Entry]:
    """A timeline that is a function of its seed."""
    random = Random(seed)
    return Maker(random.randrange).timeline(steps)
