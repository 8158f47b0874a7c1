"""A hospital of hand-made records for the gateway (`live`, `alerts`, `trends`), a running server, a viewer that keeps a ledger."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from gateway.auth import make_token
from gateway.config import GatewayConfig
from gateway.feed import wall_ms
from gateway.server import Server, make_server
from schemas.events import AlertEvent, AlertState, Evidence, LiveFrame, PatientFrame, Score, TrendFrame, Vital
from schemas.identity import alert_id, cause_instant, event_id, key64, shard_of
from schemas.topics import TOPICS
from sinks.log import open_log, sqlite_url
from sinks.log.api import TP, Log

SECRET = "a secret for tests, long enough for HS256"
SHARDS = 8
DEADLINE_S = 60.0
HR = "8867-4"


def shard(patient: str) -> int:
    """The shard of a patient."""
    return shard_of(key64(patient), SHARDS)


def eventually(condition: Callable[[], bool], what: str = "the condition") -> None:
    """Waits for a condition; fails after a deadline."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"{what} did not come within {DEADLINE_S} s"
        time.sleep(0.005)


def person(patient: str, ward: str = "4b", bed: str = "01", hr: float = 72.0, t_ms: int = 0, **fields: Any) -> PatientFrame:
    """A whole frame of a patient with one heart rate."""
    vitals = {HR: [Vital("mon-" + patient, "monitor", t_ms, t_ms, hr)]}
    return PatientFrame(patient, ward=ward, bed=bed, initials="A.B.", score=Score(), vitals=vitals, **fields)


def beat_of(patient: str, hr: float, t_ms: int) -> PatientFrame:
    """A delta of values alone."""
    return PatientFrame(patient, vitals={HR: [Vital("mon-" + patient, "monitor", t_ms, t_ms, hr)]})


def episode(patient: str, onset_ms: int, **fields: Any) -> AlertState:
    """An alert as it was raised."""
    name = alert_id(patient, "limit", "8867-4:high:mon", cause_instant(onset_ms))
    told: dict[str, Any] = {"code": HR, "side": "high", "onset_ms": onset_ms, "raised_ms": onset_ms, "value": 140.0, "seq": 1} | fields
    return AlertState(name, patient, "limit", "limit", 1, "medium", **told)


def event_of(state: AlertState, transition: Any, at_ms: int, command: str | None = None, by: str = "") -> AlertEvent:
    """The event that led to `state`."""
    cause = cause_instant(at_ms)
    return AlertEvent(
        event_id(state.alert, transition, cause),
        transition,
        state.patient,
        at_ms,
        cause,
        state.seq,
        state.alert,
        msgspec.structs.replace(state),
        Evidence(quiet_if="a lower rate"),
        by,
        command,
    )


class Hospital:
    """What `monitor` would have written. Times start at the wall clock, as a live monitor's do."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.log: Log = open_log(url)
        self.log.create(TOPICS)
        self._writer = self.log.writer("hospital")
        self.patients: dict[str, PatientFrame] = {}
        self.alerts: dict[str, AlertState] = {}
        self._onset_ms = 0

    @classmethod
    def embedded(cls, folder: Path) -> Hospital:
        """On a fresh SQLite log."""
        return cls(sqlite_url(folder / "log"))

    def close(self) -> None:
        self._writer.close()
        self.log.close()

    def now(self) -> int:
        return wall_ms()

    def put(self, topic: str, partition: int, value: msgspec.Struct | bytes) -> None:
        data = value if isinstance(value, bytes) else msgspec.json.encode(value)
        self._writer.append(topic, partition, data, str(partition).encode())
        self._writer.flush()

    def admit(self, *frames: PatientFrame) -> None:
        """The patients of the next key-frames."""
        self.patients.update((f.patient, f) for f in frames)

    def key(self, t_ms: int | None = None, shards: range | list[int] = range(SHARDS), parts: int = 1) -> None:
        """A whole key-frame on each shard, with all patients and open alerts."""
        t_ms = self.now() if t_ms is None else t_ms
        for n in shards:
            here = [f for p, f in sorted(self.patients.items()) if shard(p) == n]
            told = [msgspec.structs.replace(f, alerts=[a for a in self.alerts.values() if a.patient == f.patient]) for f in here]
            for part in range(1, parts + 1):
                self.put("live", n, LiveFrame(n, t_ms, True, part, parts, told[part - 1 :: parts]))

    def delta(self, *frames: PatientFrame, t_ms: int | None = None) -> None:
        """A delta for the shard of these patients."""
        t_ms = self.now() if t_ms is None else t_ms
        for n in {shard(f.patient) for f in frames}:
            self.put("live", n, LiveFrame(n, t_ms, False, 1, 1, [f for f in frames if shard(f.patient) == n]))

    def pulse(self) -> None:
        """Time goes on everywhere, nothing else."""
        for n in range(SHARDS):
            self.put("live", n, LiveFrame(n, self.now(), False, 1, 1, []))

    def tell(self, event: AlertEvent) -> AlertEvent:
        """One event on `alerts`; the open alerts of the next key-frames follow it."""
        if event.state is not None:
            if event.state.status == "closed":
                self.alerts.pop(event.state.alert, None)
            else:
                self.alerts[event.state.alert] = event.state
        self.put("alerts", shard(event.patient), event)
        return event

    def raise_alert(self, patient: str, onset_ms: int | None = None) -> AlertEvent:
        """A new alert, later than all before it."""
        self._onset_ms = max(self.now(), self._onset_ms + 1) if onset_ms is None else onset_ms
        onset_ms = self._onset_ms
        return self.tell(event_of(episode(patient, onset_ms), "raised", onset_ms))

    def close_alert(self, raised: AlertEvent) -> AlertEvent:
        assert raised.state is not None
        state = msgspec.structs.replace(raised.state, status="closed", seq=raised.state.seq + 1)
        return self.tell(event_of(state, "closed", max(self.now(), raised.at_ms + 1)))

    def trend(self, patient: str, minute_ms: int, median: float) -> None:
        self.put("trends", shard(patient), TrendFrame(shard(patient), minute_ms, [(patient, HR, median)]))

    def records(self, topic: str) -> list[tuple[bytes | None, bytes | None]]:
        """(key, value) of everything on a topic of one partition."""
        tp = TP(topic, 0)
        reader = self.log.reader(self.log.starts([tp]))
        found: list[tuple[bytes | None, bytes | None]] = []
        try:
            end = self.log.ends([tp])[tp]
            while reader.positions[tp] < end:
                found += [(r.key, r.value) for r in reader.poll(1000).records()]
        finally:
            reader.close()
        return found


class Running:
    """A gateway in a thread of this process."""

    def __init__(self, config: GatewayConfig, clock: Callable[[], int] = wall_ms, ws: type[asyncio.Protocol] | None = None) -> None:
        self.server: Server = make_server(config, clock)
        if ws is not None:
            self.server.config.ws = ws
        self.thread = threading.Thread(target=self.server.run, name="gateway-under-test", daemon=True)
        self.thread.start()
        eventually(lambda: self.server.started or not self.thread.is_alive(), "the server")
        assert self.server.started
        self.port: int = self.server.servers[0].sockets[0].getsockname()[1]

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def phase(self) -> str:
        gateway = self.server.application.gateway
        assert gateway is not None
        return gateway.hub.status.phase

    def metric(self, name: str) -> float:
        """A plain number of the gateway's metrics."""
        gateway = self.server.application.gateway
        assert gateway is not None
        return float(getattr(gateway.hub.metrics, name))

    def stop(self) -> None:
        """As SIGTERM would."""
        self.server.should_exit = True
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive(), "the gateway did not end"


class Process:
    """A gateway in a process of its own, on a port that stays when it is started again."""

    def __init__(self, url: str, static: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._code = (
            "import sys; from pathlib import Path; from gateway.config import GatewayConfig; from gateway.server import serve\n"
            "url, port, secret, static = sys.argv[1:]\n"
            "serve(GatewayConfig(log_url=url, port=int(port), secret=secret, static_dir=Path(static)))"
        )
        self._arguments = (url, str(self.port), SECRET, str(static))
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", self._code, *self._arguments], stderr=subprocess.PIPE)
        eventually(lambda: self._process.poll() is None and self.health()[0] == 200, "the gateway's health")

    def health(self) -> tuple[int, dict[str, Any]]:
        return health(self.port)

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def end(self, kind: signal.Signals) -> tuple[int, str]:
        """Sends a signal and waits: (exit status, what it wrote to stderr)."""
        self._process.send_signal(kind)
        _, said = self._process.communicate(timeout=DEADLINE_S)
        return self._process.returncode, said.decode()


def health(port: int) -> tuple[int, dict[str, Any]]:
    """(status, answer) of `/health`; status 0 = nobody there."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        line.request("GET", "/health")
        answer = line.getresponse()
        return answer.status, json.loads(answer.read())
    except OSError:
        return 0, {}
    finally:
        line.close()


def config_for(url: str, static: Path, **fields: Any) -> GatewayConfig:
    """Loopback, a free port, the tests' secret."""
    settings: dict[str, Any] = {"log_url": url, "port": 0, "secret": SECRET, "static_dir": static} | fields
    return GatewayConfig(**settings)


@contextlib.contextmanager
def running(config: GatewayConfig, clock: Callable[[], int] = wall_ms, ws: type[asyncio.Protocol] | None = None) -> Iterator[Running]:
    """A gateway that ends with the block; `ws`: another websocket protocol class than ours."""
    gateway = Running(config, clock, ws)
    try:
        yield gateway
    finally:
        gateway.stop()


def token(user: str = "n-01", role: str = "nurse", wards: list[str] | None = None, **fields: Any) -> str:
    """A good token of the tests' secret."""
    settings: dict[str, Any] = {"now_s": time.time()} | fields
    return make_token(SECRET, user=user, role=role, wards=["4b"] if wards is None else wards, **settings)


Message = dict[str, Any]


class Viewer:
    """A client that keeps everything it was told."""

    def __init__(self, url: str, text: str | None = None, **options: Any) -> None:
        self._open = contextlib.ExitStack()
        settings: dict[str, Any] = {"compression": None, "ping_interval": None, "max_size": None} | options
        self.socket: ClientConnection = self._open.enter_context(connect(url, **settings))
        self.ledger: list[Message] = []
        if text is not None:
            self.send({"t": "auth", "token": text})

    def send(self, message: object) -> None:
        self.socket.send(message if isinstance(message, str) else msgspec.json.encode(message).decode())

    def sub(self, ward: str | None = "4b", patient: str | None = None, pos: object = None) -> Message:
        """Subscribes and waits for the key."""
        self.ask(ward, patient, pos)
        return self.until("key")

    def ask(self, ward: str | None = "4b", patient: str | None = None, pos: object = None) -> None:
        """Subscribes."""
        room = {"ward": ward} if patient is None else {"patient": patient}
        self.send({"t": "sub", **room} | ({} if pos is None else {"pos": pos}))

    def next(self) -> Message:
        message: Message = msgspec.json.decode(self.socket.recv(DEADLINE_S))
        self.ledger.append(message)
        return message

    def until(self, kind: str, wanted: Callable[[Message], bool] = lambda _: True) -> Message:
        """The next message of this kind that is wanted."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            message = self.next()
            if message["t"] == kind and wanted(message):
                return message
        raise AssertionError(f"no {kind} within {DEADLINE_S} s")

    def events(self, n: int) -> list[Message]:
        """The next n alert events."""
        return [self.until("ev") for _ in range(n)]

    def closed(self) -> tuple[int, str]:
        """Reads until the server closes: (code, reason)."""
        end = time.monotonic() + DEADLINE_S
        try:
            while time.monotonic() < end:
                self.next()
        except ConnectionClosed as error:
            received = error.rcvd
            return (received.code, received.reason) if received is not None else (1006, "")
        raise AssertionError("the server did not close")

    def position(self) -> Message:
        """What this viewer resumes from, as the board keeps it: the last `pos`, moved on by each event."""
        pos: Message = {}
        for message in self.ledger:
            if "pos" in message:
                pos = {"incarnation": message["pos"]["incarnation"], "offsets": list(message["pos"]["offsets"])}
            if message["t"] == "ev" and pos:
                pos["offsets"][message["s"]] = max(pos["offsets"][message["s"]], message["o"] + 1)
        return pos

    def close(self) -> None:
        """Cuts the line, as a pulled plug would: nothing is awaited."""
        with contextlib.suppress(OSError):
            self.socket.socket.shutdown(socket.SHUT_RDWR)
        self._open.close()


@contextlib.contextmanager
def viewing(url: str, text: str | None = None, **options: Any) -> Iterator[Viewer]:
    """A viewer that is closed with the block."""
    viewer = Viewer(url, text, **options)
    try:
        yield viewer
    finally:
        viewer.close()
