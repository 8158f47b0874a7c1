"""One websocket from handshake to end: sign-in by the first frame, then subscriptions and commands.

Whatever a client sends is judged here and answered by a close code or a `refused`; nothing of it reaches a log line.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import cast

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway import wire
from gateway.auth import Claims, Refused, Tokens
from gateway.client import Client
from gateway.commands import Cmd, CommandWriter, Outcome, command
from gateway.guards import origin_allowed
from gateway.hub import Hub
from gateway.line import Bucket, close, line_to, unavailable
from gateway.report import report

MAX_ROOM_CHARS = 128
_logger = logging.getLogger("nadi.gateway.session")


class Head(msgspec.Struct):
    """What kind of message it is, and its id if it has one."""

    t: str
    id: str = ""


class Auth(msgspec.Struct, forbid_unknown_fields=True, tag_field="t", tag="auth"):
    """The first frame."""

    token: str


class Position(msgspec.Struct, forbid_unknown_fields=True):
    """Where the client left off: next offsets of `alerts`."""

    incarnation: str
    offsets: list[int]


class Sub(msgspec.Struct, forbid_unknown_fields=True, tag_field="t", tag="sub"):
    """A subscription: a ward or a patient."""

    ward: str | None = None
    patient: str | None = None
    pos: Position | None = None


_head = msgspec.json.Decoder(Head).decode
_auth = msgspec.json.Decoder(Auth).decode
_sub = msgspec.json.Decoder(Sub).decode
_cmd = msgspec.json.Decoder(Cmd).decode


class Leave(Exception):
    """The connection ends with this close code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Door:
    """Lets connections in and runs their sessions."""

    def __init__(self, hub: Hub, tokens: Tokens, commands: CommandWriter, clock: Callable[[], int]) -> None:
        self._hub, self._tokens, self._commands, self._clock = hub, tokens, commands, clock
        self._loop = asyncio.get_running_loop()
        self._unsigned = 0

    async def endpoint(self, socket: WebSocket) -> None:
        """The ASGI endpoint of `/ws`."""
        limits = self._hub.config.limits
        if not origin_allowed(socket.headers, self._hub.config):
            await socket.close()  # before accept: 403
            return
        if self._unsigned >= limits.unauthenticated or len(self._hub.clients) >= limits.connections or self._hub.status.draining:
            await unavailable(socket)
            return
        self._unsigned += 1
        client: Client | None = None
        try:
            offered = cast("list[str]", socket.scope.get("subprotocols", []))
            await socket.accept(wire.PROTOCOL if wire.PROTOCOL in offered else None)
            claims = await self._sign_in(socket)
            client = Client(line_to(socket), claims)
            self._welcome(client)
        except Leave as leave:
            await close(socket, leave.code, leave.reason)
            return
        except (WebSocketDisconnect, RuntimeError):
            return
        finally:
            self._unsigned -= 1
        await self._serve(socket, client)

    async def _sign_in(self, socket: WebSocket) -> Claims:
        try:
            async with asyncio.timeout(self._hub.config.limits.auth_s):
                text = await _text(socket)
        except TimeoutError:
            raise Leave(wire.NO_AUTH, "no sign-in") from None
        try:
            token = _auth(text).token
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise Leave(wire.BAD_REQUEST, "the first message must be auth") from None
        try:
            return self._tokens.verify(token, self._clock() / 1000)
        except Refused as refused:
            self._hub.metrics.token_refused(refused.reason)
            raise Leave(*((wire.EXPIRED, "token expired") if refused.reason == "expired" else (wire.BAD_TOKEN, "bad token"))) from None

    def _welcome(self, client: Client) -> None:
        if not self._hub.join(client):
            raise Leave(wire.TOO_MANY, "too many connections")
        hub, claims = self._hub, client.claims
        welcome: dict[str, object] = {
            "v": wire.PROTOCOL_VERSION,
            "user": claims.user,
            "role": claims.role,
            "wards": hub.wards(client),
            "now_ms": hub.now_ms(),
            "tz": hub.config.tz,
            "heartbeat_ms": wire.HEARTBEAT_MS,
            "incarnation": hub.status.incarnation,
            "demo": hub.config.demo,
        }
        if claims.initials:
            welcome["ini"] = claims.initials
        hub.put(client, wire.message("welcome", welcome))

    async def _serve(self, socket: WebSocket, client: Client) -> None:
        limits, now_s = self._hub.config.limits, self._loop.time()
        messages, commands = Bucket(limits.messages_per_s, now_s), Bucket(limits.commands_per_s, now_s)
        try:
            while not client.closed:
                text = await _text(socket)
                if not messages.take(self._loop.time()):
                    raise Leave(wire.RATE, "too many messages")
                self._handle(client, text, commands)
        except Leave as leave:
            self._hub.close(client, leave.code, leave.reason)
        except (WebSocketDisconnect, RuntimeError):
            pass
        except Exception as error:  # noqa: BLE001 - one client's fault must not show its data in a log, nor end others
            report(_logger, "a session failed", error)
            self._hub.close(client, 1011, "internal error")
        finally:
            self._hub.leave(client)
            await client.line.finish()

    def _handle(self, client: Client, text: str, commands: Bucket) -> None:
        try:
            head = _head(text)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise Leave(wire.BAD_REQUEST, "not a message") from None
        if head.t == "sub":
            self._subscribe(client, text)
        elif head.t == "cmd":
            self._command(client, head, text, commands)
        else:
            raise Leave(wire.BAD_REQUEST, "unknown message")

    def _subscribe(self, client: Client, text: str) -> None:
        try:
            sub = _sub(text)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise Leave(wire.BAD_REQUEST, "bad subscription") from None
        if (sub.ward is None) == (sub.patient is None) or not 0 < len(sub.ward or sub.patient or "") <= MAX_ROOM_CHARS:
            raise Leave(wire.BAD_REQUEST, "bad subscription")
        resume = None if sub.pos is None else (sub.pos.incarnation, sub.pos.offsets)
        room: tuple[wire.Kind, str] = ("ward", sub.ward) if sub.ward is not None else ("patient", sub.patient or "")
        self._hub.subscribe(client, room, resume)

    def _command(self, client: Client, head: Head, text: str, commands: Bucket) -> None:
        if not commands.take(self._loop.time()):
            self._refuse(client, head.id, "rate")
            return
        try:
            asked = _cmd(text)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self._refuse(client, head.id, "bad_shape")
            return
        claims = client.claims
        if not claims.may_command() or not claims.may_see(self._hub.fold.ward_of(asked.patient)):
            self._refuse(client, asked.id, "not_allowed")
            return
        wanted = command(asked, claims)
        if isinstance(wanted, str):
            self._refuse(client, asked.id, wanted)
            return

        def done(outcome: Outcome) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended; nobody is there to tell
                self._loop.call_soon_threadsafe(self._answer, client, asked.id, outcome)

        self._commands.submit(wanted, done)

    def _answer(self, client: Client, name: str, outcome: Outcome) -> None:
        if outcome is not None:
            self._refuse(client, name, outcome)
            return
        self._hub.metrics.commands_taken += 1
        if not client.closed:
            self._hub.put(client, wire.message("taken", {"id": name}))

    def _refuse(self, client: Client, name: str, reason: str) -> None:
        self._hub.metrics.commands_refused += 1
        if not client.closed:
            self._hub.put(client, wire.message("refused", {"id": name[:64], "reason": reason}))


async def _text(socket: WebSocket) -> str:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1006))
    text = message.get("text")
    if text is None:
        raise Leave(wire.BAD_REQUEST, "text frames only")
    return str(text)
