"""HTTP: the board's files, `/health`, `/metrics`, `/api/site`, and in the demo a door that hands out tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from gateway import metrics as prometheus
from gateway.auth import make_token
from gateway.config import GatewayConfig
from gateway.guards import origin_allowed
from gateway.hub import Hub

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
"""Ours, not the machine's: `/etc/mime.types` differs from host to host, and a module with a wrong type does not run."""
MAX_BODY_BYTES = 4096
DEMO_TOKEN_S = 8 * 3600


class DemoAsk(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST /demo-token`."""

    user: str


def nadi_version() -> str:
    """The version that is installed; `dev` in a tree that is not."""
    try:
        return version("nadi")
    except PackageNotFoundError:
        return "dev"


class ScriptLine(msgspec.Struct):
    """What happens `at_s` seconds after the start."""

    at_s: float
    text: str


class DemoScript(msgspec.Struct):
    """The file that the simulated ward leaves for its board."""

    start_ms: int
    script: list[ScriptLine]


class Files:
    """Files of one folder by their path in it; read again when they change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._read: dict[Path, tuple[int, int, bytes, str]] = {}

    def response(self, name: str, etags: str) -> Response:
        """The file, 304 when the client has it (`etags` = If-None-Match), else 404."""
        path = (self._folder / name).resolve() if name.isprintable() else self._folder
        kind = TYPES.get(path.suffix)
        if kind is None or not path.is_relative_to(self._folder) or not path.is_file():
            return PlainTextResponse("Not found.\n", 404)
        stat = path.stat()
        known = self._read.get(path)
        if known is None or known[:2] != (stat.st_mtime_ns, stat.st_size):
            body = path.read_bytes()
            known = self._read[path] = (stat.st_mtime_ns, stat.st_size, body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
        headers = {"etag": known[3], "cache-control": "no-cache"}
        if known[3] in (tag.strip().removeprefix("W/") for tag in etags.split(",")):
            return Response(status_code=304, headers=headers)
        return Response(known[2], headers=headers, media_type=kind)


class Pages:
    """The endpoints."""

    def __init__(self, config: GatewayConfig, hub: Hub, clock: Callable[[], int]) -> None:
        self._config, self._hub, self._clock = config, hub, clock
        self._files = Files(config.static_dir)
        self._version = nadi_version()

    async def index(self, request: Request) -> Response:
        """`GET /`."""
        return self._files.response("index.html", request.headers.get("if-none-match", ""))

    async def static(self, request: Request) -> Response:
        """`GET /static/{path}`."""
        return self._files.response(request.path_params["path"], request.headers.get("if-none-match", ""))

    async def health(self, _: Request) -> Response:
        """`GET /health`: 200 or 503."""
        code, answer = self._hub.status.health(self._hub.fold, self._clock(), len(self._hub.clients))
        return JSONResponse({**answer, "version": self._version}, code, headers={"cache-control": "no-store"})

    async def metrics(self, _: Request) -> Response:
        """`GET /metrics`: Prometheus text."""
        hub, now = self._hub, self._clock()
        text = prometheus.render(
            hub.metrics,
            clients=len(hub.clients),
            buffered_bytes=sum(c.unsent_bytes() for c in hub.clients),
            lag=hub.status.feed.lag,
            shard_age_ms=hub.status.shard_age_ms(hub.fold, now),
            ready=hub.status.health(hub.fold, now, 0)[0] == 200,
            repeats=hub.fold.repeats,
            history=hub.fold.history,
        )
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4", headers={"cache-control": "no-store"})

    async def site(self, _: Request) -> Response:
        """`GET /api/site`: what the sign-in page needs."""
        site: dict[str, object] = {"tz": self._config.tz, "demo": self._config.demo, "version": self._version}
        if self._config.demo:
            site["users"] = self._config.demo_users
            site.update(self._script())
        return JSONResponse(msgspec.to_builtins(site), headers={"cache-control": "no-store"})

    def _script(self) -> dict[str, object]:
        """`start_ms` and `script` of the simulated ward, once it has begun."""
        if self._config.script_file is None:
            return {}
        try:
            return msgspec.structs.asdict(msgspec.json.decode(self._config.script_file.read_bytes(), type=DemoScript))
        except (OSError, msgspec.MsgspecError):
            return {}

    async def demo_token(self, request: Request) -> Response:
        """`POST /demo-token`: a token for a demo user; the route exists in the demo only."""
        if not origin_allowed(request.headers, self._config) or not request.headers.get("content-type", "").startswith("application/json"):
            return PlainTextResponse("Not allowed.\n", 403)
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                return PlainTextResponse("Too large.\n", 413)
        try:
            name = msgspec.json.decode(body, type=DemoAsk).user
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return PlainTextResponse('Give {"user": ...}.\n', 400)
        user = next((u for u in self._config.demo_users if u.user == name), None)
        if user is None:
            return PlainTextResponse("No such demo user.\n", 404)
        assert self._config.secret is not None, "GatewayConfig.check was not called"
        token = make_token(
            self._config.secret,
            user=user.user,
            role=user.role,
            wards=user.wards,
            now_s=self._clock() / 1000,
            lifetime_s=DEMO_TOKEN_S,
            initials=user.initials,
        )
        return JSONResponse({"token": token}, headers={"cache-control": "no-store"})
