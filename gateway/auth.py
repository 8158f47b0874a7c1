"""Who is it: JSON Web Tokens by PyJWT, with an algorithm allow-list that is bound to the key and never to the token.

A token proves `sub`, `role`, `wards`, `exp`. PyJWT's `decode` alone would take tokens without `exp` or `sub`; so every claim is
required and checked here, and time is an argument. The reason of a refusal is a word for metrics, never a library's text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, build_opener

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.config import ConfigError, GatewayConfig, is_loopback

ROLES = frozenset(("viewer", "nurse", "doctor", "charge"))
COMMAND_ROLES = ROLES - {"viewer"}
LEEWAY_S = 10
MAX_TOKEN_CHARS = 8192
MAX_NAME_CHARS = 128
MAX_KEY_SET_BYTES = 256 * 1024
ALL_WARDS = "*"
MIN_RSA_BITS = 2048


class Refused(Exception):
    """A token that is not taken; `reason` is one word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Claims(NamedTuple):
    """What a good token says."""

    user: str
    role: str
    wards: frozenset[str]
    expires_s: float
    initials: str

    def may_see(self, ward: str | None) -> bool:
        """Whether this person may look at a ward; None = a ward that nobody knows."""
        return ward is not None and (ALL_WARDS in self.wards or ward in self.wards)

    def may_command(self) -> bool:
        """Whether this role may acknowledge and observe."""
        return self.role in COMMAND_ROLES


class Key(NamedTuple):
    """A key and the one algorithm that it is for."""

    algorithm: str
    key: Any


class Tokens:
    """Verifies tokens. `keys`: by `kid`; the empty `kid` is the shared secret, for which a token's `kid` does not matter."""

    def __init__(self, keys: Mapping[str, Key], issuer: str | None = None, audience: str | None = None) -> None:
        self._keys = dict(keys)
        self._issuer = issuer
        self._audience = audience

    def verify(self, token: str, now_s: float) -> Claims:
        """Raises Refused."""
        if len(token) > MAX_TOKEN_CHARS:
            raise Refused("size")
        try:
            key = self._key(jwt.get_unverified_header(token))
            body = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm],
                issuer=self._issuer,
                audience=self._audience,
                options={
                    "require": ["sub", "role", "wards", "exp"],
                    "verify_exp": False,  # time is an argument: checked below
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": self._audience is not None,
                    "strict_aud": self._audience is not None,
                },
            )
        except jwt.InvalidSignatureError:
            raise Refused("signature") from None
        except jwt.MissingRequiredClaimError:
            raise Refused("claims") from None
        except (jwt.InvalidIssuerError, jwt.InvalidAudienceError):
            raise Refused("audience") from None
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise Refused("malformed") from None
        _check_times(body, now_s)
        return _claims(body)

    def _key(self, header: Mapping[str, object]) -> Key:
        if "crit" in header:
            raise Refused("header")
        key = self._keys.get("")
        if key is None:
            kid = header.get("kid")
            key = self._keys.get(kid) if isinstance(kid, str) and kid else None
        if key is None:
            raise Refused("kid")
        if header.get("alg") != key.algorithm:
            raise Refused("algorithm")
        return key


def _check_times(body: Mapping[str, object], now_s: float) -> None:
    if now_s >= _seconds(body["exp"]) + LEEWAY_S:
        raise Refused("expired")
    for name in ("nbf", "iat"):
        if name in body and _seconds(body[name]) > now_s + LEEWAY_S:
            raise Refused("early")


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > 1e11:
        raise Refused("claims")
    return float(value)


def _claims(body: Mapping[str, object]) -> Claims:
    wards = body["wards"]
    if not isinstance(wards, list) or not wards or not all(_is_name(w) for w in wards):
        raise Refused("claims")
    user, role, initials = body["sub"], body["role"], body.get("ini", "")
    if not _is_name(user) or not isinstance(initials, str) or len(initials) > 8:
        raise Refused("claims")
    if not isinstance(role, str) or role not in ROLES:
        raise Refused("role")
    return Claims(str(user), role, frozenset(wards), _seconds(body["exp"]), initials)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME_CHARS and value.isprintable()


def make_token(
    secret: str, *, user: str, role: str, wards: list[str], now_s: float, lifetime_s: float = 8 * 3600, initials: str = ""
) -> str:
    """A token signed with the shared secret (`nadi token`, the demo). Raises Refused for what `verify` would not take."""
    body: dict[str, object] = {"sub": user, "role": role, "wards": wards, "iat": int(now_s), "exp": int(now_s + lifetime_s)}
    if initials:
        body["ini"] = initials
    _claims(body)
    return jwt.encode(body, secret, algorithm="HS256")


def key_set(document: object) -> dict[str, Key]:
    """Keys of a JWKS by `kid`: RSA (RS256) and P-256 (ES256) for signatures; the others, `oct` before all, are left out."""
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ConfigError("gateway.jwks: not a key set (no list `keys`)")
    keys: dict[str, Key] = {}
    for entry in entries:
        key = _public_key(entry) if isinstance(entry, dict) else None
        if key is None:
            continue
        kid = entry["kid"]
        if kid in keys:
            raise ConfigError(f"gateway.jwks: two keys with the kid {kid!r}")
        keys[kid] = key
    if not keys:
        raise ConfigError("gateway.jwks: holds no RSA or P-256 signing key with a `kid`")
    return keys


def _public_key(entry: dict[str, Any]) -> Key | None:
    if not isinstance(entry.get("kid"), str) or not entry["kid"] or entry.get("use", "sig") != "sig":
        return None
    algorithm = {"RSA": "RS256", "EC": "ES256"}.get(str(entry.get("kty")))
    if algorithm is None or entry.get("alg", algorithm) != algorithm or "d" in entry:
        return None
    try:
        key = jwt.PyJWK(entry, algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
        return Key(algorithm, key)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return Key(algorithm, key)
    return None


class _NoRedirect(HTTPRedirectHandler):
    """A key set comes from the address that was written down, from no other."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None


def load_key_set(where: str, *, loopback_http: bool = False) -> dict[str, Key]:
    """The key set of a file or an https address (5 s, no redirect). Raises ConfigError."""
    parts = urlsplit(where)
    secure = parts.scheme == "https" or (parts.scheme == "http" and loopback_http and is_loopback(parts.hostname or ""))
    if parts.scheme in ("http", "https") and not secure:
        raise ConfigError("gateway.jwks: a key set comes by https, or from a file")
    try:
        if secure:
            with build_opener(_NoRedirect).open(where, timeout=5) as answer:
                text = answer.read(MAX_KEY_SET_BYTES + 1)
        else:
            text = Path(where).read_bytes()
        if len(text) > MAX_KEY_SET_BYTES:
            raise ConfigError("gateway.jwks: larger than 256 KiB")
        return key_set(json.loads(text))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"gateway.jwks: cannot read the key set: {type(error).__name__}") from error


def tokens(config: GatewayConfig) -> Tokens:
    """The verifier of a checked configuration."""
    if config.secret is not None:
        return Tokens({"": Key("HS256", config.secret)}, config.issuer, config.audience)
    assert config.jwks is not None, "GatewayConfig.check was not called"
    return Tokens(load_key_set(config.jwks, loopback_http=config.jwks_loopback_http), config.issuer, config.audience)
