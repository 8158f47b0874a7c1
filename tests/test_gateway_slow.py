"""A client that does not read: it is closed, the others notice nothing, and nothing piles up."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.auth import Claims
from gateway.client import BEHIND_BYTES, Client
from gateway.config import Limits
from tests.support.gateway import HR, Hospital, Running, beat_of, config_for, eventually, person, running, token, viewing

CLAIMS = Claims("n-01", "nurse", frozenset(["4b"]), 2e9, "")


@pytest.fixture
def hospital(sqlite_log_url: str) -> Iterator[Hospital]:
    made = Hospital(sqlite_log_url)
    made.admit(person("p-1"), person("p-2"))
    made.key()
    yield made
    made.close()


def masked(payload: bytes, opcode: int = 1, fin: bool = True) -> bytes:
    """A client's frame, with a mask of zeros."""
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else struct.pack("!BH", 0x80 | 126, len(payload))
    return bytes([fin << 7 | opcode]) + size + bytes(4) + payload


def handshake(port: int, path: str = "/ws") -> socket.socket:
    """A websocket without a library behind it: it reads only when the test does."""
    line = socket.create_connection(("127.0.0.1", port))
    name = base64.b64encode(bytes(16)).decode()
    line.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {name}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += line.recv(1)
    assert head.startswith(b"HTTP/1.1 101"), head
    return line


def stalled(gateway: Running) -> socket.socket:
    """Signed in and subscribed, and never reads again."""
    line = handshake(gateway.port)
    line.sendall(masked(json.dumps({"t": "auth", "token": token("stalled")}).encode()) + masked(b'{"t":"sub","ward":"4b"}'))
    return line


def clients(gateway: Running) -> set[str]:
    application = gateway.server.application.gateway
    assert application is not None
    return {c.claims.user for c in list(application.hub.clients) if c.room is not None and not c.waiting}


def ready(gateway: Running) -> None:
    eventually(lambda: gateway.phase() == "ready", "ready")


def test_a_stalled_client_is_closed_and_harms_no_other(hospital: Hospital, tmp_path: Path) -> None:
    limits = Limits(buffered_bytes=32 * 1024)
    with running(config_for(hospital.url, tmp_path, limits=limits)) as gateway, viewing(gateway.ws, token("healthy")) as healthy:
        ready(gateway)
        healthy.sub()
        with contextlib.closing(stalled(gateway)):
            eventually(lambda: clients(gateway) == {"healthy", "stalled"}, "both")
            raised: list[str] = []
            while gateway.metric("slow_closes") == 0:
                assert len(raised) < 20_000, "nobody was closed"
                raised += [hospital.raise_alert("p-1").id for _ in range(50)]
                seen = healthy.events(50)
                assert [e["e"]["id"] for e in seen] == raised[-50:]
            assert clients(gateway) == {"healthy"}
            last = hospital.raise_alert("p-2")
            assert healthy.until("ev")["e"]["id"] == last.id


def test_a_client_that_reads_nothing_for_too_long_is_closed_however_little_waits(hospital: Hospital, tmp_path: Path) -> None:
    limits = Limits(unsent_s=0.3, buffered_bytes=1 << 30)
    with running(config_for(hospital.url, tmp_path, limits=limits)) as gateway, viewing(gateway.ws, token("healthy")) as healthy:
        ready(gateway)
        healthy.sub()
        with contextlib.closing(stalled(gateway)):
            eventually(lambda: clients(gateway) == {"healthy", "stalled"}, "both")
            for _ in range(400):
                hospital.raise_alert("p-1")
            healthy.events(400)
            eventually(lambda: gateway.metric("slow_closes") == 1 and clients(gateway) == {"healthy"}, "the close")


class Line:
    """A line whose other end takes what the test lets it take."""

    def __init__(self) -> None:
        self.usable = True
        self.unsent = 0
        self.written: list[bytes] = []
        self.closed: tuple[int, str] | None = None

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self.unsent += len(data)

    def unsent_bytes(self) -> int:
        return self.unsent

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    async def finish(self) -> None:
        pass


LIMITS = Limits(buffered_bytes=1000, unsent_s=10.0)


def test_one_write_a_flush_and_a_single_frame_is_the_shared_object() -> None:
    line, frame = Line(), b"x" * 50
    client = Client(line, CLAIMS)
    client.put(frame)
    assert client.flush(0.0, LIMITS)
    assert line.written[0] is frame
    client.put(b"a")
    client.put(b"b")
    client.flush(0.0, LIMITS)
    assert line.written[1] == b"ab"
    client.flush(0.0, LIMITS)
    assert len(line.written) == 2


def test_the_bound_counts_what_was_not_taken() -> None:
    client = Client(Line(), CLAIMS)
    for _ in range(10):
        client.put(b"x" * 100)
        assert client.flush(0.0, LIMITS)
    client.put(b"x")
    assert not client.flush(0.0, LIMITS)


def test_a_large_key_is_not_held_against_a_client_that_takes_it() -> None:
    line, limits = Line(), Limits(buffered_bytes=1000)
    client = Client(line, CLAIMS)
    client.put_key([b"k" * 100_000])
    assert client.flush(0.0, limits)
    line.unsent = 90_000
    client.put(b"x" * 500)
    assert client.flush(0.1, limits)
    assert not client.is_slow(15.0, limits)
    assert client.is_slow(31.0, limits)
    line.unsent = 0
    client.put(b"y")
    assert client.flush(32.0, limits)
    assert client.grace_bytes == 0


def test_age_is_that_of_the_oldest_unsent_byte() -> None:
    line = Line()
    client = Client(line, CLAIMS)
    for at in range(5):
        client.put(b"x" * 100)
        client.flush(float(at * 3), LIMITS)
        line.unsent = min(line.unsent, 150)  # slow, but it reads: the oldest is never older than two writes
    assert not client.is_slow(13.0, LIMITS)
    assert client.is_slow(12.0 + 10.1, LIMITS)
    line.unsent = 0
    assert not client.is_slow(100.0, LIMITS)


def test_values_wait_behind_a_full_line_and_alerts_do_not() -> None:
    line = Line()
    client = Client(line, CLAIMS)
    states = []
    for unsent, held in ((0, set()), (BEHIND_BYTES, set()), (BEHIND_BYTES + 1, set()), (BEHIND_BYTES, {"p-1"}), (0, {"p-1"})):
        line.unsent, client.held = unsent, held
        states.append((client.behind, client.caught_up))
    assert states == [(False, True), (False, False), (True, False), (True, False), (True, True)]


def read_frames(line: socket.socket, until: str) -> list[dict[str, Any]]:
    """Reads until a text frame that contains `until`."""
    line.settimeout(20)
    stream = line.makefile("rb")
    found: list[dict[str, Any]] = []
    while not found or until not in json.dumps(found[-1]):
        head = stream.read(2)
        size = head[1]
        if size >= 126:
            size = int.from_bytes(stream.read(2 if size == 126 else 8), "big")
        payload = stream.read(size)
        if head[0] & 15 == 1:
            found.append(json.loads(payload))
    return found


def test_who_falls_behind_gets_the_newest_value_and_every_alert(hospital: Hospital, tmp_path: Path) -> None:
    limits = Limits(buffered_bytes=1 << 30, unsent_s=1000)
    with running(config_for(hospital.url, tmp_path, limits=limits)) as gateway, viewing(gateway.ws, token("healthy")) as healthy:
        ready(gateway)
        healthy.sub()
        with contextlib.closing(stalled(gateway)) as line:
            eventually(lambda: clients(gateway) == {"healthy", "stalled"}, "both")
            application = gateway.server.application.gateway
            assert application is not None
            slow = next(c for c in application.hub.clients if c.claims.user == "stalled")
            raised: list[str] = []
            while not slow.behind:
                raised += [hospital.raise_alert("p-1").id for _ in range(100)]
                healthy.events(100)
            for hr in (100.0, 101.0, 102.0):
                hospital.delta(beat_of("p-1", hr, hospital.now()))
                healthy.until("live", lambda m, hr=hr: bool(m["frames"]) and m["frames"][0]["vitals"][HR][0]["value"] == hr)  # type: ignore[misc]
            assert slow.held == {"p-1"}
            raised.append(hospital.raise_alert("p-2").id)
            told = read_frames(line, "102.0")
        assert [m["e"]["id"] for m in told if m["t"] == "ev"] == raised
        values = [f["vitals"][HR][0]["value"] for m in told if m["t"] == "live" for f in m["frames"]]
        assert values == [102.0]
        assert gateway.metric("conflated") >= 2


def test_floods_are_cut(hospital: Hospital, tmp_path: Path) -> None:
    with running(config_for(hospital.url, tmp_path)) as gateway:
        floods = {
            1008: masked(b"p" * 100, opcode=9) * 5000,
            1009: masked(b"a", fin=False) + masked(b"", opcode=0, fin=False) * 5000,
        }
        for code, flood in floods.items():
            with contextlib.closing(handshake(gateway.port)) as line:
                with contextlib.suppress(OSError):
                    line.sendall(flood)
                assert close_code(line) in {code, None}
        with contextlib.closing(handshake(gateway.port)) as line:
            with contextlib.suppress(OSError):
                line.sendall(b"\x81" + struct.pack("!BQ", 0x80 | 127, 70_000) + bytes(4) + b"a" * 70_000)
            assert close_code(line) in {1009, None}
        ready(gateway)


def close_code(line: socket.socket) -> int | None:
    """The code of the close frame; None when the line was cut before it could be read."""
    line.settimeout(20)
    data = b""
    with contextlib.suppress(ConnectionError):
        while chunk := line.recv(65536):
            data += chunk
    at = data.rfind(b"\x88")
    return struct.unpack("!H", data[at + 2 : at + 4])[0] if at >= 0 else None


def test_half_a_header_and_silence_are_cut(hospital: Hospital, tmp_path: Path) -> None:
    with running(config_for(hospital.url, tmp_path, limits=Limits(header_s=0.1))) as gateway:
        for sent in (b"", b"GET /ws HTTP/1.1\r\nHost: x\r\nX-a: "):
            with contextlib.closing(socket.create_connection(("127.0.0.1", gateway.port))) as line:
                line.sendall(sent)
                assert close_code(line) is None


def test_the_limit_of_connections(hospital: Hospital, tmp_path: Path) -> None:
    limits = Limits(per_user=2)
    with running(config_for(hospital.url, tmp_path, limits=limits)) as gateway:
        with viewing(gateway.ws, token()) as one, viewing(gateway.ws, token()) as two:
            one.until("welcome")
            two.until("welcome")
            with viewing(gateway.ws, token()) as three:
                assert three.closed()[0] == 4504
            with viewing(gateway.ws, token("other")) as other:
                other.until("welcome")
        eventually(lambda: not clients(gateway), "all left")
        with viewing(gateway.ws, token()) as again:
            again.until("welcome")
