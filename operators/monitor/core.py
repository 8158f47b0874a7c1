"""`monitor` of one shard: a fold of its timeline and nothing else - no clock, no other topic, no configuration that is not a fact.

Same entries in, the same events out, for any batching, extra truthful time entries, crash or replay (laws 2-5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import numpy as np

from operators.alerting import episode
from operators.monitor import judge
from operators.monitor.columns import LONG_AGO
from operators.monitor.facts import apply_fact, is_news, warm_up
from operators.monitor.instants import close_instants
from operators.monitor.leases import fire_lease, leave
from operators.monitor.live import Frames
from operators.monitor.rows import apply_rows
from operators.monitor.state import State
from schemas.identity import cause_deadline
from schemas.records import Append
from schemas.timeline import ROWS_HEAD, Begin, Bye, End, Fact, Hello, Time, decode_entry, rows_payload

LEASE = 0
"""Order of lease changes among the deadlines of one time."""
Deadline = tuple[int, int, str, Callable[[], None]]
"""(time, kind, slot, what to do): the order in which deadlines fire. At one time a lease ends before what it would have let through."""

GONE, ENDED = 1, 2
"""How a writer said bye: it stopped, or its inputs ended."""


class ShardMonitor:
    """Feed it the values of the shard's timeline records in order; it answers with records for `alerts`, `live` and `trends`."""

    def __init__(self, shard: int, state: Mapping[str, Any] | None = None, live: bool = True) -> None:
        self.state = State(shard) if state is None else State.load(state)
        if self.state.shard != shard:
            raise ValueError(f"state of shard {self.state.shard} given to shard {shard}")
        self.frames = Frames() if live else None
        self._place = f"timeline shard {shard}"
        self._encode = msgspec.json.Encoder().encode

    def apply(self, values: Sequence[bytes]) -> list[Append]:
        """Records in order. Rows between two other entries are judged together. Raises BadRecord for what `ingest` cannot have written."""
        out: list[Append] = []
        rows: list[bytes] = []
        for value in values:
            if value[:2] == ROWS_HEAD:
                rows.append(rows_payload(value, self._place))
                continue
            entry = decode_entry(value, self._place)
            if isinstance(entry, Fact) and not is_news(self.state, entry):
                self.state.statement[1] += 1
                if entry.stamp - 1 > self.state.time_ms:  # old news, and still proof of time
                    self._flush(rows)
                    self._advance(entry.stamp - 1, out)
                continue
            self._flush(rows)
            self._entry(entry, out)
        self._flush(rows)
        self._emit(out)
        return out

    def snapshot(self) -> dict[str, Any]:
        """Plain values; what `state` of the constructor takes."""
        return self.state.dump()

    @property
    def time_ms(self) -> int | None:
        """Shard time; None before the first time entry."""
        return None if self.state.time_ms == LONG_AGO else self.state.time_ms

    @property
    def ended(self) -> bool:
        """Every writer has said bye at the end of its inputs: nothing will follow."""
        return bool(self.state.writers) and all(w[2] == ENDED for w in self.state.writers.values())

    def _flush(self, rows: list[bytes]) -> None:
        if rows:
            apply_rows(self.state, rows)
            rows.clear()

    def _emit(self, out: list[Append]) -> None:
        shard = self.state.shard
        out += [Append("alerts", shard, self._encode(e), (e.alert or e.patient).encode()) for e in self.state.events]
        self.state.events.clear()

    def _entry(self, entry: Fact | Begin | End | Hello | Time | Bye, out: list[Append]) -> None:
        state = self.state
        if isinstance(entry, Fact):
            self._advance(entry.stamp - 1, out)
            state.statement[1] += 1
            apply_fact(state, entry, max(state.time_ms + 1, entry.stamp))
        elif isinstance(entry, Begin):
            state.statement[:] = [entry.id, 0]
        elif isinstance(entry, End):
            # Other facts may lie between: at least the stated ones must have been there since the same Begin.
            if not state.warm and state.statement[0] == entry.id and state.statement[1] >= entry.count:
                warm_up(state)
        elif isinstance(entry, Hello):
            state.writers[entry.writer] = [entry.instance, state.writers.get(entry.writer, ["", LONG_AGO])[1], False]
        else:
            self._time(entry, out)

    def _time(self, entry: Time | Bye, out: list[Append]) -> None:
        """Time and bye of an instance that is not the newest of its writer count no longer."""
        writer = self.state.writers.setdefault(entry.writer, [entry.instance, LONG_AGO, False])  # its hello may have expired
        if writer[0] != entry.instance:
            return
        if isinstance(entry, Bye):
            writer[2] = ENDED if entry.end else GONE
        else:
            writer[1] = max(writer[1], entry.t_ms)
        live = [w[1] for w in self.state.writers.values() if not w[2]]
        if live and min(live) != LONG_AGO:
            self._advance(min(live), out)

    def _advance(self, t_ms: int, out: list[Append]) -> None:
        """Shard time reaches `t_ms`: closes the instants up to it, then fires all deadlines up to it; judges nothing at it."""
        state = self.state
        if t_ms <= state.time_ms:
            return
        pending = state.people.pending[: state.people.n]
        ends = np.flatnonzero((pending != LONG_AGO) & (pending <= t_ms))
        if len(ends):
            close_instants(state, ends, np.full(len(ends), LONG_AGO))
        while due := self._due(t_ms):
            for _at, order, _slot, fire in sorted(due, key=lambda d: d[:3]):
                fire()
                if order == LEASE:
                    break  # the next change of this lease may come before what else is due
        state.time_ms = t_ms
        self._emit(out)
        if self.frames is not None:
            self.frames.make(state, out)

    def _due(self, t_ms: int) -> list[Deadline]:
        """Everything that is due up to `t_ms`. A deadline that an earlier one moved is looked at again in the next round."""
        state = self.state
        out: list[Deadline] = []
        slots, devices, people = state.slots, state.devices, state.people
        dense: tuple[tuple[Any, int, Callable[[State, int, int], None]], ...] = (
            (devices.lease_due, devices.n, lambda s, d, _at: fire_lease(s, d)),  # LEASE
            (slots.due, slots.n, judge.fire_limits),
            (devices.due, devices.n, lambda s, d, _at: judge.fire_silence(s, d)),
            (people.due, people.n, lambda s, p, _at: judge.fire_score(s, p)),
        )
        for order, (column, n, fire) in enumerate(dense if state.warm else dense[:1]):
            for i in np.flatnonzero(column[:n] <= t_ms).tolist():
                at_ms = int(column[i])
                out.append((at_ms, order, f"{i:08d}", partial(self._if_still, column, i, at_ms, fire)))
        out += [(x.at_ms, LEASE, "", partial(leave, state, x)) for x in state.leaving if x.at_ms <= t_ms]
        latched = [(a.alert, episode.latch_due_ms(a)) for a in state.alerts.values() if a.status == "cleared"]
        out += [(at_ms, len(dense), alert, partial(self._unlatch, alert, at_ms)) for alert, at_ms in latched if at_ms <= t_ms]
        return out

    def _if_still(self, column: Any, index: int, at_ms: int, fire: Callable[[State, int, int], None]) -> None:
        """Fires only when the deadline still stands."""
        if int(column[index]) == at_ms:
            fire(self.state, index, at_ms)

    def _unlatch(self, alert: str, at_ms: int) -> None:
        state = self.state.alerts.get(alert)
        if state is not None and state.status == "cleared":
            judge.record(self.state, episode.closed(state, cause_deadline("latch", at_ms), at_ms, "latch expired"))
