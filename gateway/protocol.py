"""uvicorn's two protocol classes with what a clinical gateway needs besides: the transport for shared frames, and cheap guards.

They use hooks of uvicorn that are not its public interface (pinned; `tests/test_gateway_pages.py` checks that they exist).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.exceptions import InvalidState
from websockets.http11 import Request

RAW = "nadi.raw"
"""Key of the protocol object in `scope["extensions"]`."""
TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
NOTSENT_BYTES = 16384
"""Unsent bytes that the kernel takes; without it a loopback socket hides 3.9 MB from us."""
WRITE_HIGH, WRITE_LOW = 65536, 16384
CLOSE_GRACE_S = 1.0
"""How long a peer that was told to close may take; one that does not read never sees the close frame."""
MAX_FRAGMENTS = 64
MAX_PINGS, PING_WINDOW_S = 20, 10.0

_quiet = logging.getLogger("nadi.gateway.websocket")
_quiet.setLevel(logging.WARNING)


class GatewayHttp(HttpToolsProtocol):
    """Closes a connection whose first request header is not whole in time."""

    header_s = 5.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self.header_s, transport.abort)

    def on_headers_complete(self) -> None:
        self._disarm()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class GatewayWs(WebSocketsSansIOProtocol):
    """Exposes itself to the application as `scope["extensions"]["nadi.raw"]`; refuses floods and anything in the address."""

    _pings = 0
    _window_s = 0.0

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn.logger = _quiet  # the library logs whole requests at debug level
        self.conn.debug = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        stream = cast("asyncio.Transport", transport)
        stream.set_write_buffer_limits(high=WRITE_HIGH, low=WRITE_LOW)
        peer = stream.get_extra_info("socket")
        if peer is not None and peer.family != getattr(socket, "AF_UNIX", None):
            peer.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOTSENT_BYTES)

    def handle_connect(self, event: Request) -> None:
        if "?" in event.path:
            # A token in an address ends in logs and histories: nothing is taken there, and the address is not logged.
            self.handshake_initiated = self.handshake_complete = self.close_sent = True
            self.conn.send_response(self.conn.reject(400, "No query on this address. The token goes into the first message.\n"))
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()
            return
        super().handle_connect(event)
        scope = getattr(self, "scope", None)
        if scope is not None:
            scope["extensions"][RAW] = self

    def handle_ping(self) -> None:
        now_s = self.loop.time()
        if now_s - self._window_s > PING_WINDOW_S:
            self._window_s, self._pings = now_s, 0
        self._pings += 1
        if self._pings > MAX_PINGS or self.transport.get_write_buffer_size() > WRITE_HIGH:
            self.conn.data_to_send()  # the pongs
            self.close_now(1008, "too many pings")
            return
        super().handle_ping()

    def handle_cont(self, event: Any) -> None:
        if len(self.frames) >= MAX_FRAGMENTS:
            self.frames = []
            self.close_now(1009, "too many fragments")
            return
        if not self.close_sent:
            super().handle_cont(event)

    @property
    def usable(self) -> bool:
        """Frames may be written."""
        return self.handshake_complete and not self.close_sent and not self.disconnected and not self.transport.is_closing()

    def close_now(self, code: int, reason: str, grace_s: float = CLOSE_GRACE_S) -> None:
        """Sends a close frame without waiting for anyone, tells the application, and cuts the line after the grace."""
        if not self.usable:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        try:
            self.conn.send_close(code, reason)
        except InvalidState:  # the peer is closing already
            self.transport.abort()
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(grace_s, self.transport.abort)
