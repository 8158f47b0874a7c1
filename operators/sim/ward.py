"""A ward as records: facts first, then what devices and nurses send, in order of arrival. One seed, one ward, byte for byte.

`ward_drafts` is endless when `minutes` is None (a live ward) and steps no further than it is asked, so a live caller may pace it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from operators.sim.devices import MONITOR_INTERVAL_S, Monitors, Troubles, devices_of, monitor_message, other_message
from operators.sim.hospital import SENDS_ON_S, facts_of
from operators.sim.items import Draft
from operators.sim.order import Ticks, in_order
from operators.sim.physiology import Array, Body
from operators.sim.stories import Plan

Mask = NDArray[np.bool_]
LINK_GRID_MS = 50
"""Arrivals fall on this grid: a log stamps many records alike, so instants of several devices occur."""


class Ward:
    """The moving parts of a run. `batches` yields (horizon, drafts) a step."""

    def __init__(self, plan: Plan, seed: int, ticks: Ticks, minutes: float | None, start_h: float) -> None:
        self.plan, self.ticks, self.seed = plan, ticks, seed
        self.length_s = math.inf if minutes is None else minutes * 60
        self.draw = np.random.default_rng([seed, 2])
        self.body = Body(plan.people, seed, MONITOR_INTERVAL_S, start_h, plan.spread)
        self.troubles = Troubles(len(plan.people), plan.faults, plan.quiet, self.draw)
        self.devices = [
            device
            for i, person in enumerate(plan.people)
            for device in devices_of(f"{person.ward}-{person.bed}", i, person.diabetes, plan.cgm_interval_s, self.draw)
        ]
        self.seq = dict.fromkeys((d.name for d in self.devices), 0)
        self.phase_s = self.draw.uniform(0.3, MONITOR_INTERVAL_S, len(plan.people))
        self.others = [(d, float(self.draw.uniform(1.5, 11.5))) for d in self.devices if d.kind != "monitor"]
        self.monitors = [d for d in self.devices if d.kind == "monitor"]
        self.first = {d.name for d, _ in self.others}
        self.latency = self.draw.exponential(60, len(plan.people)) + 15

    def batches(self) -> Iterator[tuple[int, list[Draft]]]:
        """Each step of 5 s; the facts come with the step in which they fall."""
        begins_s = self.draw.uniform(4, 18, len(self.plan.people)).tolist()
        facts, told = facts_of(self.plan, self.devices, self.ticks, self.length_s, self.seed, begins_s), 0
        state = self.body.step()
        shown = Monitors(state, MONITOR_INTERVAL_S, self.draw)
        at_s = 0.0
        while at_s < self.length_s:
            next_s = at_s + MONITOR_INTERVAL_S
            drafts: list[Draft] = []
            while told < len(facts) and facts[told].arrival_ms < self.ticks.ms(next_s):
                drafts.append(facts[told])
                told += 1
            ails = self.troubles.step(at_s, MONITOR_INTERVAL_S)
            silent = ails["silent"] | self._away(at_s)
            values = shown.read(state, ails["motion"]).tolist()
            self._monitors(drafts, at_s, values, silent, ails)
            self._others(drafts, at_s, state, silent)
            yield self.ticks.ms(next_s), drafts
            at_s, state = next_s, self.body.step()

    def _away(self, at_s: float) -> Mask:
        return np.array([p.leaves_s + SENDS_ON_S <= at_s < p.returns_s for p in self.plan.people], bool)

    def _arrival(self, at_s: float, person: int) -> int:
        arrival = self.ticks.ms(at_s) + int(self.draw.exponential(self.latency[person])) + 1
        return -(-arrival // LINK_GRID_MS) * LINK_GRID_MS

    def _monitors(self, drafts: list[Draft], at_s: float, values: list[list[float]], silent: Mask, ails: dict[str, Mask]) -> None:
        ms, seq = self.ticks.ms, self.seq
        leads_off, probe_off = ails["leads_off"].tolist(), ails["probe_off"].tolist()
        lag = self.draw.exponential(1.0, len(self.monitors))
        for device in self.monitors:
            i = device.person
            if silent[i]:
                continue
            t = ms(at_s + self.phase_s[i])
            arrival = -(-(t + int(lag[i] * self.latency[i]) + 1) // LINK_GRID_MS) * LINK_GRID_MS
            seq[device.name] += 1
            drafts.append(
                monitor_message(arrival, device.name, t + device.skew_ms, seq[device.name], values[i], leads_off[i], probe_off[i])
            )

    def _others(self, drafts: list[Draft], at_s: float, state: Array, silent: Mask) -> None:
        """Cuffs, thermometers, CGMs that are due; after its first reading a device falls into a rhythm of its own."""
        for k, (device, due_s) in enumerate(self.others):
            if due_s >= at_s + MONITOR_INTERVAL_S:
                continue
            wait_s = float(device.interval_s)
            if device.kind != "cgm" and device.name in self.first:
                self.first.discard(device.name)
                wait_s *= float(self.draw.uniform(0.3, 1))
            self.others[k] = (device, due_s + wait_s)
            if silent[device.person]:
                continue
            self.seq[device.name] += 1
            t = self.ticks.ms(due_s) + device.skew_ms
            arrival = self._arrival(due_s, device.person)
            drafts.append(other_message(arrival, device, t, self.seq[device.name], state[device.person], self.draw))


def ward_drafts(
    plan: Plan, seed: int, start_ms: int, minutes: float | None = None, speed: float = 1.0, start_h: float = 9.0
) -> Iterator[Draft]:
    """Drafts of a run in order of arrival; `start_h` = local hour at the start (day rhythm, meals)."""
    ward = Ward(plan, seed, Ticks(start_ms, speed), minutes, start_h)
    end_ms = math.inf if minutes is None else ward.ticks.ms(minutes * 60)
    return (draft for draft in in_order(ward.batches()) if draft.arrival_ms < end_ms)
