"""Who sees what: subscriptions by ward or patient, key first, then changes; alerts to everyone at once, values newest only.

Runs on the event loop alone; every method returns at once. A frame is encoded once and shared by all who get it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from gateway import wire
from gateway.auth import LEEWAY_S
from gateway.client import Client, Room
from gateway.config import GatewayConfig
from gateway.flusher import Flusher
from gateway.fold import Fold, Update
from gateway.keys import Keys, missed, position
from gateway.metrics import Metrics
from gateway.patients import encode, merge
from gateway.rooms import Rooms
from gateway.status import FeedState, Status
from gateway.trends import SERIES_MS
from schemas.events import PatientFrame

LIVE_S = 0.25
"""Values go out at most four times a second."""
DRAIN_SLICE, DRAIN_SLICE_S = 200, 0.2


class Hub:
    """All clients of this process and the state that they look at. `clock`: ms since 1970 UTC."""

    def __init__(self, config: GatewayConfig, clock: Callable[[], int], metrics: Metrics) -> None:
        self.config = config
        self.metrics = metrics
        self.status = Status(config.clock)
        self.clients: set[Client] = set()
        self.fold = Fold([])
        self._clock = clock
        self._rooms = Rooms()
        self._pending: dict[str, PatientFrame] = {}
        self._keys = Keys(config.beds)
        self._users: Counter[str] = Counter()
        self._loop = asyncio.get_running_loop()
        self._flusher = Flusher(config.limits, metrics, self._close_slow)
        self._timers: list[asyncio.TimerHandle] = []
        self._due_s = 0.0
        self._beat_s = 0.0

    # -- clients --------------------------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """Now for viewers: this machine's time, or in a replay the newest shard time."""
        return self.status.now_ms(self._clock(), self.fold.times())

    def join(self, client: Client) -> bool:
        """Takes a client after sign-in; False when its user has too many connections."""
        if self._users[client.claims.user] >= self.config.limits.per_user:
            return False
        self._users[client.claims.user] += 1
        self.clients.add(client)
        return True

    def leave(self, client: Client) -> None:
        """Forgets a client, however it ended."""
        client.closed = True
        self._rooms.leave(client)
        if client in self.clients:
            self.clients.remove(client)
            self._users[client.claims.user] -= 1
            if not self._users[client.claims.user]:
                del self._users[client.claims.user]

    def subscribe(self, client: Client, room: Room, resume: tuple[str, list[int]] | None) -> None:
        """Replaces the client's subscription. Whoever may not see the room is closed; the key comes once the state is known."""
        self._rooms.leave(client)
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
        self.metrics.was_closed(code)

    def put(self, client: Client, frame: bytes) -> None:
        """One frame for one client, with the next flush."""
        self._flusher.put(client, frame)

    def _serve(self, client: Client) -> None:
        """Answers a subscription: key, what was missed, and from now on everything, in one loop step."""
        room = client.room
        assert room is not None
        client.waiting = False
        if room[0] == "patient" and not client.claims.may_see(self.fold.ward_of(room[1])):
            self.close(client, wire.NOT_ALLOWED, "not allowed")
            return
        client.put_key(self._answer(room, client.resume))
        client.resume = None
        self._rooms.enter(client, room)
        self._flusher.mark(client)

    def _answer(self, room: Room, resume: tuple[str, list[int]] | None) -> list[bytes]:
        """The key, and after it what was missed. Then the key's position is the old one: who is cut in between asks for the rest again."""
        if resume is None:
            return [self._key(room, "null")]
        incarnation, offsets = resume
        behind = missed(self.fold, room, offsets) if incarnation == self.status.incarnation else None
        self.metrics.resumed(behind is not None)
        if behind is None:
            return [self._key(room, "false")]
        key = self._keys.key(self.fold, room, self.now_ms(), "true", position(incarnation, offsets))
        return [key, *behind]

    def _key(self, room: Room, recovered: wire.Recovered) -> bytes:
        return self._keys.key(self.fold, room, self.now_ms(), recovered, self._position())

    def _position(self) -> bytes:
        return position(self.status.incarnation, self.fold.offsets())

    # -- what comes from the log ----------------------------------------------------------------------------------------

    def begin(self, fold: Fold, incarnation: str) -> None:
        """A new reading of the log: viewers keep their subscription and get a key once the state is known again."""
        before = (self.status.incarnation, self.fold.offsets())
        for client in self.clients:
            if client.room is not None and not client.waiting:
                room = client.room
                self._rooms.leave(client)
                client.room, client.resume, client.waiting = room, before, True
        self.fold = fold
        self._pending.clear()
        self._keys.forget()
        self.status.begin(incarnation, self._clock())

    def applied(self, state: FeedState) -> None:
        """The feed has put a batch into the fold."""
        self.fold.settle(state.rounds)
        update = self.fold.take()
        was = self.status.serving
        self.status.seen(state, self.fold, self._clock())
        if not self.status.serving:
            return
        self._keys.forget()
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
                for client in self._rooms.members(room):
                    self.put(client, event)
        for patient, frame in update.frames.items():
            self._pending[patient] = self._merged(patient, frame)
        for minute, medians in update.trends.items():
            self._send_trends(minute, medians)
        for ward in update.rekey:
            self._rekey(ward)

    def _rooms_of(self, patient: str) -> list[Room]:
        return self._rooms.showing(patient, self.fold.ward_of(patient))

    def _merged(self, patient: str, frame: PatientFrame) -> PatientFrame:
        pending = self._pending.get(patient)
        if pending is None:
            return frame
        merge(pending, frame)
        return pending

    def _tell_left(self, patient: str, ward: str) -> None:
        self._pending.pop(patient, None)
        gone = wire.live([wire.to_json({"patient": patient, "admitted": False})], self.fold.times())
        for client in self._rooms.members(("ward", ward)):
            client.held.discard(patient)
            self.put(client, gone)
        for client in self._rooms.members(("patient", patient)):
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
            for client in self._rooms.members(room):
                self.put(client, data)

    def _rekey(self, ward: str) -> None:
        rooms: list[Room] = [("ward", ward)]
        rooms += [("patient", p) for p in self._rooms.patients() if self.fold.ward_of(p) == ward]
        for room in rooms:
            members = self._rooms.members(room)
            if members:
                data = self._key(room, "null")
                for client in members:
                    client.put_key([data])
                    self._flusher.mark(client)

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
        if self.status.waited(self.fold, self._clock()):
            self.applied(self.status.feed)
        if now_s >= self._beat_s:
            self._beat_s = now_s + wire.HEARTBEAT_MS / 1000
            self._heartbeat()

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
            for client in self._rooms.members(room):
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

    def _heartbeat(self) -> None:
        """Time to everyone; the position to those who have had every event up to it, and to no one else."""
        shown, now_s = self.now_ms(), self._clock() / 1000
        where = self._position()
        with_position = wire.beat(shown, self.fold.times(), where)
        without = wire.beat(shown, self.fold.times(), None)
        for client in list(self.clients):
            if now_s >= client.claims.expires_s + LEEWAY_S:
                self.close(client, wire.EXPIRED, "token expired")
            else:
                self.put(client, without if client.waiting or client.room is None else with_position)
        self.fold.trends.forget(shown - SERIES_MS, self.fold.patients)

    # -- ends ---------------------------------------------------------------------------------------------------------------

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
        await asyncio.gather(*(client.line.finish() for client in clients))
