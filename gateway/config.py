"""Settings of the gateway, checked before it listens: what is unsafe does not start."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

STATIC_DIR = Path(__file__).parent / "static"
MIN_SECRET_BYTES = 32
"""HS256 wants a key of at least the hash's size (RFC 7518, 3.2)."""


class ConfigError(ValueError):
    """A setting that must not start; the message names it and says what to do."""


class DemoUser(msgspec.Struct, frozen=True, kw_only=True):
    """Someone whom the sign-in page of the demo offers."""

    user: str
    role: str
    wards: list[str]
    initials: str = ""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds that keep one client from harming the others."""

    connections: int = 5000
    unauthenticated: int = 500
    per_user: int = 256
    buffered_bytes: int = 256 * 1024
    """Unsent bytes of one client; above it is closed as slow."""
    unsent_s: float = 10.0
    """Age of the oldest unsent byte; above it is closed as slow."""
    auth_s: float = 5.0
    header_s: float = 5.0
    message_bytes: int = 65536
    messages_per_s: float = 30.0
    commands_per_s: float = 10.0
    ring_events: int = 2000
    """Events a shard kept for resume, and their bytes."""
    ring_bytes: int = 4 * 1024 * 1024
    ring_ms: int = 15 * 60_000
    """How far back a starting gateway reads `alerts`."""


class GatewayConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `serve` needs. Exactly one of `secret` (HS256) and `jwks` (RS256, ES256: a file or an https address)."""

    log_url: str
    host: str = "127.0.0.1"
    port: int = 8080
    secret: str | None = None
    jwks: str | None = None
    jwks_loopback_http: bool = False
    """For tests: lets `jwks` be a plain http address of this machine."""
    issuer: str | None = None
    audience: str | None = None
    tz: str = "Asia/Kuala_Lumpur"
    demo_users: list[DemoUser] = []
    """Not empty = demo: the sign-in page gives tokens away. Loopback only."""
    script_file: Path | None = None
    """Demo: JSON of what happens on the simulated ward and since when, for the board's strip; it may come later or never."""
    beds: dict[str, list[str]] = {}
    """Ward -> its beds in the order of the board, for empty beds."""
    allowed_origins: list[str] = []
    """Origins beside the gateway's own, as a proxy shows them: `https://board.hospital.example`."""
    static_dir: Path = STATIC_DIR
    clock: Literal["live", "stream"] = "live"
    """`stream`: a replay, whose shard time is not this machine's time; then now = the newest shard time."""
    limits: Limits = Limits()

    def __repr__(self) -> str:
        return f"GatewayConfig(host={self.host!r}, port={self.port}, demo={self.demo}, clock={self.clock!r})"

    @property
    def demo(self) -> bool:
        """True when the gateway hands out tokens itself."""
        return bool(self.demo_users)

    @property
    def loopback(self) -> bool:
        """True when only this machine can connect."""
        return is_loopback(self.host)

    def check(self) -> None:
        """Raises ConfigError for what must not start."""
        if (self.secret is None) == (self.jwks is None):
            raise ConfigError("gateway: set exactly one of `secret` and `jwks`")
        if self.secret is not None and len(self.secret.encode()) < MIN_SECRET_BYTES:
            raise ConfigError(f"gateway.secret: {MIN_SECRET_BYTES} bytes at least; make one with `openssl rand -hex 32`")
        if self.demo and not self.loopback:
            raise ConfigError("gateway.demo_users: the demo gives tokens away, so it listens on 127.0.0.1 only")
        if self.demo and self.secret is None:
            raise ConfigError("gateway.demo_users: the demo signs its tokens itself and needs `secret`")
        if not self.static_dir.is_dir():
            raise ConfigError(f"gateway.static_dir: no such folder: {self.static_dir}")
        try:
            ZoneInfo(self.tz)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ConfigError(f"gateway.tz: unknown time zone {self.tz!r}") from None


def is_loopback(host: str) -> bool:
    """True for `localhost` and loopback addresses."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
