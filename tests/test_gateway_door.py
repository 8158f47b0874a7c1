"""The first frame and what may follow it; a token in an address; another site's page; a server that is not ours."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidStatus

from gateway.config import Limits
from gateway.feed import wall_ms
from tests.support.gateway import SECRET, Hospital, Running, config_for, eventually, person, running, token, viewing


@pytest.fixture
def hospital(sqlite_log_url: str) -> Iterator[Hospital]:
    made = Hospital(sqlite_log_url)
    made.admit(person("p-1"))
    made.key()
    yield made
    made.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for all tests that only knock: none of them leaves a trace."""
    folder = tmp_path_factory.mktemp("gateway")
    made = Hospital.embedded(folder)
    made.admit(person("p-1"))
    made.key()
    with running(config_for(made.url, folder, allowed_origins=["https://board.example"])) as server:
        eventually(lambda: server.phase() == "ready", "ready")
        yield server
    made.close()


FIRST: dict[str, tuple[Any, int]] = {
    "expired": ({"t": "auth", "token": token(now_s=time.time() - 9 * 3600)}, 4401),
    "another secret": ({"t": "auth", "token": "e30.e30.e30"}, 4500),
    "empty": ({"t": "auth", "token": ""}, 4500),
    "a subscription": ({"t": "sub", "ward": "4b"}, 4501),
    "no token": ({"t": "auth"}, 4501),
    "a token and more": ({"t": "auth", "token": "x", "ward": "4b"}, 4501),
    "a token that is a number": ({"t": "auth", "token": 7}, 4501),
    "not JSON": ("auth", 4501),
    "deep": ("[" * 5000, 4501),
    "a surrogate": ('{"t":"auth","token":"\\ud800"}', 4501),
    "null": ("null", 4501),
}


@pytest.mark.parametrize(("first", "code"), FIRST.values(), ids=FIRST)
def test_the_first_frame_is_a_good_token_or_the_end(gateway: Running, first: Any, code: int) -> None:
    with viewing(gateway.ws) as viewer:
        viewer.send(first)
        assert viewer.closed()[0] == code
        assert viewer.ledger == []


def test_silence_is_the_end_as_well(hospital: Hospital, tmp_path: Path) -> None:
    with running(config_for(hospital.url, tmp_path, limits=Limits(auth_s=0.05))) as gateway, viewing(gateway.ws) as viewer:
        assert viewer.closed() == (4408, "no sign-in")


AFTER: dict[str, Any] = {
    "no room": {"t": "sub"},
    "two rooms": {"t": "sub", "ward": "4b", "patient": "p-1"},
    "an empty room": {"t": "sub", "ward": ""},
    "a long room": {"t": "sub", "ward": "w" * 129},
    "unknown field": {"t": "sub", "ward": "4b", "since": 1},
    "unknown message": {"t": "shout"},
    "auth again": {"t": "auth", "token": "x"},
    "no kind": {"ward": "4b"},
    "kind is a list": {"t": ["sub"]},
    "not JSON": "{",
}


@pytest.mark.parametrize("message", AFTER.values(), ids=AFTER)
def test_what_is_not_the_protocol_is_the_end(gateway: Running, message: Any) -> None:
    with viewing(gateway.ws, token()) as viewer:
        viewer.send(message)
        assert viewer.closed()[0] == 4501


def test_binary_frames_and_bad_text_are_the_end(gateway: Running) -> None:
    with viewing(gateway.ws, token()) as viewer:
        viewer.socket.send(b"\x00\x01")
        assert viewer.closed()[0] == 4501
    with viewing(gateway.ws, token()) as viewer:
        viewer.socket.send(b"\xff\xfe", text=True)
        assert viewer.closed()[0] == 1007


def test_a_token_that_ends_ends_the_connection(hospital: Hospital, tmp_path: Path) -> None:
    ahead_ms = 0

    def clock() -> int:
        return wall_ms() + ahead_ms

    with running(config_for(hospital.url, tmp_path), clock) as gateway, viewing(gateway.ws, token()) as viewer:
        viewer.sub()
        ahead_ms = 9 * 3_600_000
        assert viewer.closed() == (4401, "token expired")


def test_the_sub_protocol_is_taken_when_offered_and_nothing_else_is_repeated(gateway: Running) -> None:
    with viewing(gateway.ws, token(), subprotocols=["bearer.secret", "nadi.v1"]) as viewer:
        assert viewer.socket.subprotocol == "nadi.v1"
    with viewing(gateway.ws, token(), subprotocols=["bearer.secret"]) as viewer:
        assert viewer.socket.subprotocol is None


def status_of(gateway: Running, path: str = "", **options: Any) -> int:
    """Status of a handshake; 101 = let in."""
    try:
        with viewing(gateway.ws + path, **options):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


@pytest.mark.parametrize("name", ["token", "access_token", "x"])
def test_nothing_is_taken_in_an_address_and_nothing_of_it_is_logged(gateway: Running, caplog: pytest.LogCaptureFixture, name: str) -> None:
    secret = token()
    with caplog.at_level(logging.DEBUG):
        assert status_of(gateway, f"?{name}={secret}") == 400
        with viewing(gateway.ws, secret) as viewer:
            viewer.sub()
    heard = [r for r in caplog.records if not r.name.startswith("websockets.client")]
    assert not [r for r in heard if secret in r.getMessage() or secret.split(".")[2] in r.getMessage()]


def origins(port: int) -> dict[str, tuple[str | None, int]]:
    return {
        "a program": (None, 101),
        "own": (f"http://127.0.0.1:{port}", 101),
        "behind a proxy": ("https://board.example", 101),
        "null": ("null", 403),
        "foreign": ("https://evil.example", 403),
        "look-alike": (f"http://127.0.0.1.evil.example:{port}", 403),
        "look-alike of the proxy": ("https://board.example.evil.example", 403),
        "sub-domain": ("https://x.board.example", 403),
        "the proxy without TLS": ("http://board.example", 403),
        "other port": (f"http://127.0.0.1:{port + 1}", 403),
        "no port": ("http://127.0.0.1", 403),
        "other name of this machine": (f"http://localhost:{port}", 403),
        "a user in it": (f"http://127.0.0.1:{port}@evil.example", 403),
        "a path": (f"http://127.0.0.1:{port}/x", 403),
        "not an origin": ("file://", 403),
        "empty": ("", 403),
    }


@pytest.mark.parametrize("case", origins(0))
def test_only_our_own_page_may_connect(gateway: Running, case: str) -> None:
    origin, status = origins(gateway.port)[case]
    assert status_of(gateway, origin=origin) == status


def test_capitals_are_the_same_host(gateway: Running) -> None:
    headers = {"Host": f"LOCALHOST:{gateway.port}", "Origin": f"http://localhost:{gateway.port}"}
    assert handshake(gateway, headers) == 101


def handshake(gateway: Running, headers: dict[str, str]) -> int:
    import http.client

    line = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    line.putrequest("GET", "/ws", skip_host=True)
    usual = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    for name, value in (usual | headers).items():
        line.putheader(name, value)
    line.endheaders()
    status = line.getresponse().status
    line.close()
    return status


def test_a_foreign_name_that_leads_here_is_not_answered(gateway: Running) -> None:
    assert handshake(gateway, {"Host": f"evil.example:{gateway.port}", "Origin": f"http://evil.example:{gateway.port}"}) == 403
    assert handshake(gateway, {"Host": "board.example", "Origin": "https://board.example"}) == 101


def test_too_many_who_have_not_signed_in(hospital: Hospital, tmp_path: Path) -> None:
    with running(config_for(hospital.url, tmp_path, limits=Limits(unauthenticated=1))) as gateway, viewing(gateway.ws) as first:
        assert status_of(gateway) == 503
        first.send({"t": "auth", "token": token()})
        first.until("welcome")
        assert status_of(gateway) == 101


def test_another_server_serves_it_too(hospital: Hospital, tmp_path: Path) -> None:
    """Without our protocol class the same session goes through plain ASGI."""
    config = config_for(hospital.url, tmp_path)
    with running(config, ws=WebSocketsSansIOProtocol) as gateway:
        with viewing(gateway.ws, token()) as viewer:
            assert [p["patient"] for p in viewer.sub()["patients"]] == ["p-1"]
            raised = [hospital.raise_alert("p-1").id for _ in range(20)]
            assert [e["e"]["id"] for e in viewer.events(20)] == raised
            viewer.send({"t": "shout"})
            assert viewer.closed()[0] == 4501
        with viewing(gateway.ws) as viewer:
            viewer.send("x")
            assert viewer.closed()[0] == 4501
        assert status_of(gateway, f"?token={token()}") == 403
        with viewing(gateway.ws, token()) as viewer:
            viewer.sub()
            gateway.server.should_exit = True
            assert viewer.closed()[0] == 4001


def test_no_word_of_a_client_reaches_the_log(gateway: Running, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), viewing(gateway.ws, token("n-secret-name")) as viewer:
        viewer.sub()
        viewer.send(json.dumps({"t": "cmd", "id": "x", "kind": "secret-kind", "patient": "secret-patient"}))
        viewer.until("refused")
    heard = " ".join(r.getMessage() for r in caplog.records if not r.name.startswith("websockets.client"))
    assert "secret" not in heard
    assert SECRET not in heard
