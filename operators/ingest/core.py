"""IngestCore: source records in, appends out, in the order in which they must be appended. No clock, no I/O: T is an argument.

In the order of the data: `load_tables` (what the control topics held), `start`, then `apply` for each poll, `stop`; `snapshot` between any
two calls. Live, an unknown or unbound device may be refused only after the control topics were read to ends asked after the poll
(`semantics.md` 2): whoever polls asks `unresolved` first and, if so, gives the control records up to those ends before the readings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from operators.decode.poll import Native
from operators.decode.seam import Decoder, is_fhir
from operators.ingest.arrivals import BatchLike, Clock, Item, RecordLike, control_order, item, places_of, stamp
from operators.ingest.attribution import TIMELINE, Placed, observed, place, records, unresolved
from operators.ingest.commands import Heard, hear
from operators.ingest.letters import letter
from operators.ingest.runs import Forged, Ints, Run, run_of
from operators.ingest.slots import EXPIRE_MS, Slots
from operators.ingest.statement import Statement
from operators.ingest.tables import Refused, Tables
from schemas.codes import BEAT, FUTURE, LATE, NO_CLOCK, NO_VALUE, OBSERVED, REPLAYED, SUSPECT
from schemas.columns import source_partition
from schemas.facts import manual_device
from schemas.identity import key64, shard_of
from schemas.records import Append
from schemas.timeline import Bye, Fact, Hello, Time, TimeEntry, encode_fact, encode_time

FORMAT = 1
COMMANDS = "alert-commands"
OBSERVED_KEPT = 2000
"""Ids of the newest observations: a command sent twice makes rows once."""
COUNTED = (
    ("late", LATE),
    ("future", FUTURE),
    ("no_value", NO_VALUE),
    ("no_clock", NO_CLOCK),
    ("suspect", SUSPECT),
    ("beats", BEAT),
    ("replayed", REPLAYED),
    ("observed", OBSERVED),
)
UNREAD = ("not_json", "bad_shape", "too_large")


class BadState(ValueError):
    """A snapshot that this version cannot go on from."""


class IngestCore:
    """One writer of the timeline. `writer` names the process group's member, `instance` this run of it; `state` = None at a first start."""

    def __init__(
        self, *, writer: str, instance: str, shards: int, clock: Clock, state: Mapping[str, Any] | None, decoder: Decoder | None = None
    ) -> None:
        self.writer, self.instance, self.shards, self.clock = writer, instance, shards, clock
        self.counters: dict[str, int] = defaultdict(int)
        self._decoder: Decoder = Native() if decoder is None else decoder
        self._slots = Slots(shards)
        self._tables = Tables(shards, self._slots)
        self._statement = Statement(shards)
        self._t: int | None = None
        self._observed: dict[str, None] = {}
        self._first = state is None
        self._letters: list[Append] = []
        self._ready: tuple[BatchLike, Run, list[Forged]] | None = None
        if state is not None:
            self._restore(state)

    # The life of a run

    def load_tables(self, found: Iterable[RecordLike]) -> None:
        """The table topics from their start up to the resume position (live at a first start: up to the ends).

        What is refused now was refused before, except at a first start: then `start` writes the letters.
        """
        for record in found:
            one = Item(record.topic, record.partition, record.offset, record.append_ms, record.key, record.value, record.headers)
            stamped = stamp(dict(one.headers), one.append_ms, self.clock)
            if stamped.mark:
                continue
            try:
                if stamped.refused:
                    raise Refused("forged_header", stamped.refused)
                self._tables.apply(one, stamped.received)
            except Refused as refused:
                if self._first:
                    self._letters.append(self._letter(one, stamped.received, refused.reason, refused.detail))

    def start(self, t_ms: int | None = None) -> list[Append]:
        """Opens this instance on each shard; at a first start all facts follow, whole.

        `t_ms`: a T that is true. Live, a first start needs it: facts take effect after it, and devices are waited for from there on.
        """
        out = [*self._letters, *self._entries(Hello(self.writer, self.instance))]
        self._letters = []
        if t_ms is not None and (self._t is None or t_ms > self._t):
            self._t = t_ms
            out += self._entries(Time(self.writer, self.instance, t_ms))
        if self._first:
            out += self._statement.first(self.instance, self._tables, self._stamp())
        return out

    def stop(self, end: bool = False) -> list[Append]:
        """This instance counts no longer for time. `end`: its inputs have ended."""
        return self._entries(Bye(self.writer, self.instance, end))

    def apply(self, batch: BatchLike, t_ms: int | None) -> list[Append]:
        """One poll, then T on each shard if it moved, then what is due of a re-statement. Never raises, whatever the records hold.

        Live: control records first, then readings by (received, partition, offset). Stream: in the order given, that of the merge.
        """
        out: list[Append] = []
        if len(batch):
            if self.clock == "live":
                self._apply_live(batch, out)
            else:
                self._apply_stream(batch, out)
        self._ready = None
        if t_ms is not None and (self._t is None or t_ms > self._t):
            self._t = t_ms
            out += self._entries(Time(self.writer, self.instance, t_ms))
        day = self._statement.day
        out += self._statement.step(self._t, self._tables, self._stamp())
        if self._t is not None and day is not None and self._statement.day != day:
            self._slots.forget(self._t - EXPIRE_MS)
        return out

    def unresolved(self, batch: BatchLike) -> bool:
        """Live: whether the tables as they are would refuse a reading as unbound. The decoding is kept for `apply` of the same batch."""
        if not len(batch):
            return False
        run, refused = run_of(batch, places_of(batch, readings=True), self.clock, self._decoder)
        self._ready = batch, run, refused
        return unresolved(run, self._tables.devices)

    # Records in order

    def _apply_live(self, batch: BatchLike, out: list[Append]) -> None:
        for i in control_order(batch, places_of(batch, readings=False).tolist()):
            self._control(item(batch, i), out)
        places = places_of(batch, readings=True)
        if len(places):
            self._readings(batch, places, out)

    def _apply_stream(self, batch: BatchLike, out: list[Append]) -> None:
        start, n = 0, len(batch)
        for i in [*places_of(batch, readings=False).tolist(), n]:
            if i > start:
                self._readings(batch, np.arange(start, i), out)
            if i < n:
                self._control(item(batch, i), out)
            start = i + 1

    def _readings(self, batch: BatchLike, places: Ints, out: list[Append]) -> None:
        """A run of readings between two control records."""
        if self._ready is not None and self._ready[0] is batch:
            _, run, forged = self._ready
        else:
            run, forged = run_of(batch, places, self.clock, self._decoder)
        out += (self._letter(item(batch, i), received, reason, detail) for i, received, reason, detail in forged)
        placed = place(run, self._tables.devices, self._slots, self._tables.patient_key)
        for at in sorted(placed.refused):
            reason, detail = placed.refused[at]
            one = item(batch, int(run.place[at]))
            if reason in UNREAD and is_fhir(one.value or b""):
                reason, detail = "fhir_not_yet", "FHIR is not taken yet"
            out.append(self._letter(one, int(run.received[at]), reason, detail))
        self._put(placed, out)

    def _control(self, one: Item, out: list[Append]) -> None:
        """A fact or a command takes effect at its place."""
        stamped = stamp(dict(one.headers), one.append_ms, self.clock)
        if stamped.mark:
            return
        try:
            if stamped.refused:
                raise Refused("forged_header", stamped.refused)
            if one.topic == COMMANDS:
                self._command(one, stamped.received, out)
            else:
                self._fact(one, stamped.received, out)
        except Refused as refused:
            out.append(self._letter(one, stamped.received, refused.reason, refused.detail))

    def _fact(self, one: Item, at: int, out: list[Append]) -> None:
        applied = self._tables.apply(one, at)
        if applied is None:
            self.counters["facts_old"] += 1
            return
        key, shards = applied
        self.counters["facts"] += 1
        stated = encode_fact(Fact(one.topic, key, one.partition, one.offset, at, self._stamp(at), one.value))
        out += (Append(TIMELINE, shard, stated) for shard in shards)

    def _command(self, one: Item, at: int, out: list[Append]) -> None:
        """On the timeline, with the reason if it is refused; then, if it observes, its rows."""
        heard = hear(one.value, one.key)
        refused, placed = heard.refused, None
        if heard.rows:
            try:
                placed = self._observe(heard, one, at)
            except Refused as why:
                refused = why.reason
        self.counters["commands"] += 1
        fact = Fact(one.topic, heard.patient, one.partition, one.offset, at, self._stamp(at), one.value, refused)
        out.append(Append(TIMELINE, shard_of(key64(heard.patient), self.shards), encode_fact(fact)))
        if placed is not None:
            self._put(placed, out)

    def _observe(self, heard: Heard, one: Item, at: int) -> Placed | None:
        """The rows of an observation, None if its id was seen before; raises Refused."""
        command = heard.command
        assert command is not None
        if command.id in self._observed:
            self.counters["repeats"] += len(heard.rows)
            return None
        if heard.patient not in self._tables.patients:
            raise Refused("unknown_patient", "no fact about this patient")
        patient, device = self._tables.patient_key(heard.patient), self._tables.claim("device", manual_device(command.by))
        self._observed[command.id] = None
        if len(self._observed) > OBSERVED_KEPT:
            del self._observed[next(iter(self._observed))]
        return observed(
            heard.rows, patient, device, command.at_ms, at, (source_partition(COMMANDS, one.partition), one.offset), self._slots
        )

    # What leaves

    def _put(self, placed: Placed, out: list[Append]) -> None:
        rows, counters = placed.rows, self.counters
        counters["rows"] += len(rows)
        counters["repeats"] += placed.repeats
        if len(rows):
            flags = rows["flags"]
            if flags.any():
                for name, flag in COUNTED:
                    counters[name] += int(np.count_nonzero(flags & np.uint32(flag)))
            out += records(rows, placed.shard)

    def _letter(self, one: Item, received: int, reason: str, detail: str) -> Append:
        self.counters["dead"] += 1
        self.counters[f"dead_{reason}"] += 1
        return letter(one, received, reason, detail)

    def _entries(self, entry: TimeEntry) -> list[Append]:
        value = encode_time(entry)
        return [Append(TIMELINE, shard, value) for shard in range(self.shards)]

    def _stamp(self, arrival: int | None = None) -> int:
        """When a fact takes effect: live after the last T stated; in a stream at its arrival, wherever the T entries fall."""
        if self.clock == "stream" and arrival is not None:
            return arrival
        return 0 if self._t is None else self._t + 1

    # Between two polls

    def snapshot(self) -> dict[str, Any]:
        """Plain values and arrays, without the tables: they are read anew from their topics up to the positions kept beside this."""
        return {
            "format": FORMAT,
            "clock": self.clock,
            "shards": self.shards,
            "t": self._t,
            "statement": self._statement.snapshot(),
            "observed": list(self._observed),
            "slots": self._slots.snapshot(),
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        if state.get("format") != FORMAT:
            raise BadState(f"this version reads snapshots of format {FORMAT}, not {state.get('format')!r}: start it on a fresh folder")
        for name, own in (("clock", self.clock), ("shards", self.shards)):
            if state[name] != own:
                raise BadState(f"the snapshot was made with {name} {state[name]}, this run has {own}: they cannot change in between")
        self._t = state["t"]
        self._statement.restore(state["statement"])
        self._observed = dict.fromkeys(state["observed"])
        self._slots.restore(state["slots"])
