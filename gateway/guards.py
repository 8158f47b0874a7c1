"""What is checked before anything is answered: the host that was asked for, the page that asks, the address itself; and headers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.config import GatewayConfig, is_loopback

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
SECURITY_HEADERS: Mapping[str, str] = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
SECRET_PARAMETERS = frozenset(("token", "access_token", "auth", "jwt"))
DEFAULT_PORTS = {"http": 80, "https": 443}


def _host_port(authority: str, scheme: str) -> tuple[str, int] | None:
    """(host in lower case, port), or None for what is none."""
    try:
        parts = urlsplit(f"//{authority}")
        if parts.username is not None or parts.path or not parts.hostname:
            return None
        return parts.hostname, parts.port or DEFAULT_PORTS[scheme]
    except ValueError:
        return None


def origin_allowed(headers: Headers, config: GatewayConfig) -> bool:
    """True for the gateway's own pages, for allowed origins, and for programs (browsers always send an Origin)."""
    origins = headers.getlist("origin")
    if not origins:
        return True
    if len(origins) > 1:
        return False
    origin = origins[0]
    if origin in config.allowed_origins:
        return True
    parts = urlsplit(origin)
    if parts.scheme not in DEFAULT_PORTS or parts.path or parts.query or parts.fragment:
        return False
    asked = _host_port(headers.get("host", ""), parts.scheme)
    return asked is not None and _host_port(parts.netloc, parts.scheme) == asked


def host_allowed(headers: Headers, config: GatewayConfig) -> bool:
    """On a loopback address only local names are answered: a foreign name that resolves here is another site's page (DNS rebinding)."""
    if not config.loopback:
        return True
    asked = _host_port(headers.get("host", ""), "http")
    if asked is None:
        return False
    return is_loopback(asked[0]) or asked[0] in {urlsplit(o).hostname for o in config.allowed_origins}


class Guards:
    """ASGI middleware: refuses foreign hosts and tokens in addresses, puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, config: GatewayConfig) -> None:
        self._app, self._config = app, config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what is allowed."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if scope["type"] == "websocket":
            if refusal is None:
                await self._app(scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": ""})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
            await send(message)

        if refusal is None:
            await self._app(scope, receive, with_headers)
        else:
            await refusal(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        if not host_allowed(Headers(scope=scope), self._config):
            return PlainTextResponse("This server is not known by that name.\n", 421)
        names = {name.lower() for name, _ in parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)}
        if names & SECRET_PARAMETERS:
            return PlainTextResponse("Nothing secret in an address, please.\n", 400)
        return None
