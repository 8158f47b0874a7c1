"""The two ways to a client: uvicorn's transport, written without waiting, or plain ASGI for other servers; and a rate limit."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, cast

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from gateway import wire
from gateway.client import Line
from gateway.protocol import CLOSE_GRACE_S, RAW, GatewayWs

if TYPE_CHECKING:
    from starlette.types import Scope

BURST_S = 2.0


class Bucket:
    """A token bucket: `rate` a second, bursts of twice as many."""

    def __init__(self, rate: float, now_s: float) -> None:
        self._rate, self._left, self._at = rate, rate * BURST_S, now_s

    def take(self, now_s: float) -> bool:
        """One more; False when there were too many."""
        self._left = min(self._rate * BURST_S, self._left + (now_s - self._at) * self._rate)
        self._at = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


class RawLine:
    """Writes to uvicorn's transport, without waiting."""

    def __init__(self, raw: GatewayWs) -> None:
        self._raw = raw

    @property
    def usable(self) -> bool:
        return self._raw.usable

    def write(self, data: bytes) -> None:
        self._raw.transport.write(data)

    def unsent_bytes(self) -> int:
        return self._raw.transport.get_write_buffer_size()

    def close(self, code: int, reason: str) -> None:
        self._raw.close_now(code, reason, CLOSE_GRACE_S)

    async def finish(self) -> None:
        """Nothing: the transport writes by itself."""


class AsgiLine:
    """The fall-back for servers other than ours (Starlette's test client): one task sends what `write` queued."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._queue: list[bytes] = []
        self._task: asyncio.Task[None] | None = None
        self._closing: tuple[int, str] | None = None

    @property
    def usable(self) -> bool:
        return self._closing is None and self._socket.application_state is WebSocketState.CONNECTED

    def write(self, data: bytes) -> None:
        self._queue += wire.payloads_of(data)
        self._run()

    def unsent_bytes(self) -> int:
        return sum(map(len, self._queue))

    def close(self, code: int, reason: str) -> None:
        self._closing = (code, reason)
        self._run()

    async def finish(self) -> None:
        """Waits a moment for what is being sent: the server ends the connection when the application returns."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=CLOSE_GRACE_S)

    def _run(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while self._queue:
                await self._socket.send_text(self._queue[0].decode())
                del self._queue[0]
            if self._closing is not None:
                await self._socket.close(*self._closing)


def raw_of(scope: Scope) -> GatewayWs | None:
    """Our protocol object behind a connection, if it is ours."""
    return cast("GatewayWs | None", scope.get("extensions", {}).get(RAW))


def line_to(socket: WebSocket) -> Line:
    """The best way to a client."""
    raw = raw_of(socket.scope)
    return AsgiLine(socket) if raw is None else RawLine(raw)


async def close(socket: WebSocket, code: int, reason: str) -> None:
    """Closes a connection that has no client yet."""
    raw = raw_of(socket.scope)
    if raw is not None:
        raw.close_now(code, reason, CLOSE_GRACE_S)
        return
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await socket.close(code, reason)


async def unavailable(socket: WebSocket) -> None:
    """Answers a handshake with 503 and when to come back."""
    if "websocket.http.response" not in socket.scope.get("extensions", {}):
        await socket.close()
        return
    headers = [(b"retry-after", b"2"), (b"content-length", b"0")]
    await socket.send({"type": "websocket.http.response.start", "status": 503, "headers": headers})
    await socket.send({"type": "websocket.http.response.body", "body": b""})
