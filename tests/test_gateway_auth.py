"""Tokens: what is taken, and every known way to be let in without the right to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from gateway.auth import Key, Refused, Tokens, key_set, load_key_set, make_token, tokens
from gateway.config import ConfigError, DemoUser, GatewayConfig

SECRET = "0123456789abcdef0123456789abcdef"
NOW = 1_700_000_000
BODY: dict[str, Any] = {"sub": "n-01", "role": "nurse", "wards": ["4b"], "exp": NOW + 60}


@cache
def rsa_key(name: str = "") -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def jwk_rsa(kid: str, key: rsa.RSAPrivateKey, **more: Any) -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", **more}


def jwk_ec(kid: str, key: ec.EllipticCurvePrivateKey, **more: Any) -> dict[str, Any]:
    return {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, **more}


def oct_jwk(kid: str) -> dict[str, Any]:
    return {"kty": "oct", "kid": kid, "k": base64.urlsafe_b64encode(SECRET.encode()).rstrip(b"=").decode()}


@cache
def provider() -> dict[str, Any]:
    return {"keys": [jwk_rsa("r1", rsa_key()), jwk_ec("e1", ec_key()), oct_jwk("o1")]}


def shared() -> Tokens:
    return Tokens({"": Key("HS256", SECRET)})


def hospital(**options: str) -> Tokens:
    return Tokens(key_set(provider()), **options)


def public_pem() -> bytes:
    return rsa_key().public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def forged(header: dict[str, Any], body: dict[str, Any], secret: bytes | None = None) -> str:
    """A token put together by hand, as PyJWT would refuse to make it."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    signed = f"{part(header)}.{part(body)}"
    mac = b"" if secret is None else hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def hs(body: dict[str, Any], **header: Any) -> str:
    return jwt.encode(body, SECRET, "HS256", headers=header or None)


def without(*names: str) -> dict[str, Any]:
    return {k: v for k, v in BODY.items() if k not in names}


def test_a_good_token_says_who_it_is() -> None:
    claims = shared().verify(make_token(SECRET, user="n-01", role="charge", wards=["4b", "5a"], now_s=NOW, initials="NS"), NOW)
    assert (claims.user, claims.role, claims.wards, claims.initials) == ("n-01", "charge", frozenset(("4b", "5a")), "NS")
    assert claims.expires_s == NOW + 8 * 3600
    assert claims.may_command()
    assert claims.may_see("4b")
    assert not claims.may_see("6c")
    assert not claims.may_see(None)


def test_all_wards_are_all_wards_that_somebody_is_in() -> None:
    claims = shared().verify(hs(BODY | {"wards": ["*"], "role": "viewer"}), NOW)
    assert claims.may_see("any")
    assert not claims.may_see(None)
    assert not claims.may_command()


@pytest.mark.parametrize(("kid", "algorithm"), [("r1", "RS256"), ("e1", "ES256")])
def test_a_provider_s_token(kid: str, algorithm: str) -> None:
    key = rsa_key() if algorithm == "RS256" else ec_key()
    assert hospital().verify(jwt.encode(BODY, key, algorithm, headers={"kid": kid}), NOW).user == "n-01"


REFUSED_OF_SECRET: dict[str, tuple[str, str]] = {
    "expired": (hs(BODY | {"exp": NOW - 10}), "expired"),
    "not yet": (hs(BODY | {"nbf": NOW + 11}), "early"),
    "issued in the future": (hs(BODY | {"iat": NOW + 11}), "early"),
    "wrong signature": (jwt.encode(BODY, "x" * 32, "HS256"), "signature"),
    "alg none": (forged({"alg": "none", "typ": "JWT"}, BODY), "algorithm"),
    "alg None": (forged({"alg": "NoNe"}, BODY), "algorithm"),
    "alg HS512 of the same secret": (jwt.encode(BODY, SECRET * 2, "HS512"), "algorithm"),
    "no alg": (forged({"typ": "JWT"}, BODY), "algorithm"),
    "alg is a list": (forged({"alg": ["HS256"]}, BODY, SECRET.encode()), "algorithm"),
    "crit": (hs(BODY, crit=["exp"], exp=NOW), "malformed"),
    "no exp": (hs(without("exp")), "claims"),
    "no sub": (hs(without("sub")), "claims"),
    "no role": (hs(without("role")), "claims"),
    "no wards": (hs(without("wards")), "claims"),
    "exp is a text": (hs(BODY | {"exp": str(NOW + 60)}), "claims"),
    "exp is true": (hs(BODY | {"exp": True}), "claims"),
    "exp is null": (hs(BODY | {"exp": None}), "claims"),
    "exp is not a number": (hs(BODY | {"exp": float("nan")}), "claims"),
    "exp is for ever": (hs(BODY | {"exp": float("inf")}), "claims"),
    "wards is a text": (hs(BODY | {"wards": "4b"}), "claims"),
    "wards is a map": (hs(BODY | {"wards": {"4b": 1}}), "claims"),
    "wards is empty": (hs(BODY | {"wards": []}), "claims"),
    "wards holds a number": (hs(BODY | {"wards": ["4b", 5]}), "claims"),
    "wards holds an empty name": (hs(BODY | {"wards": [""]}), "claims"),
    "sub is a number": (forged({"alg": "HS256"}, BODY | {"sub": 7}, SECRET.encode()), "malformed"),
    "sub is empty": (hs(BODY | {"sub": ""}), "claims"),
    "sub breaks a line": (hs(BODY | {"sub": "a\nb"}), "claims"),
    "sub is long": (hs(BODY | {"sub": "n" * 129}), "claims"),
    "initials are a list": (hs(BODY | {"ini": ["N"]}), "claims"),
    "unknown role": (hs(BODY | {"role": "root"}), "role"),
    "role is a list": (hs(BODY | {"role": ["nurse"]}), "role"),
    "body is a list": (forged({"alg": "HS256"}, [1], SECRET.encode()), "malformed"),  # type: ignore[arg-type]
    "too long": (hs(BODY | {"x": "y" * 9000}), "size"),
    "two parts": ("a.b", "malformed"),
    "empty": ("", "malformed"),
    "not base64": ("é.é.é", "malformed"),
    "deep": (forged({"alg": "HS256"}, json.loads("[" * 900 + "]" * 900), SECRET.encode()), "malformed"),
}


@pytest.mark.parametrize(("text", "reason"), REFUSED_OF_SECRET.values(), ids=REFUSED_OF_SECRET)
def test_a_secret_s_token_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        shared().verify(text, NOW)
    assert refused.value.reason == reason


def refused_of_provider() -> dict[str, tuple[str, str]]:
    key, curve = rsa_key(), ec_key()
    swap = jwk_rsa("r1", rsa_key("attacker"))
    return {
        "HS256 with the public key as secret": (forged({"alg": "HS256", "kid": "r1"}, BODY, public_pem()), "algorithm"),
        "HS256 with the set's own oct key": (hs(BODY, kid="o1"), "kid"),
        "none": (forged({"alg": "none", "kid": "r1"}, BODY), "algorithm"),
        "unknown kid": (jwt.encode(BODY, key, "RS256", headers={"kid": "r9"}), "kid"),
        "no kid": (jwt.encode(BODY, key, "RS256"), "kid"),
        "empty kid": (jwt.encode(BODY, key, "RS256", headers={"kid": ""}), "kid"),
        "kid is a path": (jwt.encode(BODY, key, "RS256", headers={"kid": "../../dev/null"}), "kid"),
        "kid is a list": (forged({"alg": "RS256", "kid": ["r1"]}, BODY), "malformed"),
        "kid of the other key": (jwt.encode(BODY, curve, "ES256", headers={"kid": "r1"}), "algorithm"),
        "another's key under a known kid": (jwt.encode(BODY, rsa_key("attacker"), "RS256", headers={"kid": "r1"}), "signature"),
        "key brought along": (jwt.encode(BODY, rsa_key("attacker"), "RS256", headers={"kid": "r1", "jwk": swap}), "signature"),
        "key from an address": (
            jwt.encode(BODY, rsa_key("attacker"), "RS256", headers={"kid": "r1", "jku": "https://evil.example/"}),
            "signature",
        ),
        "RS512": (jwt.encode(BODY, key, "RS512", headers={"kid": "r1"}), "algorithm"),
        "zero signature (CVE-2022-21449)": (
            jwt.encode(BODY, curve, "ES256", headers={"kid": "e1"}).rsplit(".", 1)[0] + "." + "A" * 86,
            "signature",
        ),
    }


REFUSED_OF_PROVIDER = refused_of_provider()


@pytest.mark.parametrize(("text", "reason"), REFUSED_OF_PROVIDER.values(), ids=REFUSED_OF_PROVIDER)
def test_a_provider_s_token_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        hospital().verify(text, NOW)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"iss": "https://idp.example", "aud": "nadi"}, ""),
        ({"iss": "https://idp.example/", "aud": "nadi"}, "audience"),
        ({"iss": "https://idp.example", "aud": "other"}, "audience"),
        ({"iss": "https://idp.example", "aud": ["nadi", "other"]}, "audience"),
        ({"iss": "https://idp.example"}, "claims"),
        ({"aud": "nadi"}, "claims"),
    ],
)
def test_issuer_and_audience_count_when_they_are_set(more: dict[str, Any], reason: str) -> None:
    verifier = hospital(issuer="https://idp.example", audience="nadi")
    text = jwt.encode(BODY | more, rsa_key(), "RS256", headers={"kid": "r1"})
    if not reason:
        assert verifier.verify(text, NOW).user == "n-01"
        return
    with pytest.raises(Refused) as refused:
        verifier.verify(text, NOW)
    assert refused.value.reason == reason


def test_clocks_may_differ_by_the_leeway_and_no_more() -> None:
    for text in (hs(BODY | {"exp": NOW - 9}), hs(BODY | {"nbf": NOW + 10})):
        assert shared().verify(text, NOW).user == "n-01"


def test_nothing_is_signed_that_would_not_be_taken() -> None:
    with pytest.raises(Refused):
        make_token(SECRET, user="n-01", role="root", wards=["4b"], now_s=NOW)


SETS: dict[str, object] = {
    "not a map": [],
    "no list": {"keys": {}},
    "empty": {"keys": []},
    "only a secret": {"keys": [oct_jwk("o1")]},
    "no kid": {"keys": [{k: v for k, v in jwk_rsa("r1", rsa_key()).items() if k != "kid"}]},
    "two of one kid": {"keys": [jwk_rsa("r1", rsa_key()), jwk_rsa("r1", rsa_key("attacker"))]},
    "for encryption": {"keys": [jwk_rsa("r1", rsa_key(), use="enc")]},
    "a private key": {"keys": [jwk_rsa("r1", rsa_key(), d="AQAB")]},
    "an alg that is not ours": {"keys": [jwk_rsa("r1", rsa_key(), alg="RS512")]},
    "P-384": {"keys": [jwk_ec("e1", ec.generate_private_key(ec.SECP384R1()))]},
    "1024 bits": {"keys": [jwk_rsa("r1", rsa.generate_private_key(65537, 1024))]},
    "broken": {"keys": [{"kty": "RSA", "kid": "r1", "n": "!", "e": "AQAB"}]},
}


@pytest.mark.parametrize("document", SETS.values(), ids=SETS)
@pytest.mark.filterwarnings("ignore:.*RSA key.*:jwt.warnings.InsecureKeyLengthWarning")
def test_a_key_set_that_proves_nothing_does_not_start(document: object) -> None:
    with pytest.raises(ConfigError):
        key_set(document)


def test_a_key_set_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(provider()))
    config = GatewayConfig(log_url="sqlite:///x/", jwks=str(file), static_dir=tmp_path)
    config.check()
    assert tokens(config).verify(jwt.encode(BODY, rsa_key(), "RS256", headers={"kid": "r1"}), NOW).user == "n-01"
    file.write_text("{")
    with pytest.raises(ConfigError, match="cannot read"):
        load_key_set(str(file))
    with pytest.raises(ConfigError, match="cannot read"):
        load_key_set(str(tmp_path / "none.json"))


class _Provider(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        moved = self.path == "/moved"
        self.send_response(302 if moved else 200)
        if moved:
            self.send_header("Location", "/keys")
        self.end_headers()
        if self.path == "/large":
            self.wfile.write(b" " * (300 * 1024))
        self.wfile.write(json.dumps(provider()).encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Provider)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_key_set_comes_by_https_alone_and_from_where_it_was_written_down(address: str) -> None:
    assert set(load_key_set(f"{address}/keys", loopback_http=True)) == {"r1", "e1"}
    for where, loopback in (("/keys", False), ("/moved", True), ("/large", True)):
        with pytest.raises(ConfigError):
            load_key_set(address + where, loopback_http=loopback)
    with pytest.raises(ConfigError, match="https"):
        load_key_set("http://idp.example/keys", loopback_http=True)


UNSAFE: dict[str, dict[str, Any]] = {
    "no key": {"secret": None},
    "both": {"jwks": "keys.json"},
    "short secret": {"secret": "short"},
    "demo for all": {"demo_users": [DemoUser(user="n-01", role="nurse", wards=["4b"])], "host": "0.0.0.0"},
    "demo without a secret": {"demo_users": [DemoUser(user="n-01", role="nurse", wards=["4b"])], "secret": None, "jwks": "keys.json"},
    "no such zone": {"tz": "Asia/Nowhere"},
    "no such folder": {"static_dir": Path("/nowhere/at/all")},
}


@pytest.mark.parametrize("fields", UNSAFE.values(), ids=UNSAFE)
def test_unsafe_settings_do_not_start(fields: dict[str, Any], tmp_path: Path) -> None:
    settings: dict[str, Any] = {"log_url": "sqlite:///x/", "secret": SECRET, "static_dir": tmp_path}
    GatewayConfig(**settings).check()
    with pytest.raises(ConfigError):
        GatewayConfig(**settings | fields).check()


def test_settings_do_not_show_the_secret(tmp_path: Path) -> None:
    config = GatewayConfig(log_url="sqlite:///x/", secret=SECRET, static_dir=tmp_path)
    assert SECRET not in repr(config) + str(config)
