"""The law book in code: `semantics.md` read one entry at a time, scalar and slow, so that it can be checked by eye.

`Fold` takes timeline entries and keeps the events: here what facts and commands do (sections 3, 5, 7, 8), in `oracle_rows` what
rows and time do, in `oracle_state` the score; `oracle_ingest.judge` first does what ingest must do. Together they import data tables
and types only, never what they judge. "CHOICE:" marks what the semantics leave open.
"""

from __future__ import annotations

import msgspec

from operators.clinical import tables as tab
from schemas import identity as ids
from schemas.facts import DeviceFact, Lease, PatientFact, RuleFact, manual_device
from schemas.timeline import Begin, End, Fact
from tests.oracle_rows import Judge
from tests.oracle_state import Patient, eligible
from tests.support.entries import Entry, Event


def holder(device: DeviceFact | None, at: int) -> str:
    """Whose the device is, "" for nobody. CHOICE: of overlapping leases the one that began last, then the last written."""
    lease = newest([x for x in (device.leases if device else ()) if x.from_ms <= at and (x.until_ms is None or at < x.until_ms)])
    return lease.patient if lease else ""


def newest(leases: list[Lease]) -> Lease | None:
    return max(enumerate(leases), key=lambda x: (x[1].from_ms, x[0]))[1] if leases else None


class Fold(Judge):
    """The patients of one shard, or all (None); `events` grows."""

    def __init__(self, shard: int | None = None) -> None:
        super().__init__()
        self.shard = shard
        self.statement = ("", 0)  # the newest Begin, and the facts since
        self.versions: dict[tuple[str, str], int] = {}
        self.seen: dict[int | str, int] = {}  # source partition -> highest offset; commands apart from the rows made of them
        self.answered: set[str] = set()

    def take(self, entry: Entry) -> None:
        if isinstance(entry, list):
            before = dict(self.seen)
            for row in entry:
                if row.offset > before.get(row.partition, -1):
                    self.seen[row.partition] = max(row.offset, self.seen.get(row.partition, -1))
                    self.row(row)
        elif isinstance(entry, Fact):
            self.fact(entry)
        elif isinstance(entry, Begin):
            self.statement = (entry.id, 0)
        elif isinstance(entry, End):
            name, stated = self.statement
            if self.cold and name == entry.id and stated >= entry.count:  # CHOICE: whole = its Begin and at least `count` facts came
                self.cold = False
                for p in self.patients.values():  # CHOICE: rows taken while their binding was unknown go, if it is still unknown
                    p.slots = {k: v for k, v in p.slots.items() if k[0] in p.heard or k[0].startswith(manual_device(""))}
                    self.run(p, self.shard_ms, lambda *_: True)  # CHOICE: silence that fell due while cold is told now, at its own time
        else:
            self.time(entry)

    def fact(self, e: Fact) -> None:
        self.advance(e.stamp - 1)
        at = max(self.shard_ms + 1, e.stamp)
        if e.topic == "alert-commands":
            self.command(e, at)
            return
        self.statement = (self.statement[0], self.statement[1] + 1)
        if e.version > self.versions.get((e.topic, e.key), -1):
            self.versions[e.topic, e.key] = e.version
            revision = msgspec.json.decode(e.value)["revision"] if e.value else ""  # CHOICE: a deleted fact has revision ""
            cause = ids.cause_fact(e.topic, e.key, revision)
            if e.topic == "patients":
                self.patient_fact(self.patient(e.key), e.value, at, cause)
            elif e.topic == "devices":
                self.device_fact(e.key, e.value, at, cause)
            elif e.key == "limits":
                self.site = msgspec.json.decode(e.value, type=RuleFact).limits if e.value else []
                for p in self.patients.values():
                    self.relimit(p, at, cause)

    def patient_fact(self, p: Patient, value: bytes | None, at: int, cause: str) -> None:
        """CHOICE: a deleted patient is a discharged one; discharge cancelled = judged again, from empty."""
        was, gone = p.fact, p.gone
        p.fact = msgspec.json.decode(value, type=PatientFact) if value else None
        p.gone = p.fact is None or p.fact.state == "discharged"
        anew = gone or (was is not None and p.fact is not None and was.admission != p.fact.admission)
        if p.gone or anew:
            self.forget(p, None, at, cause)
        elif (a := p.active.get(("news2", ""))) and not eligible(p):
            self.end(p, a, "closed", at, cause)  # CHOICE: latched ones stay
        self.relimit(p, at, cause)
        for device in list(p.heard) if anew else ():
            p.heard[device] = max(at, p.heard[device])
            self.bind(p, device, at, cause)

    def relimit(self, p: Patient, at: int, cause: str) -> None:
        """CHOICE: a changed limit stops its delays and holds; the alert stays, unless the side is off; latched ones stay."""
        old, p.limits = p.limits, self.merged(p.fact.limits if p.fact else [])
        for key in old.keys() | p.limits.keys():
            was, now = ((x.medium, x.high, x.clear, x.hold_s) if x else None for x in (old.get(key), p.limits.get(key)))
            if was != now:
                mine = ":".join(key) + ":"
                p.onset = {s: v for s, v in p.onset.items() if not s.startswith(mine)}
                p.due = {k: v for k, v in p.due.items() if not k[1].startswith(mine)}
                off = now is None or now[0] is None
                for a in [a for (_, s), a in p.active.items() if off and s.startswith(mine)]:
                    self.end(p, a, "closed", at, cause)

    def device_fact(self, device: str, value: bytes | None, at: int, cause: str) -> None:
        was = self.devices.pop(device, None)
        if value:
            self.devices[device] = msgspec.json.decode(value, type=DeviceFact)
        self.corrected(device, was, at, cause)
        names = {x.patient for fact in (was, self.devices.get(device)) if fact for x in fact.leases}
        for name in sorted(names | {p.name for p in self.patients.values() if any(k[0] == device for k in p.slots)}):
            if self.shard in (None, ids.shard_of(ids.key64(name))):
                self.bind(self.patient(name), device, at, cause)

    def corrected(self, device: str, was: DeviceFact | None, at: int, cause: str) -> None:
        """CHOICE: judged for the newest lease, when it was not the newest before; one event a patient that had rows."""
        now = self.devices.get(device)
        lease, before = newest(now.leases if now else []), newest(was.leases if was else [])
        if self.cold or lease is None or (before and (before.patient, before.from_ms) == (lease.patient, lease.from_ms)):
            return
        for p in self.patients.values():
            count = sum(n for minute, n in p.placed.get(device, {}).items() if minute >= lease.from_ms // 60_000)
            if count and p.name != lease.patient:
                self.events.append(Event(ids.event_id("", "binding_corrected", cause), "", 0, "binding_corrected", "", "", at, "", cause))

    def bind(self, p: Patient, device: str, at: int, cause: str) -> None:
        """Binds or unbinds as the leases stand at `at`; the next change of the lease is a deadline."""
        fact = self.devices.get(device)
        p.due.pop(("lease", device), None)
        if holder(fact, at) != p.name:
            p.heard.pop(device, None)
            self.forget(p, device, at, cause)
        else:
            p.heard.setdefault(device, at)
        bound = device in p.heard
        if fact:
            edges = sorted(x for lease in fact.leases for x in (lease.from_ms, lease.until_ms) if x is not None and x > at)
            edge = next((x for x in edges if (holder(fact, x) == p.name) != bound), None)
            if edge is not None:
                p.due["lease", device] = (edge, device)
        after = tab.silent_after_ms(fact.device_class, fact.interval_ms) if fact and bound and not p.gone else None
        silent = p.active.get(("silent", device))
        if after is None:
            p.due.pop(("silent", device), None)
            if silent:
                self.end(p, silent, "closed", at, cause)  # CHOICE: of a class that is never silent any more
        elif not silent:  # CHOICE: a deadline that a fact makes is never before the fact
            p.due["silent", device] = (max(p.heard[device] + after, at), device)

    def command(self, e: Fact, at: int) -> None:
        body = msgspec.json.decode(e.value or b"{}")
        place, word = f"commands {e.partition}", str(body.get("id"))
        if e.version <= self.seen.get(place, -1) or word in self.answered:
            return
        self.seen[place] = e.version
        self.answered.add(word)
        if self.cold:
            return  # CHOICE: answered before the fold was lost
        p, kind, by, cause = self.patient(e.key), body.get("kind"), str(body.get("by")), ids.cause_command(word)
        a = p.alerts.get(str(body.get("alert")))
        active = a is not None and p.active.get((a.rule, a.slot)) is a
        if e.refused or kind == "observe":
            transition, reason = ("refused", e.refused) if e.refused else ("observed", "")
        elif kind not in ("acknowledge", "unacknowledge"):
            transition, reason = "refused", "unknown_command"
        elif a is None:
            transition, reason = "refused", "unknown_alert"
        elif kind == "unacknowledge" and (not active or a.owner != by):
            transition, reason = "refused", "not_owner"
        elif kind == "acknowledge" and a.owner:
            transition, reason = "refused", "already_owned" if a.owner == by else "owned_by_other"
        elif active:
            a.owner = by if kind == "acknowledge" else ""
            self.emit(a, kind + "d", at, cause)
            return
        else:
            self.end(p, a, "acknowledged", at, cause)
            return
        self.events.append(Event(ids.event_id("", transition, cause), "", 0, transition, "", "", at, "", cause, reason))
