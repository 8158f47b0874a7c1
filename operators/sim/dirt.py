"""Dirt over clean drafts, seeded, with the truth of each dirty message kept: what real devices, links and people do to data.

Some devices are wrong for a while (`Trouble`: unit, clock, back-fill), single messages go wrong by chance, devices move between patients,
commands come twice or make no sense. Bad bytes are in `bad_messages.py`. A stream in, a stream out, in order of arrival.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec
import numpy as np

from operators.sim.bad_messages import bad_message, odd_command
from operators.sim.hospital import command_id
from operators.sim.items import READINGS, Draft, Said, beat, fact, message
from operators.sim.order import in_order
from schemas.facts import Command, DeviceClass, DeviceFact, Lease
from schemas.identity import key64
from schemas.readings import Message

MINUTE_MS = 60_000
SLOW_MS, FAST_MS = 61_000, 7 * MINUTE_MS
HEAD_START_MS = 30_000
"""No trouble begins before: first readings and observations are clean."""


class Dirt(NamedTuple):
    """Chances: a message (first group), a device (second), a command (third)."""

    repeat: float = 0.010
    disorder: float = 0.010
    beyond_late: float = 0.004
    zero: float = 0.002
    impossible: float = 0.001
    bad: float = 0.004
    unknown_code: float = 0.003
    test_data: float = 0.001
    suspect: float = 0.002
    beat: float = 0.010
    wrong_unit: float = 0.25
    no_clock: float = 0.05
    slow: float = 0.06
    fast: float = 0.06
    back_fill: float = 0.12
    rebind: float = 0.15
    command_again: float = 0.25
    command_odd: float = 0.35


class Trouble(NamedTuple):
    """What is wrong with a device, from when until when (arrival, ms)."""

    kind: str
    """"", unit, no_clock, slow, fast, back_fill."""
    from_ms: int = 0
    until_ms: int = 0


LATE_BY_MS: dict[DeviceClass, tuple[int, int, int]] = {
    "monitor": (45_000, 61_000, 300_000),
    "cgm": (600_000, 901_000, 1_500_000),
    "spot": (1_800_000, 14_401_000, 16_000_000),
    "charted": (1_800_000, 14_401_000, 16_000_000),
}
"""Most delay within the late limit; least and most beyond it."""
MISTAKEN_UNITS: dict[str, str] = {"Cel": "[degF]", "mm[Hg]": "kPa", "mmol/L": "mg/dL", "/min": "bpm"}
_read = msgspec.json.Decoder(Message).decode


def _said_in(unit: str, value: float) -> float:
    """A canonical value as a device says it in another unit, with that device's decimals."""
    if unit == "[degF]":
        return round(value * 1.8 + 32, 1)
    if unit == "kPa":
        return round(value / 7.50062, 1)
    return float(round(value * 18.016)) if unit == "mg/dL" else value


class _Dirty:
    """State of one pass: which devices are in trouble, what is held back, which facts stand."""

    def __init__(self, dirt: Dirt, seed: int) -> None:
        self.dirt, self.seed = dirt, seed
        self.draw = np.random.default_rng([seed, 3])
        self.troubles: dict[str, Trouble] = {}
        self.facts: dict[str, DeviceFact] = {}
        self.held: dict[str, list[Draft]] = {}
        self.swaps: list[tuple[int, str, str]] | None = None
        self.swapped = 0
        self.start_ms = 0
        self.count = 0

    def batches(self, drafts: Iterable[Draft]) -> Iterator[tuple[int, list[Draft]]]:
        """Each clean draft and what it leads to; the horizon is its arrival, since nothing leaves earlier than it came."""
        last_ms = 0
        for draft in drafts:
            self.start_ms = self.start_ms or draft.arrival_ms
            last_ms = draft.arrival_ms
            out = self._due(draft.arrival_ms)
            if draft.topic == READINGS:
                out += self._reading(draft)
            elif isinstance(draft.fact, Command):
                out += self._command(draft, draft.fact)
            else:
                if isinstance(draft.fact, DeviceFact):
                    self.facts[draft.key] = draft.fact
                out.append(draft)
            yield draft.arrival_ms, out
        # A device that never spoke again gives up what it held when the others end: what came before then has left already.
        ends = [(device, max(self.troubles[device].until_ms, last_ms)) for device in sorted(self.held)]
        yield last_ms, [draft for device, at_ms in ends for draft in self._release(device, at_ms)]

    # devices

    def _trouble(self, device: str) -> Trouble:
        """Decided at the first sight of a device, by its name and the seed alone."""
        if (found := self.troubles.get(device)) is not None:
            return found
        draw, dirt = np.random.default_rng([self.seed, key64(device)]), self.dirt
        of = self.facts[device].device_class if device in self.facts else "spot"
        from_ms = self.start_ms + HEAD_START_MS + int(draw.integers(0, 8 * MINUTE_MS))
        until_ms = from_ms + int(draw.integers(70_000, 15 * MINUTE_MS))
        at, kind = float(draw.random()), ""
        shares = (
            ("no_clock", dirt.no_clock),
            ("slow", dirt.slow),
            ("fast", dirt.fast),
            ("back_fill", dirt.back_fill),
            ("unit", dirt.wrong_unit),
        )
        for name, share in shares:
            if at < share:
                kind = name if of == "monitor" or name in ("no_clock", "unit") else ""
                break
            at -= share
        if kind == "unit":
            from_ms = self.start_ms
            if of == "monitor" and draw.random() < 0.7:  # a monitor's mistake takes its pulse away for good: rarer
                kind = ""
        self.troubles[device] = Trouble(kind, from_ms, until_ms if draw.random() < 0.6 else 2**62)
        return self.troubles[device]

    def _reading(self, draft: Draft) -> list[Draft]:
        device, at = draft.key, draft.arrival_ms
        trouble = self._trouble(device)
        if trouble.from_ms <= at < trouble.until_ms and trouble.kind:
            if trouble.kind == "back_fill" and trouble.until_ms < 2**62:
                self.held.setdefault(device, []).append(draft)
                return []
            draft = self._in_trouble(draft, trouble.kind)
        elif device in self.held:
            return [*self._release(device, at), draft]
        if at < self.start_ms + HEAD_START_MS:
            return [draft]
        return self._by_chance(draft)

    def _in_trouble(self, draft: Draft, kind: str) -> Draft:
        if kind == "back_fill":
            return draft
        _, t, said, extra = self._parse(draft)
        if kind == "unit":
            said = [
                s._replace(unit=MISTAKEN_UNITS[s.unit], value=_said_in(MISTAKEN_UNITS[s.unit], s.value))
                if s.value is not None and s.unit in MISTAKEN_UNITS and s.code != "9279-1"
                else s
                for s in said
            ]
        elif t is not None:
            t = None if kind == "no_clock" else t - SLOW_MS if kind == "slow" else t + FAST_MS
        return message(draft.arrival_ms, draft.key, t, said, **extra)

    def _release(self, device: str, at_ms: int) -> list[Draft]:
        """What a device held back, oldest first, in a burst; each says how many are still to come."""
        held = self.held.pop(device, [])
        out = []
        for n, draft in enumerate(held):
            _, t, said, extra = self._parse(draft)
            out.append(message(at_ms + 5 * n, device, t, said, **extra, buffered=len(held) - n - 1))
        return out

    @staticmethod
    def _parse(draft: Draft) -> tuple[str, int | None, list[Said], dict[str, object]]:
        """Device, t, readings and the optional fields of a clean message."""
        got = _read(draft.body or b"")
        assert got.t is None or isinstance(got.t, int)
        said = [Said(r.code, r.value, r.unit, r.absent, r.compare, r.quality) for r in got.readings]
        extra: dict[str, object] = {} if got.seq is None else {"seq": got.seq}
        return got.device, got.t, said, extra

    # single messages

    def _by_chance(self, draft: Draft) -> list[Draft]:
        """At most one accident a message."""
        at, dirt = float(self.draw.random()), self.dirt
        for name in ("repeat", "disorder", "beyond_late", "zero", "impossible", "bad", "unknown_code", "test_data", "suspect", "beat"):
            share = getattr(dirt, name)
            if at < share:
                return self._accident(draft, name)
            at -= share
        return [draft]

    def _accident(self, draft: Draft, name: str) -> list[Draft]:
        draw, arrival = self.draw, draft.arrival_ms
        of = self.facts[draft.key].device_class if draft.key in self.facts else "spot"
        within, least, most = LATE_BY_MS[of]
        if name == "repeat":
            return [draft, draft._replace(arrival_ms=arrival + int(draw.choice([0, 10, 700, 7_000, 70_000])))]
        if name == "disorder":
            return [draft._replace(arrival_ms=arrival + int(draw.integers(2_000, within)))]
        if name == "beyond_late":
            return [draft._replace(arrival_ms=arrival + int(draw.integers(least, most)))]
        if name == "bad":
            self.count += 1
            bad = bad_message(self.count, draft)
            return [bad] if draw.random() < 0.5 else [draft, bad]
        device, t, said, extra = self._parse(draft)
        if name == "beat":
            return [beat(arrival, device, t)]
        pick = int(draw.integers(len(said)))
        if name == "unknown_code":
            said.insert(pick, Said("99999-9", 1.0, "1"))
        elif name == "zero":
            said[pick] = said[pick]._replace(value=0.0, unit=said[pick].unit or "1", absent=None, compare=None)
        elif name == "impossible":
            said[pick] = said[pick]._replace(value=11_647.0, unit=said[pick].unit or "1", absent=None, compare=None)
        else:
            said[pick] = said[pick]._replace(quality="test" if name == "test_data" else "suspect")
        return [message(arrival, device, t, said, **extra)]

    # devices that move

    def _due(self, at_ms: int) -> list[Draft]:
        """Facts of swaps that are due. The pairs are drawn when the first facts have been told."""
        if self.swaps is None:
            if at_ms < self.start_ms + HEAD_START_MS:
                return []
            self.swaps = self._pairs()
        out: list[Draft] = []
        while self.swaps and self.swaps[0][0] <= at_ms:
            _, one, other = self.swaps.pop(0)
            out += self._swap(at_ms, one, other)
        return out

    def _pairs(self) -> list[tuple[int, str, str]]:
        names = sorted(name for name, fact_ in self.facts.items() if fact_.device_class == "monitor")
        self.draw.shuffle(names)
        pairs = round(len(names) * self.dirt.rebind / 2 + 0.49)
        at = self.start_ms + HEAD_START_MS
        return sorted(
            (at + int(self.draw.integers(MINUTE_MS, 20 * MINUTE_MS)), names[2 * k], names[2 * k + 1])
            for k in range(min(pairs, len(names) // 2))
        )

    def _swap(self, at_ms: int, one: str, other: str) -> list[Draft]:
        """Two devices change patients; every other swap is told 90 s late. Their old leases end, as the hospital writes it."""
        a, b = self.facts[one].leases, self.facts[other].leases
        if not a or not b or a[-1].until_ms is not None or b[-1].until_ms is not None:
            return []
        self.swapped += 1
        since_ms = at_ms - (90_000 if self.swapped % 2 else 0)
        out = []
        for name, mine, theirs in ((one, a, b), (other, b, a)):
            leases = [
                *mine[:-1],
                Lease(mine[-1].patient, mine[-1].from_ms, since_ms, "nurse-2"),
                Lease(theirs[-1].patient, since_ms, None, "nurse-2"),
            ]
            self.facts[name] = msgspec.structs.replace(
                self.facts[name], leases=leases, revision=f"{self.facts[name].revision}-swap{self.swapped}"
            )
            out.append(fact(at_ms, self.facts[name]))
        return out

    # commands

    def _command(self, draft: Draft, command: Command) -> list[Draft]:
        out, draw, at = [draft], self.draw, draft.arrival_ms
        if draw.random() < self.dirt.command_again:
            later = at + int(draw.integers(1, 40_000))
            out.append(
                draft._replace(arrival_ms=later)
                if draw.random() < 0.6
                else fact(later, msgspec.structs.replace(command, kind="acknowledge"))
            )
        if draw.random() < self.dirt.command_odd:
            self.count += 1
            identity = command_id("odd", self.seed, self.start_ms, self.count)
            out.append(odd_command(self.count, at + int(draw.integers(1, 60_000)), identity, command))
        return out


def dirty(drafts: Iterable[Draft], dirt: Dirt, seed: int, end_ms: int | None = None) -> Iterator[Draft]:
    """The drafts (in order of arrival) with dirt on them, in order of arrival; what would arrive at `end_ms` or later is left out."""
    return (draft for draft in in_order(_Dirty(dirt, seed).batches(drafts)) if end_ms is None or draft.arrival_ms < end_ms)
