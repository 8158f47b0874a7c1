"""Who sees what: subscriptions by ward or patient, key first, then changes; alerts to everyone at once, values newest only.

Runs on the event loop alone; every method returns at once. A frame is encoded once and shared by all who get it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway import wire
from gateway.client import Client, Room
from gateway.config import GatewayConfig
from gateway.fold import Fold, Update
from gateway.metrics import Metrics
from gateway.patients import SERIES_MS, encode, merge
from gateway.status import FeedState, Status
from schemas.events import PatientFrame

LIVE_S = 0.25
"""Values go out at most four times a second."""
FLUSH_SLICE = 500
"""Clients flushed before the loop may do something else."""
RESUME_MAX_EVENTS, RESUME_MAX_BYTES = 2000, 1 << 20
DRAIN_SLICE, DRAIN_SLICE_S = 200, 0.2
KEY_SHARED_MS = 50
"""Viewers who come to a ward within this time share one encoded key."""


class Hub:
    """All clients of this process and the state that they look at. `clock`: ms since 1970 UTC."""

    def __init__(self, config: GatewayConfig, clock: Callable[[], int], metrics: Metrics) -> None:
        self.config = config
        self.metrics = metrics
        self.status = Status(config.clock)
        self.clients: set[Client] = set()
        self.fold = Fold([])
        self._clock = clock
        self._rooms: dict[Room, set[Client]] = {}
        self._pending: dict[str, PatientFrame] = {}
        self._dirty: list[Client] = []
        self._flushing = False
        self._keys: dict[tuple[Room, wire.Recovered], tuple[int, bytes]] = {}
        self._loop = asyncio.get_running_loop()
        self._timers: list[asyncio.TimerHandle] = []
        self._due_s = 0.0
        self._beat_ms = 0

    # -- clients --------------------------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """Now for viewers: this machine's time, or in a replay the newest shard time."""
        return self.status.now_ms(self._clock(), self.fold.times())

    def join(self, client: Client) -> bool:
        """Takes a client after sign-in; False when its user has too many connections."""
        same = sum(c.claims.user == client.claims.user for c in self.clients)
        if same >= self.config.limits.per_user:
            return False
        self.clients.add(client)
        return True

    def leave(self, client: Client) -> None:
        """Forgets a client, however it ended."""
        client.closed = True
        self.clients.discard(client)
        self._leave_room(client)

    def subscribe(self, client: Client, room: Room, resume: tuple[str, list[int]] | None) -> None:
        """Replaces the client's subscription. Whoever may not see the room is closed; the key comes once the state is known."""
        self._leave_room(client)
        client.room, client.resume, client.waiting = room, resume, True
        if room[0] == "ward" and not client.claims.may_see(room[1]):
            self.close(client, wire.NOT_ALLOWED, "not allowed")
            return
        if self.status.serving:
            self._serve(client)

    def wards(self, client: Client) -> list[str]:
        """Wards that the client may look at, by name where they are known."""
        if "*" not in client.claims.wards:
            return sorted(client.claims.wards)
        known = {w for w in (*self.config.beds, *self.fold.wards) if w}
        return sorted(known) or ["*"]

    def close(self, client: Client, code: int, reason: str) -> None:
        """Closes one client at once; the others notice nothing."""
        client.close(code, reason, self._loop.time(), self.config.limits)
        self.leave(client)
        self.metrics.closed[code] = self.metrics.closed.get(code, 0) + 1

    def put(self, client: Client, frame: bytes) -> None:
        """One frame for one client, with the next flush."""
        client.put(frame)
        self._mark(client)

    def _leave_room(self, client: Client) -> None:
        if client.room is not None:
            members = self._rooms.get(client.room)
            if members is not None:
                members.discard(client)
                if not members:
                    del self._rooms[client.room]
        client.room, client.waiting = None, False
        client.held.clear()

    def _serve(self, client: Client) -> None:
        """Answers a subscription: key, what was missed, and from now on everything, in one loop step."""
        room = client.room
        assert room is not None
        client.waiting = False
        if room[0] == "patient" and not client.claims.may_see(self.fold.ward_of(room[1])):
            self.close(client, wire.NOT_ALLOWED, "not allowed")
            return
        missed = self._missed(client)
        recovered: wire.Recovered = "null" if client.resume is None else "false" if missed is None else "true"
        client.resume = None
        client.put_key([self._key(room, recovered), *(missed or ())])
        self._rooms.setdefault(room, set()).add(client)
        self._mark(client)

    def _missed(self, client: Client) -> list[bytes] | None:
        """Every event of the room after the client's position, or None: never a part of them."""
        if client.resume is None or client.room is None:
            return None
        incarnation, offsets = client.resume
        held = self.fold.missed(offsets) if incarnation == self.status.incarnation else None
        if held is not None:
            wards = {h.patient: self.fold.ward_of(h.patient) for h in held}
            if any(h.of_alert and wards[h.patient] is None for h in held):
                held = None  # someone was discharged meanwhile: it is no longer known who may see it
            else:
                kind, name = client.room
                held = [h for h in held if name == (h.patient if kind == "patient" else wards[h.patient])]
        if held is None or len(held) > RESUME_MAX_EVENTS or sum(len(h.frame) for h in held) > RESUME_MAX_BYTES:
            self.metrics.resume_misses += 1
            return None
        self.metrics.resume_hits += 1
        return [h.frame for h in held]

    def _key(self, room: Room, recovered: wire.Recovered) -> bytes:
        now = self.now_ms()
        shared = self._keys.get((room, recovered))
        if shared is not None and shared[0] == now // KEY_SHARED_MS:
            return shared[1]
        kind, name = room
        fold = self.fold
        here = fold.wards.get(name, set()) if kind == "ward" else {name} & fold.patients.keys()
        patients = sorted((fold.patients[p] for p in here), key=lambda p: (p.frame.bed, p.frame.patient))
        trends = [(p.frame.patient, fold.trends[p.frame.patient].json()) for p in patients if p.frame.patient in fold.trends]
        data = wire.key(
            kind, name, now, fold.times(), recovered, self.position(), (p.json() for p in patients), trends, self.config.beds.get(name)
        )
        self._keys[(room, recovered)] = (now // KEY_SHARED_MS, data)
        return data

    def position(self) -> bytes:
        """`pos`: what a client may resume from when it has had everything up to here."""
        return wire.to_json({"incarnation": self.status.incarnation, "offsets": self.fold.offsets()})

    # -- what comes from the log ----------------------------------------------------------------------------------------

    def begin(self, fold: Fold, incarnation: str) -> None:
        """A new reading of the log: viewers keep their subscription and get a key once the state is known again."""
        before = (self.status.incarnation, self.fold.offsets())
        for client in self.clients:
            if client.room is not None and not client.waiting:
                room = client.room
                self._leave_room(client)
                client.room, client.resume, client.waiting = room, before, True
        self.fold = fold
        self._pending.clear()
        self._keys.clear()
        self.status.begin(incarnation, self._clock())

    def applied(self, state: FeedState) -> None:
        """The feed has put a batch into the fold."""
        update = self.fold.take()
        was = self.status.serving
        self.status.seen(state, self.fold, self._clock())
        if not self.status.serving:
            return
        self._keys.clear()
        if not was:
            for client in [c for c in self.clients if c.waiting]:
                self._serve(client)
            return
        self._publish(update)

    def _publish(self, update: Update) -> None:
        for patient, ward in update.left:
            self._tell_left(patient, ward)
        for patient, event in update.events:
            for room in self._rooms_of(patient):
                for client in self._rooms[room]:
                    self.put(client, event)
        for patient, frame in update.frames.items():
            self._pending[patient] = self._merged(patient, frame)
        for minute, medians in update.trends.items():
            self._send_trends(minute, medians)
        for ward in update.rekey:
            self._rekey(ward)

    def _rooms_of(self, patient: str) -> list[Room]:
        """Subscriptions with viewers that show this patient."""
        both: list[Room] = [("ward", self.fold.ward_of(patient) or ""), ("patient", patient)]
        return [room for room in both if room in self._rooms]

    def _merged(self, patient: str, frame: PatientFrame) -> PatientFrame:
        pending = self._pending.get(patient)
        if pending is None:
            return frame
        merge(pending, frame)
        return pending

    def _tell_left(self, patient: str, ward: str) -> None:
        self._pending.pop(patient, None)
        gone = wire.live([wire.to_json({"patient": patient, "admitted": False})], self.fold.times())
        for client in self._rooms.get(("ward", ward), ()):
            client.held.discard(patient)
            self.put(client, gone)
        for client in list(self._rooms.get(("patient", patient), ())):
            if client.claims.may_see(self.fold.ward_of(patient)):
                if patient not in self.fold.patients:
                    self.put(client, gone)
            else:
                self.close(client, wire.NOT_ALLOWED, "not allowed")

    def _send_trends(self, minute: int, medians: list[tuple[str, str, float]]) -> None:
        rooms: dict[Room, list[tuple[str, str, float]]] = {}
        for median in medians:
            for room in self._rooms_of(median[0]):
                rooms.setdefault(room, []).append(median)
        for room, part in rooms.items():
            data = wire.message("trend", {"minute_ms": minute, "m": part})
            for client in self._rooms[room]:
                self.put(client, data)

    def _rekey(self, ward: str) -> None:
        rooms: list[Room] = [("ward", ward)]
        rooms += [r for r in self._rooms if r[0] == "patient" and self.fold.ward_of(r[1]) == ward]
        for room in rooms:
            members = self._rooms.get(room, ())
            if members:
                data = self._key(room, "null")
                for client in members:
                    client.put_key([data])
                    self._mark(client)

    # -- timers ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts the one timer: values, slow clients, heartbeat."""
        self._due_s = self._loop.time() + LIVE_S
        self._timers = [self._loop.call_at(self._due_s, self._tick)]

    def stop(self) -> None:
        """Ends the timer."""
        for timer in self._timers:
            timer.cancel()

    def _tick(self) -> None:
        now_s = self._loop.time()
        self.metrics.loop_lag_s = now_s - self._due_s
        self._due_s = now_s + LIVE_S
        self._timers = [self._loop.call_at(self._due_s, self._tick)]
        self._send_live()
        for client in list(self.clients):
            if client.is_slow(now_s, self.config.limits):
                self._close_slow(client)
            elif client.held and client.caught_up:
                self._catch_up(client)
        now = self._clock()
        if self.status.waited(self.fold, now):
            self.applied(self.status.feed)
        if now - self._beat_ms >= wire.HEARTBEAT_MS:
            self._beat_ms = now
            self._heartbeat(now)

    def _send_live(self) -> None:
        if not self._pending:
            return
        pending, self._pending = self._pending, {}
        rooms: dict[Room, list[str]] = {}
        for patient in pending:
            for room in self._rooms_of(patient):
                rooms.setdefault(room, []).append(patient)
        encoded: dict[str, bytes] = {}
        for room, patients in rooms.items():
            for patient in patients:
                if patient not in encoded:
                    encoded[patient] = encode(pending[patient])
            data = wire.live((encoded[p] for p in patients), self.fold.times())
            for client in self._rooms[room]:
                if client.behind:
                    self.metrics.conflated += len(client.held.intersection(patients))
                    client.held.update(patients)
                else:
                    self.put(client, data)

    def _catch_up(self, client: Client) -> None:
        """Newest state of everyone whose values were kept back."""
        patients = [self.fold.patients[p] for p in sorted(client.held) if p in self.fold.patients]
        client.held.clear()
        self.put(client, wire.live((encode(p.frame) for p in patients), self.fold.times()))

    def _heartbeat(self, now: int) -> None:
        shown, times = self.now_ms(), self.fold.times()
        lag = max(0, shown - max(times.values())) if times else None
        beat = wire.frame(
            b'{"t":"hb","now_ms":%d,"lag_ms":%s,"shard_ms":%s,"pos":%s}'
            % (shown, wire.to_json(lag), wire.shard_times(times), self.position())
        )
        for client in list(self.clients):
            if now / 1000 >= client.claims.expires_s:
                self.close(client, wire.EXPIRED, "token expired")
            else:
                self.put(client, beat)
        self.fold.forget_trends(shown - SERIES_MS)

    # -- writing --------------------------------------------------------------------------------------------------------

    def _mark(self, client: Client) -> None:
        self._dirty.append(client)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Writes to each client that has something, once; long lists give way to the loop in between."""
        now_s, dirty = self._loop.time(), self._dirty
        part = dict.fromkeys(dirty[:FLUSH_SLICE]) if len(dirty) > FLUSH_SLICE else dict.fromkeys(dirty)
        self._dirty = dirty[FLUSH_SLICE:]
        for client in part:
            self.metrics.deliveries += client.queued
            if not client.flush(now_s, self.config.limits):
                self._close_slow(client)
        self._flushing = bool(self._dirty)
        if self._flushing:
            self._loop.call_soon(self._flush)

    def _close_slow(self, client: Client) -> None:
        self.metrics.slow_closes += 1
        self.close(client, wire.SLOW, "slow")

    async def drain(self) -> None:
        """Tells everybody to come back elsewhere, in slices, so that they do not all come at once."""
        self.status.draining = True
        clients = list(self.clients)
        retry_ms = 500 + 2 * len(clients)
        bye = wire.message("bye", {"retry_ms": retry_ms})
        for first in range(0, len(clients), DRAIN_SLICE):
            for client in clients[first : first + DRAIN_SLICE]:
                client.put(bye)
                self.close(client, wire.DRAINING, "draining")
            if first + DRAIN_SLICE < len(clients):
                await asyncio.sleep(DRAIN_SLICE_S)
