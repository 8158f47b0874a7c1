"""The gateway as a process: Starlette on uvicorn, one thread that reads the log, one that writes commands."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from gateway.auth import Tokens, tokens
from gateway.commands import CommandWriter
from gateway.config import GatewayConfig
from gateway.feed import Began, Feed, Part, Said, wall_ms
from gateway.fold import Fold
from gateway.guards import Guards
from gateway.hub import Hub
from gateway.metrics import Metrics
from gateway.pages import Pages
from gateway.protocol import GatewayHttp, GatewayWs
from gateway.report import report
from gateway.session import Door
from schemas.events import AlertEvent, LiveFrame, TrendFrame

BACKLOG = 2048
KEEP_ALIVE_S = 15
GRACEFUL_S = 5
GC_THRESHOLDS = (50_000, 20, 100)
"""A full collection stalls alerts for 300 ms at 5,000 connections; with these and a frozen start it is 23 ms."""
_logger = logging.getLogger("nadi.gateway")


class Gateway:
    """The parts of a running gateway, joined."""

    def __init__(self, config: GatewayConfig, verifier: Tokens, clock: Callable[[], int]) -> None:
        self._loop = asyncio.get_running_loop()
        self._config = config
        self.hub = Hub(config, clock, Metrics())
        self.commands = CommandWriter(config.log_url)
        self.door = Door(self.hub, verifier, self.commands, clock)
        self.pages = Pages(config, self.hub, clock)
        self.feed = Feed(config.log_url, config.limits, clock, self._post)

    def start(self) -> None:
        """Starts threads and timers."""
        self.hub.start()
        self.commands.start()
        self.feed.start()

    async def stop(self) -> None:
        """Ends them; waits for what was being written."""
        self.hub.stop()
        self.feed.end()
        self.commands.end()
        for thread in (self.feed, self.commands):
            await asyncio.to_thread(thread.join, GRACEFUL_S)

    def _post(self, said: Said) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._take, said)

    def _take(self, said: Said) -> None:
        if isinstance(said, Began):
            limits = self._config.limits
            self.hub.begin(Fold(said.alert_starts, limits.ring_events, limits.ring_bytes), said.incarnation)
            return
        try:
            self._apply(said)
        finally:
            self.feed.taken()

    def _apply(self, part: Part) -> None:
        fold = self.hub.fold
        for item in part.items:
            match item.said:
                case AlertEvent():
                    fold.apply_alert(item.partition, item.offset, item.append_ms, item.said, item.value)
                case LiveFrame():
                    fold.apply_live(item.append_ms, item.said)
                case TrendFrame():
                    fold.apply_trend(item.said)
                case None:
                    self.hub.metrics.unreadable += 1
                    if item.topic == "alerts":
                        fold.skip_alert(item.partition, item.offset)
        self.hub.applied(part.state)


class Application:
    """The ASGI application; the gateway lives from lifespan start-up to shutdown."""

    def __init__(self, config: GatewayConfig, verifier: Tokens, clock: Callable[[], int]) -> None:
        self._config, self._verifier, self._clock = config, verifier, clock
        self.gateway: Gateway | None = None
        self._app = Guards(Starlette(lifespan=self._lifespan, routes=[WebSocketRoute("/ws", self._ws), *self._routes()]), config)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection. Starlette has answered 500 when an error comes up to here; its text stays out of the log."""
        try:
            await self._app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - uvicorn would print the whole trace, with what the request said
            report(_logger, "a request failed", error)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self.gateway = Gateway(self._config, self._verifier, self._clock)
        self.gateway.start()
        try:
            yield
        finally:
            await self.gateway.stop()

    @property
    def _running(self) -> Gateway:
        assert self.gateway is not None, "the lifespan has not started"
        return self.gateway

    async def _ws(self, socket: WebSocket) -> None:
        await self._running.door.endpoint(socket)

    def _routes(self) -> list[Route]:
        def page(name: str) -> Callable[[Request], Awaitable[Response]]:
            async def endpoint(request: Request) -> Response:
                answer: Response = await getattr(self._running.pages, name)(request)
                return answer

            return endpoint

        routes = [
            Route("/", page("index")),
            Route("/static/{path:path}", page("static")),
            Route("/health", page("health")),
            Route("/metrics", page("metrics")),
            Route("/api/site", page("site")),
        ]
        if self._config.demo:
            routes.append(Route("/demo-token", page("demo_token"), methods=["POST"]))
        return routes


class Server(uvicorn.Server):
    """uvicorn, with a word to the viewers before their connections end."""

    def __init__(self, config: uvicorn.Config, application: Application) -> None:
        super().__init__(config)
        self.application = application

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops listening, tells everyone to come back, then ends."""
        for listening in self.servers:
            listening.close()
        if self.application.gateway is not None:
            await self.application.gateway.hub.drain()
        await super().shutdown(sockets)


def make_server(config: GatewayConfig, clock: Callable[[], int] = wall_ms) -> Server:
    """A server that is ready to run. Raises ConfigError for settings that must not start."""
    config.check()
    application = Application(config, tokens(config), clock)
    http = type("Http", (GatewayHttp,), {"header_s": config.limits.header_s})
    settings = uvicorn.Config(
        application,
        host=config.host,
        port=config.port,
        loop="uvloop",
        http=http,
        ws=GatewayWs,
        ws_max_size=config.limits.message_bytes,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACEFUL_S,
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        lifespan="on",
    )
    return Server(settings, application)


def serve(config: GatewayConfig) -> None:
    """Runs until SIGTERM or SIGINT, then drains. Raises ConfigError for settings that must not start."""
    server = make_server(config)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    # uvicorn raises the signal again after a clean end; an end that was asked for is no failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
