"""A scripted ward behind the real gateway, for the board's tests and pictures: what `monitor` would say, a cable that can be cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from gateway.config import DemoUser
from operators.alerting.episode import answered, commanded
from schemas.events import AlertEvent
from schemas.facts import Command
from tests.support.browser import STATIC, Board
from tests.support.gateway import Running, config_for, eventually, running
from tests.support.scene import BEDS, Scene

USERS = [
    DemoUser(user="n-01", role="nurse", wards=["4b"], initials="NA"),
    DemoUser(user="n-02", role="nurse", wards=["4b"], initials="KL"),
    DemoUser(user="v-01", role="viewer", wards=["4b"], initials="VW"),
]
JUMP = "const real = performance.now.bind(performance); window.jump_ms = 0; performance.now = () => real() + window.jump_ms;"
"""Lets a test move the page's clock on: `window.jump_ms = 61000`."""
STILL = "window.jump_ms = 0; performance.now = () => 1000 + window.jump_ms;"
"""Stops the page's clock: ages stay as they are."""


Open = Callable[..., Board]
"""Opens a signed-in screen: (address, user, role, live, size, options of the browser's context)."""


class Ward:
    """The scene, its gateway, and what `monitor` would do with commands."""

    def __init__(self, scene: Scene, gateway: Running) -> None:
        self.scene, self.gateway = scene, gateway

    def commands(self) -> list[Command]:
        """What lies on `alert-commands`."""
        return [msgspec.json.decode(value, type=Command) for _, value in self.scene.records("alert-commands") if value is not None]

    def answer(self, command: Command) -> AlertEvent:
        """The one event of a command, by the life cycle that `monitor` uses."""
        at_ms = self.scene.now()
        if command.kind == "observe":
            return self.scene.tell(answered(command.patient, "observed", command.id, command.by, at_ms))
        state = self.scene.alerts.get(command.alert or "")
        step = commanded(state, command.kind, command.by, command.role, command.id, at_ms)
        if isinstance(step, str):
            return self.scene.tell(answered(command.patient, "refused", command.id, command.by, at_ms, step, command.alert))
        return self.scene.tell(step[1])

    def refuse(self, command: Command, reason: str) -> AlertEvent:
        """A refusal, as `monitor` or `ingest` would say it."""
        return self.scene.tell(answered(command.patient, "refused", command.id, command.by, self.scene.now(), reason, command.alert))


@contextlib.contextmanager
def beating(scene: Scene, beat_s: float = 0.5) -> Iterator[threading.Event]:
    """Lets the scene's time go on while the block runs; the event, once set, makes time stand still."""
    stop, still = threading.Event(), threading.Event()

    def beat() -> None:
        while not stop.wait(beat_s):
            if not still.is_set():
                scene.beat()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield still
    finally:
        stop.set()
        thread.join()


@contextlib.contextmanager
def ward_of(folder: Path, history: bool = False, still: bool = False, **settings: Any) -> Iterator[Ward]:
    """The scene behind a gateway that is ready."""
    with contextlib.closing(Scene(folder, still)) as scene:
        scene.set_up(history)
        config = config_for(scene.url, STATIC, **({"demo_users": USERS, "beds": {"4b": BEDS}, "clock": "stream"} | settings))
        with running(config) as gateway:
            eventually(lambda: gateway.phase() == "ready", "the gateway")
            yield Ward(scene, gateway)


class Wire:
    """A cable between a browser and a gateway that can be cut: bytes pass both ways until `cut`, and again after `mend`."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._whole = True
        self._flowing = threading.Event()
        self._flowing.set()
        self._pairs: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ended = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Everything stops; new connections are refused at once."""
        self._whole = False
        for end in self._pairs:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def hold(self) -> None:
        """Nothing passes any more, and nobody is told: a dead radio link."""
        self._flowing.clear()

    def mend(self, port: int | None = None) -> None:
        """Connections pass again, perhaps to another gateway."""
        self._to = self._to if port is None else port
        self._whole = True
        self._flowing.set()

    def close(self) -> None:
        self._ended = True
        self._flowing.set()
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self._whole:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._to), timeout=5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            self._pairs += [near, far]
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flowing.wait()
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
