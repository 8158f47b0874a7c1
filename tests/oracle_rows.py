"""The oracle's judgement: time, deadlines, the life of an alert, rows (`semantics.md` 1, 2, 6, 7). One row at a time."""

from __future__ import annotations

import math
import operator as op
from collections.abc import Callable

from operators.clinical import tables as tab
from schemas import codes as c
from schemas import identity as ids
from schemas.facts import DeviceFact, Limit
from schemas.timeline import Bye, Hello, Time
from tests.oracle_state import Alert, Patient, Slot, eligible, news2_parts
from tests.support.entries import Event, Row

OPS = {"<": op.lt, "<=": op.le, ">": op.gt, ">=": op.ge}
RANK = {"technical": 0, "medium": 1, "high": 2}
KINDS = ("lease", "delay high", "delay medium", "hold", "silent", "news2_hold", "latch")  # deadlines; of one time, in this order


class Judge:
    """Everything but facts. Where the semantics are silent, "CHOICE:" says what was chosen."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.patients: dict[str, Patient] = {}
        self.devices: dict[str, DeviceFact] = {}
        self.site: list[Limit] = []
        self.shard_ms = 0
        self.cold = True
        self.writers: dict[str, tuple[str, int]] = {}  # writer -> live instance and its T

    def patient(self, name: str) -> Patient:
        if name not in self.patients:
            self.patients[name] = Patient(name, self.merged([]))
        return self.patients[name]

    def merged(self, own: list[Limit]) -> dict[tuple[str, str], Limit]:
        """Default < site < patient, a side at a time. CHOICE: of two in one list the last counts."""
        return {(x.code, x.side): x for x in (*tab.DEFAULT_LIMITS, *self.site, *own)}

    def bind(self, p: Patient, device: str, at: int, cause: str) -> None:
        raise TypeError("leases are facts")

    def time(self, entry: Hello | Time | Bye) -> None:
        if isinstance(entry, Hello):
            self.writers[entry.writer] = (entry.instance, -1)  # CHOICE: time stands still until the new instance states it
        elif self.writers.setdefault(entry.writer, (entry.instance, -1))[0] == entry.instance:
            self.writers[entry.writer] = (entry.instance, entry.t_ms) if isinstance(entry, Time) else ("", -1)
        self.advance(min((t for instance, t in self.writers.values() if instance), default=-1))

    def advance(self, t: int) -> None:
        """Shard time becomes `t`: closes the instants up to it, then fires the deadlines up to it."""
        for p in self.patients.values() if t > self.shard_ms else ():
            if p.instant is not None and p.instant <= t:
                self.end_instant(p)
            self.run(p, t, lambda *_: True)
        self.shard_ms = max(t, self.shard_ms)

    def run(self, p: Patient, until: int, scope: Callable[[str, str, str], bool]) -> None:
        """Fires the deadlines of scope(kind, slot, device) up to `until`, each at its own time. Cold: silence waits."""
        mute = ("silent",) if self.cold else ()
        while due := [(at, KINDS.index(k), s) for (k, s), (at, d) in p.due.items() if at <= until and k not in mute and scope(k, s, d)]:
            at, rank, slot = min(due)
            kind, device = KINDS[rank], p.due.pop((KINDS[rank], slot))[1]
            cause = ids.cause_deadline(kind.split()[0], at)
            if kind == "lease":
                self.run(p, at - 1, lambda k, _, d, owner=slot: k != "lease" and d == owner)  # type: ignore[misc]
                self.bind(p, slot, at, cause)
            elif kind.startswith("delay"):
                self.reach(p, slot, device, kind.split()[1], at, cause)
            elif kind == "silent":
                self.open(p, "silent", slot, device, "technical", cause, at, cause)
            elif kind == "latch":
                self.end(p, p.alerts[slot], "closed", at, cause)
            else:
                self.end(p, p.active["limit" if kind == "hold" else "news2", slot], "cleared", at, cause)

    def emit(self, a: Alert, transition: str, at: int, cause: str) -> None:
        a.seq += 1
        self.events.append(Event(ids.event_id(a.id, transition, cause), a.id, a.seq, transition, a.rule, a.slot, at, a.level, cause))

    def open(self, p: Patient, rule: str, slot: str, device: str, level: str, onset: str, at: int, cause: str) -> None:
        a = Alert(ids.alert_id(p.name, rule, slot, onset), rule, slot, device, level)
        p.alerts[a.id] = p.active[rule, slot] = a
        self.emit(a, "raised", at, cause)

    def worsen(self, a: Alert, level: str, at: int, cause: str) -> None:
        a.level, a.owner = level, ""
        self.emit(a, "worsened", at, cause)

    def end(self, p: Patient, a: Alert, transition: str, at: int, cause: str) -> None:
        """The episode is over: gone from here, or latched for 12 h if it cleared and nobody owns it."""
        self.emit(a, transition, at, cause)
        p.due.pop(("latch", a.id), None)
        if p.active.get((a.rule, a.slot)) is a:
            del p.active[a.rule, a.slot]
            for kind in {"limit": KINDS[1:4], "news2": ("news2_hold",)}.get(a.rule, ()):
                p.due.pop((kind, a.slot), None)
        if transition == "cleared" and not a.owner:
            p.due["latch", a.id] = (at + tab.LATCH_MS, a.device)
        else:
            del p.alerts[a.id]

    def forget(self, p: Patient, device: str | None, at: int, cause: str) -> None:
        """The patient (None) or one device of it leaves: alerts close, latched ones too, slots are forgotten."""
        for a in list(p.alerts.values()):
            if device in (None, a.device):
                self.end(p, a, "closed", at, cause)
        p.slots = {k: v for k, v in p.slots.items() if device not in (None, k[0])}
        p.late = {d: v for d, v in p.late.items() if device not in (None, d)}
        p.onset = {s: v for s, v in p.onset.items() if device not in (None, s.split(":", 2)[2])}
        p.due = {k: v for k, v in p.due.items() if k[0] == "lease" or device not in (None, v[1])}
        p.instant = None if device is None else p.instant  # CHOICE: an instant still open at a discharge is not judged

    def row(self, row: Row) -> None:
        p, device, at = self.patient(row.patient), row.device, max(row.received, self.shard_ms + 1)
        loinc = c.BY_NUMBER[row.code].loinc if row.code else ""
        if p.instant not in (None, at):
            self.end_instant(p)
        sides = (f"{loinc}:low:{device}", f"{loinc}:high:{device}")
        # CHOICE: leases of all the patient's devices fire at any row of the patient, as its scores' deadlines do.
        self.run(p, at, lambda k, s, d: k in ("lease", "news2_hold") or s in sides or (k == "silent" and d == device))
        p.instant = None if self.cold else at
        minutes = p.placed.setdefault(device, {})  # CHOICE: all rows count (beats, late, not judged), kept when a lease ends
        minutes[row.t // 60_000] = minutes.get(row.t // 60_000, 0) + 1
        if len(minutes) > 64:
            del minutes[min(minutes)]
        if p.gone or not (row.flags & c.OBSERVED or device in p.heard or (self.cold and device not in self.devices)):
            return  # stored, not judged
        cause = ids.cause_reading(device, row.code, row.t, row.received)
        slot = p.slots.get((device, row.code)) or Slot()
        late = bool(row.flags & c.LATE) or row.t <= slot.t
        if device in p.heard:
            self.hear(p, row, late, at, cause)
        if row.flags & c.BEAT or late:
            return
        p.slots[device, row.code] = slot
        slot.t, slot.value = row.t, row.value
        if row.value is not None and not row.flags & (c.BELOW | c.ABOVE):
            slot.ring.append((row.t, row.value))
        if not self.cold:
            lost = p.active.get(("signal_lost", f"{loinc}:{device}"))
            if row.value is None:
                for side in sides:
                    p.due.pop(("hold", side), None)
                if not lost:
                    self.open(p, "signal_lost", f"{loinc}:{device}", device, "technical", cause, at, cause)
            else:
                if lost:
                    self.end(p, lost, "cleared", at, cause)
                for name, side in zip(("low", "high"), sides, strict=True):
                    self.side(p, p.limits.get((loinc, name)), side, row, row.value, at, cause)

    def hear(self, p: Patient, row: Row, late: bool, at: int, cause: str) -> None:
        """What any row, late ones and beats too, says about its device: silence and not judged."""
        device, fact = row.device, self.devices[row.device]
        if silent := p.active.get(("silent", device)):
            self.end(p, silent, "cleared", at, cause)
        p.heard[device] = max(at, p.heard[device])
        if after := tab.silent_after_ms(fact.device_class, fact.interval_ms):
            p.due["silent", device] = (p.heard[device] + after, device)
        # CHOICE: beats and replayed dead letters count neither way.
        if self.cold or row.flags & (c.BEAT | c.REPLAYED) or fact.device_class not in tab.CONTINUOUS_CLASSES:
            return
        alert = p.active.get(("not_judged", device))
        if not late:
            p.late.pop(device, None)
            if alert:
                self.end(p, alert, "cleared", at, cause)
        elif at - p.late.setdefault(device, at) >= tab.NOT_JUDGED_AFTER_MS and not alert:
            self.open(p, "not_judged", device, device, "technical", cause, at, cause)

    def side(self, p: Patient, limit: Limit | None, slot: str, row: Row, x: float, at: int, cause: str) -> None:
        """One side of one vital at a row with a value."""
        if limit is None or limit.medium is None:
            return  # CHOICE: no medium level = the whole side is off
        if row.flags & (c.BELOW | c.ABOVE):  # CHOICE: a sensor's `< 3.9` is beyond a limit `< 3.9`; `> x` alike
            x = math.nextafter(x, -math.inf if row.flags & c.BELOW else math.inf)
        good = x >= limit.clear if limit.side == "low" else x <= limit.clear
        for level, rule in (("high", limit.high), ("medium", limit.medium)):
            a, key = p.active.get(("limit", slot)), ("delay " + level, slot)
            if rule is None or not OPS[rule.op](x, rule.limit):
                p.due.pop(key, None)
                continue
            good = False  # CHOICE: a value beyond a level is never on the good side, wherever `clear` lies
            if a is None:
                p.onset.setdefault(slot, cause)
            if (a is None or RANK[level] > RANK[a.level]) and key not in p.due:
                if rule.delay_s:
                    p.due[key] = (at + round(rule.delay_s * 1000), row.device)
                else:
                    self.reach(p, slot, row.device, level, at, cause)
        if not {("delay high", slot), ("delay medium", slot)} & p.due.keys():
            p.onset.pop(slot, None)
        a = p.active.get(("limit", slot))
        if a is None or not good:
            p.due.pop(("hold", slot), None)
        elif limit.hold_s:
            p.due.setdefault(("hold", slot), (at + round(limit.hold_s * 1000), row.device))
        else:
            self.end(p, a, "cleared", at, cause)

    def reach(self, p: Patient, slot: str, device: str, level: str, at: int, cause: str) -> None:
        a = p.active.get(("limit", slot))
        if a is None:
            self.open(p, "limit", slot, device, level, p.onset.pop(slot), at, cause)
        elif RANK[level] > RANK[a.level]:
            self.worsen(a, level, at, cause)
        if level == "high":
            p.due.pop(("delay medium", slot), None)

    def end_instant(self, p: Patient) -> None:
        """The instant is whole: NEWS2 is judged."""
        at, p.instant = p.instant or 0, None
        if not eligible(p):
            return
        parts = news2_parts(p, self.devices, at)
        lower, cause, a = sum(parts.values()), ids.cause_instant(at), p.active.get(("news2", ""))
        level = "high" if lower >= tab.NEWS2_HIGH else "medium" if lower >= tab.NEWS2_MEDIUM or tab.NEWS2_SINGLE in parts.values() else ""
        if level and a is None:
            self.open(p, "news2", "", "", level, cause, at, cause)
        elif a and level and RANK[level] > RANK[a.level]:
            self.worsen(a, level, at, cause)
        if a and not level and len(parts) == len(tab.PARTS):
            p.due.setdefault(("news2_hold", ""), (at + tab.NEWS2_CLEAR_HOLD_MS, ""))
        else:
            p.due.pop(("news2_hold", ""), None)
