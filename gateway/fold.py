"""The gateway's fold of `live`, `alerts` and `trends`: what every ward looks like now, and what changed since it was last asked.

Pure: records in, `Update` out; no clock, no I/O. `semantics.md` 8 and 9:
- a shard counts from its first whole key-frame; after it, frames of a shard time that is not earlier;
- alert events count by their number within the alert, so a repeat after a restart of `monitor` says nothing;
- an alert held open that the newest key-frame does not list is ended, `fold lost`, once `alerts` has been read beyond that key-frame:
  `live` and `alerts` are two topics, and the event that closed it may come a moment later;
- a `monitor` that starts cold tells history again. Its events are older than the shard time that had long been stated when they
  were appended: they are not news and go to nobody.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import msgspec

from gateway import wire
from gateway.patients import Patient, copy, merge
from gateway.ring import Held, Ring
from gateway.shard import REMEMBER_MS, ROUNDS, Open, Shard, lost_event
from gateway.trends import Trends
from schemas.events import AlertEvent, AlertState, LiveFrame, PatientFrame, TrendFrame

MAX_ORPHANS = 1000
"""Events kept back for patients whose ward is not known yet."""


@dataclass
class Update:
    """What to tell since the last `take`."""

    events: list[tuple[str, bytes]] = field(default_factory=list)
    """(patient, encoded `ev`), in order within each shard."""
    frames: dict[str, PatientFrame] = field(default_factory=dict)
    """Patient -> what changed of it, merged."""
    left: list[tuple[str, str]] = field(default_factory=list)
    """(patient, ward that it is no longer in)."""
    trends: dict[int, list[tuple[str, str, float]]] = field(default_factory=dict)
    """minute -> [(patient, LOINC, median)]."""
    rekey: set[str] = field(default_factory=set)
    """Wards whose viewers need a whole key again."""


class Fold:
    """State of all shards. `starts`: offset of each partition of `alerts` that reading begins with."""

    def __init__(self, starts: list[int], ring_events: int = 2000, ring_bytes: int = 4 << 20) -> None:
        self.shards = [Shard(Ring(start, ring_events, ring_bytes)) for start in starts]
        self.patients: dict[str, Patient] = {}
        self.wards: dict[str, set[str]] = {}
        self.trends = Trends()
        self.repeats = 0
        self.history = 0
        self._alerts: dict[str, dict[str, AlertState]] = {}
        self._departed: dict[str, tuple[int, str]] = {}
        self.orphans: deque[tuple[str, bytes]] = deque(maxlen=MAX_ORPHANS)
        self._update = Update()
        self._round = 0

    # -- what others ask ------------------------------------------------------------------------------------------------

    def take(self) -> Update:
        """What is new; the next call starts from here."""
        update, self._update = self._update, Update()
        return update

    def keyed(self) -> bool:
        """Every shard has had a whole key-frame."""
        return all(s.keyed for s in self.shards)

    def times(self) -> dict[int, int]:
        """Shard time (ms) of each shard that has one."""
        return {n: s.time_ms for n, s in enumerate(self.shards) if s.keyed}

    def offsets(self) -> list[int]:
        """Position: next offset of `alerts` a shard."""
        return [s.ring.next for s in self.shards]

    def ward_of(self, patient: str) -> str | None:
        """Where a patient is, or was within the last minutes; None for one that nobody knows."""
        known = self.patients.get(patient)
        if known is not None:
            return known.ward
        gone = self._departed.get(patient)
        return None if gone is None else gone[1]

    def alert(self, patient: str, alert: str) -> AlertState | None:
        """An open alert of a patient."""
        return self._alerts.get(patient, {}).get(alert)

    def missed(self, offsets: list[int]) -> list[Held] | None:
        """All events at or after a position, in order within each shard; None when not all of them are held."""
        if len(offsets) != len(self.shards):
            return None
        found: list[Held] = []
        for shard, offset in zip(self.shards, offsets, strict=True):
            part = shard.ring.since(offset)
            if part is None:
                return None
            found += part
        return found

    # -- alerts ---------------------------------------------------------------------------------------------------------

    def apply_alert(self, number: int, offset: int, append_ms: int, event: AlertEvent, value: bytes) -> None:
        """One record of `alerts`; `value` is its JSON as it lies on the log."""
        shard = self.shards[number]
        if not shard.ring.advance(offset):
            return
        if shard.is_repeat(event):
            self.repeats += 1
            return
        if shard.is_history(event, append_ms):
            self.history += 1
            return
        shard.tell(event, append_ms)
        if event.state is not None:
            self._fold_state(shard, event.state, event.at_ms)
        held = Held(offset, event.patient, event.state is not None, wire.event(number, offset, value))
        shard.ring.append(held)
        self._say(event.patient, held.frame)

    def _fold_state(self, shard: Shard, state: AlertState, at_ms: int, unseen: int | None = None) -> None:
        known = shard.open.get(state.alert)
        if known is not None and known.state.seq > state.seq:
            known.unseen = None
            return
        if state.status == "closed":
            self._drop(shard, state.alert)
            return
        shard.open[state.alert] = Open(state, at_ms, unseen=unseen)
        self._alerts.setdefault(state.patient, {})[state.alert] = state
        self._touch(state.patient)

    def _drop(self, shard: Shard, alert: str) -> None:
        held = shard.open.pop(alert, None)
        if held is None:
            return
        patient = held.state.patient
        alerts = self._alerts.get(patient)
        if alerts is not None:
            alerts.pop(alert, None)
            if not alerts and patient not in self.patients:
                del self._alerts[patient]
        self._touch(patient)

    def _touch(self, patient: str) -> None:
        known = self.patients.get(patient)
        if known is not None:
            known.touch()

    def _say(self, patient: str, frame: bytes) -> None:
        """An event to the viewers of a patient; kept back until `live` has told in which ward the patient is."""
        if self.ward_of(patient) is not None:
            self._update.events.append((patient, frame))
        else:
            self.orphans.append((patient, frame))

    def skip_alert(self, number: int, offset: int) -> None:
        """A record of `alerts` that cannot be read: passed by, so that the position goes on."""
        self.shards[number].ring.advance(offset)

    # -- live -----------------------------------------------------------------------------------------------------------

    def apply_live(self, append_ms: int, frame: LiveFrame) -> None:
        """One record of `live`: a delta, or a part of a key-frame."""
        shard = self.shards[frame.shard]
        if frame.t_ms < shard.time_ms:
            return
        if frame.key:
            self._apply_part(shard, append_ms, frame)
            return
        if shard.parts:
            shard.after.append(frame)
        if shard.keyed:
            shard.state_time(append_ms, frame.t_ms)
            self._apply_delta(frame, append_ms)

    def _apply_part(self, shard: Shard, append_ms: int, frame: LiveFrame) -> None:
        first = next(iter(shard.parts.values()), None)
        if first is None or (first.t_ms, first.parts) != (frame.t_ms, frame.parts):
            shard.parts.clear()
            shard.after.clear()
        shard.parts[frame.part] = frame
        if len(shard.parts) < frame.parts:
            return
        parts, after = [shard.parts[n] for n in sorted(shard.parts)], shard.after
        shard.parts, shard.after = {}, []
        self._install(shard, append_ms, frame.t_ms, frame.shard, [p for part in parts for p in part.patients])
        for delta in after:
            if delta.t_ms >= shard.time_ms:
                shard.state_time(append_ms, delta.t_ms)
                self._apply_delta(delta, append_ms)

    def _apply_delta(self, frame: LiveFrame, append_ms: int) -> None:
        for delta in frame.patients:
            if not delta.admitted:
                self._remove(delta.patient, append_ms, delta.ward)
                continue
            known = self.patients.get(delta.patient)
            if known is None:
                self._add(frame.shard, copy(delta))
                continue
            before = known.ward
            merge(known.frame, delta)
            known.touch()
            self._moved(delta.patient, before, known.ward)
            self._changed(delta.patient, delta)

    def _install(self, shard: Shard, append_ms: int, time_ms: int, number: int, frames: list[PatientFrame]) -> None:
        """A whole key-frame: patients, wards and open alerts of the shard are what it says."""
        first, shard.keyed = not shard.keyed, True
        shard.state_time(append_ms, time_ms)
        listed = {f.patient: f for f in frames if f.admitted}
        for gone in (f for f in frames if not f.admitted):
            self._remove(gone.patient, append_ms, gone.ward)
        for patient in [p for p, k in self.patients.items() if k.shard == number and p not in listed]:
            self._remove(patient, append_ms)
        alerts = [state for f in listed.values() for state in f.alerts]
        for patient, frame in listed.items():
            fresh = copy(frame)
            known = self.patients.get(patient)
            if known is None:
                self._add(number, fresh)
            elif known.frame != fresh:
                before, known.frame = known.ward, fresh
                known.touch()
                self._moved(patient, before, fresh.ward)
                self._changed(patient, fresh)
        self._compare_alerts(shard, time_ms, alerts, first)
        if first:
            self._update.rekey.update(f.ward for f in listed.values())
        for patient in [p for p, (since, _) in self._departed.items() if since < append_ms - REMEMBER_MS]:
            del self._departed[patient]

    def _compare_alerts(self, shard: Shard, time_ms: int, alerts: list[AlertState], first: bool) -> None:
        listed = {a.alert for a in alerts}
        for state in alerts:
            known = shard.open.get(state.alert)
            if known is None and shard.told.get(state.alert, 0) >= state.seq:
                continue  # its closing event came before this key-frame
            if known is None or known.state.seq < state.seq:
                self._fold_state(shard, state, time_ms, None if first else self._round)
            else:
                known.missing = None
        for alert, held in shard.open.items():
            if alert not in listed and held.at_ms <= time_ms and held.missing is None:
                held.missing = self._round

    def settle(self, rounds: int) -> None:
        """`alerts` has been read through `rounds` rounds: what a key-frame said that no event confirmed by now is told."""
        if rounds == self._round:
            return
        self._round = rounds
        for number, shard in enumerate(self.shards):
            for held in list(shard.open.values()):
                if held.missing is not None and rounds >= held.missing + ROUNDS:
                    self._lose(shard, number, held)
                elif held.unseen is not None and rounds >= held.unseen + ROUNDS:
                    held.unseen = None
                    self._update.rekey.add(self.ward_of(held.state.patient) or "")

    def _lose(self, shard: Shard, number: int, held: Open) -> None:
        """Ends an alert that the fold behind it has forgotten, and says so."""
        state = msgspec.structs.replace(held.state, status="closed", seq=held.state.seq + 1)
        said = lost_event(state, shard.time_ms)
        self._drop(shard, state.alert)
        # Not on the log: it carries the offset before the position, so that it moves no client's position.
        self._say(state.patient, wire.event(number, shard.ring.next - 1, wire.to_json(said)))

    # -- patients -------------------------------------------------------------------------------------------------------

    def _add(self, number: int, frame: PatientFrame) -> None:
        patient = frame.patient
        self._departed.pop(patient, None)
        self.patients[patient] = Patient(number, frame, self._alerts.setdefault(patient, {}))
        self.wards.setdefault(frame.ward, set()).add(patient)
        self._changed(patient, frame)
        if self._alerts[patient]:
            self._update.rekey.add(frame.ward)
        if any(patient == p for p, _ in self.orphans):
            self._update.events += [(p, event) for p, event in self.orphans if p == patient]
            self.orphans = deque(((p, event) for p, event in self.orphans if p != patient), MAX_ORPHANS)

    def _remove(self, patient: str, append_ms: int, ward: str = "") -> None:
        known = self.patients.pop(patient, None)
        if known is None:
            if ward:
                self._departed[patient] = (append_ms, ward)
            return
        self._departed[patient] = (append_ms, known.ward)
        if not self._alerts.get(patient):
            self._alerts.pop(patient, None)
        self._leave(patient, known.ward)
        self._update.frames.pop(patient, None)

    def _leave(self, patient: str, ward: str) -> None:
        there = self.wards.get(ward, set())
        there.discard(patient)
        if not there:
            self.wards.pop(ward, None)
        self._update.left.append((patient, ward))

    def _moved(self, patient: str, before: str, ward: str) -> None:
        """The new ward knows nothing of this patient: a whole frame, and where that is not all, a whole key."""
        if before == ward:
            return
        self._leave(patient, before)
        self.wards.setdefault(ward, set()).add(patient)
        self._update.frames[patient] = copy(self.patients[patient].frame)
        if self._alerts.get(patient) or patient in self.trends:
            self._update.rekey.add(ward)

    def _changed(self, patient: str, delta: PatientFrame) -> None:
        pending = self._update.frames.get(patient)
        if pending is None:
            self._update.frames[patient] = copy(delta)
        else:
            merge(pending, delta)

    # -- trends ---------------------------------------------------------------------------------------------------------

    def apply_trend(self, frame: TrendFrame) -> None:
        """One record of `trends`."""
        fresh = self.trends.apply(frame)
        if fresh:
            self._update.trends.setdefault(frame.minute_ms, []).extend(fresh)
