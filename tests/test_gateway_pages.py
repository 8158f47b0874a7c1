"""HTTP: files with the right types, strict headers on every answer, honest health, metrics without names, the demo's door."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.auth import Key, Tokens
from gateway.config import STATIC_DIR, DemoUser
from gateway.feed import wall_ms
from gateway.fold import Fold
from gateway.guards import CSP
from gateway.protocol import GatewayHttp, GatewayWs
from gateway.status import KEY_WAIT_MS, FeedState, Status
from schemas.events import LiveFrame
from tests.support.gateway import SECRET, SHARDS, Hospital, Running, config_for, eventually, health, person, running, token, viewing

DEMO = [DemoUser(user="nurse-4b", role="nurse", wards=["4b"], initials="N4"), DemoUser(user="wall", role="viewer", wards=["*"])]


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def ask(port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    line.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    answer = line.getresponse()
    found = Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    line.close()
    return found


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    made = Hospital.embedded(tmp_path_factory.mktemp("hospital"))
    made.admit(person("p-1"))
    made.key()
    yield made
    made.close()


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "static"
    (folder / "js").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Nadi</title>")
    (folder / "js" / "main.js").write_text("export const one = 1;\n")
    (folder / "css.css").write_text("body{}")
    (folder / "notes.md").write_text("not for the web")
    (folder.parent / "secret.txt").write_text("outside")
    return folder


@pytest.fixture(scope="module")
def gateway(hospital: Hospital, static: Path) -> Iterator[Running]:
    with running(config_for(hospital.url, static, demo_users=DEMO)) as made:
        eventually(lambda: made.phase() == "ready", "ready")
        yield made


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/static/js/main.js", "text/javascript; charset=utf-8"),
        ("/static/css.css", "text/css; charset=utf-8"),
    ],
)
def test_files_have_their_type_and_are_asked_for_again_with_an_etag(gateway: Running, path: str, kind: str) -> None:
    answer = ask(gateway.port, path)
    assert (answer.status, answer.headers["content-type"], answer.headers["cache-control"]) == (200, kind, "no-cache")
    again = ask(gateway.port, path, if_none_match=f'"other", W/{answer.headers["etag"]}')
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", answer.headers["etag"])


def test_a_changed_file_is_served_anew(gateway: Running, static: Path) -> None:
    (static / "page.html").write_text("one")
    before = ask(gateway.port, "/static/page.html")
    (static / "page.html").write_text("other")
    after = ask(gateway.port, "/static/page.html", if_none_match=before.headers["etag"])
    assert (before.body, after.status, after.body) == (b"one", 200, b"other")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../../secret.txt",
        "/static/%2e%2e/%2e%2e/secret.txt",
        "/static/..%2f..%2fsecret.txt",
        "/static//etc/hostname",
        "/static/notes.md",
        "/static/js",
        "/static/js/%00.js",
        "/static/",
        "/none",
    ],
)
def test_nothing_else_is_served(gateway: Running, path: str) -> None:
    assert ask(gateway.port, path).status == 404


@pytest.mark.parametrize("path", ["/", "/static/js/main.js", "/health", "/metrics", "/api/site", "/none", "/?token=x"])
def test_every_answer_has_the_security_headers(gateway: Running, path: str) -> None:
    headers = ask(gateway.port, path).headers
    assert headers["content-security-policy"] == CSP
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers


def test_the_policy_of_the_page_is_the_board_s_own() -> None:
    assert CSP == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )


def test_secrets_in_addresses_and_foreign_names_are_refused(gateway: Running) -> None:
    assert ask(gateway.port, "/?Token=x").status == 400
    assert ask(gateway.port, "/api/site?access_token=x").status == 400
    assert ask(gateway.port, "/?ward=4b").status == 200
    for host in ("evil.example", f"evil.example:{gateway.port}", "127.0.0.1.evil.example", "", "a@127.0.0.1"):
        assert ask(gateway.port, "/", Host=host).status == 421
    for host in ("localhost", f"LocalHost:{gateway.port}", "[::1]:80"):
        assert ask(gateway.port, "/", Host=host).status == 200


def test_the_demo_hands_out_tokens_to_its_own_page(gateway: Running) -> None:
    site = json.loads(ask(gateway.port, "/api/site").body)
    assert (site["demo"], site["tz"], [u["user"] for u in site["users"]]) == (True, "Asia/Kuala_Lumpur", ["nurse-4b", "wall"])
    answer = ask(gateway.port, "/demo-token", "POST", b'{"user":"nurse-4b"}', Content_Type="application/json", Origin=gateway.http)
    text = json.loads(answer.body)["token"]
    claims = Tokens({"": Key("HS256", SECRET)}).verify(text, wall_ms() / 1000)
    assert (claims.user, claims.role, claims.wards, claims.initials) == ("nurse-4b", "nurse", frozenset(["4b"]), "N4")
    assert answer.headers["cache-control"] == "no-store"
    with viewing(gateway.ws, text) as viewer:
        assert viewer.until("welcome")["demo"] is True


def test_the_demo_s_door_is_no_one_else_s(gateway: Running) -> None:
    good = b'{"user":"nurse-4b"}'
    kind = "application/json"
    assert ask(gateway.port, "/demo-token", "POST", good, Content_Type=kind, Origin="https://evil.example").status == 403
    assert ask(gateway.port, "/demo-token", "POST", good, Content_Type="text/plain").status == 403
    assert ask(gateway.port, "/demo-token", "POST", b'{"user":"root"}', Content_Type=kind).status == 404
    for body in (b"", b"[]", b'{"user":7}', b'{"user":"nurse-4b","role":"charge"}', b"[" * 4000):
        assert ask(gateway.port, "/demo-token", "POST", body, Content_Type=kind).status == 400
    assert ask(gateway.port, "/demo-token", "POST", b" " * 5000, Content_Type=kind).status == 413
    assert ask(gateway.port, "/demo-token").status == 405


def test_outside_the_demo_there_is_no_such_door(hospital: Hospital, static: Path) -> None:
    with running(config_for(hospital.url, static)) as gateway:
        assert ask(gateway.port, "/demo-token", "POST", b"{}", Content_Type="application/json").status == 404
        assert "users" not in json.loads(ask(gateway.port, "/api/site").body)


def test_metrics_name_no_one(hospital: Hospital, gateway: Running) -> None:
    with viewing(gateway.ws, token("n-secret")) as viewer:
        viewer.sub()
        text = ask(gateway.port, "/metrics").body.decode()
        assert "nadi_gateway_clients 1\n" in text
    for name in (
        "deliveries_total",
        "buffered_bytes",
        "slow_closes_total",
        'resumes_total{result="hit"}',
        'resumes_total{result="miss"}',
        "event_loop_lag_seconds",
        "consumer_lag_records",
        "shard_age_seconds",
    ):
        assert f"nadi_gateway_{name} " in text
    assert not any(secret in text for secret in ("n-secret", "4b", "p-1"))
    assert all(line.startswith(("#", "nadi_gateway_")) for line in text.splitlines())


def test_health_is_good_while_time_goes_on_and_bad_when_it_stands_still(hospital: Hospital, static: Path) -> None:
    ahead_ms = 0

    def clock() -> int:
        return wall_ms() + ahead_ms

    with running(config_for(hospital.url, static), clock) as gateway:
        hospital.key()
        eventually(lambda: health(gateway.port)[0] == 200, "health")
        answer = health(gateway.port)[1]
        assert (answer["ready"], answer["state"], answer["clients"], answer["log"]) == (True, "ready", 0, "ok")
        assert answer["shard_age_ms"] < 10_000
        assert answer["lag"] == 0
        ahead_ms = 11_000
        code, answer = health(gateway.port)
        assert (code, answer["ready"], answer["state"]) == (503, False, "ready")
        assert answer["shard_age_ms"] >= 10_000


def test_a_gateway_without_a_log_says_so_and_becomes_ready_when_there_is_one(sqlite_log_url: str, static: Path) -> None:
    with running(config_for(sqlite_log_url, static)) as gateway:
        eventually(lambda: health(gateway.port)[1].get("log") not in {None, "ok"}, "the failure")
        code, answer = health(gateway.port)
        assert (code, answer["state"], answer["shard_age_ms"]) == (503, "starting", None)
        with viewing(gateway.ws, token()) as viewer:
            viewer.ask()
            late = Hospital(sqlite_log_url)
            late.admit(person("p-1"))
            late.key()
            assert [p["patient"] for p in viewer.until("key")["patients"]] == ["p-1"]
            late.close()
        eventually(lambda: health(gateway.port)[0] == 200, "health")


def test_without_key_frames_viewers_get_what_there_is_after_the_wait(sqlite_log_url: str, static: Path) -> None:
    ahead_ms = 0

    def clock() -> int:
        return wall_ms() + ahead_ms

    late = Hospital(sqlite_log_url)
    late.admit(person("p-1"), person("p-2"))
    late.key(shards=[n for n in range(SHARDS) if n != 3])
    with running(config_for(sqlite_log_url, static), clock) as gateway, viewing(gateway.ws, token()) as viewer:
        viewer.ask()
        eventually(lambda: health(gateway.port)[1]["shard_age_ms"] is not None, "the first key-frames")
        assert gateway.phase() == "starting"
        assert [m for m in viewer.ledger if m["t"] == "key"] == []
        ahead_ms = KEY_WAIT_MS
        first = viewer.until("key")
        assert len(first["shard_ms"]) == SHARDS - 1
        assert health(gateway.port)[1]["state"] == "waiting"
        late.key(shards=[3])
        again = viewer.until("key")
        assert len(again["patients"]) == 2
        eventually(lambda: gateway.phase() == "ready", "ready")
    late.close()


def test_the_phases() -> None:
    fold, status = Fold([0]), Status("live")
    status.begin("i", 1000)
    seen: list[str] = []
    wait_over = 1000 + KEY_WAIT_MS
    assert not status.waited(fold, 2000)
    for caught_up, now in ((True, 2000), (False, wait_over), (True, wait_over)):
        status.seen(FeedState(caught_up), fold, now)
        seen.append(status.phase)
    fold.apply_live(20_000, LiveFrame(0, 19_000, True, 1, 1, []))
    status.seen(FeedState(True), fold, 20_000)
    assert [*seen, status.phase] == ["starting", "starting", "waiting", "ready"]
    assert [status.health(fold, now, 0)[0] for now in (29_000, 29_001)] == [200, 503]
    status.seen(FeedState(True, error="LogUnreachable"), fold, 20_000)
    assert status.health(fold, 20_000, 0)[0] == 503


def test_in_a_replay_now_is_the_shard_time_and_age_is_that_of_its_last_move() -> None:
    fold, status = Fold([0]), Status("stream")
    status.begin("i", 0)
    assert status.shard_age_ms(fold, 5) is None
    fold.apply_live(1_000_000, LiveFrame(0, 77, True, 1, 1, []))
    assert status.now_ms(1_000_500, fold.times()) == 77
    assert status.shard_age_ms(fold, 1_000_500) == 500


def test_the_hooks_of_uvicorn_that_we_stand_on_exist() -> None:
    for name in ("handle_connect", "handle_ping", "handle_cont", "connection_made", "shutdown"):
        assert callable(getattr(GatewayWs.__mro__[1], name))
    for name in ("connection_made", "on_headers_complete", "connection_lost"):
        assert callable(getattr(GatewayHttp.__mro__[1], name))


def test_an_error_of_ours_is_a_500_without_its_text(
    gateway: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise ValueError("patient p-1 has secret things")

    monkeypatch.setattr(Status, "health", fails)
    answer = ask(gateway.port, "/health")
    assert (answer.status, b"secret" in answer.body) == (500, False)
    eventually(lambda: "ValueError at test_gateway_pages.py" in caplog.text, "the log line, which follows the answer")
    assert "secret" not in caplog.text


def test_the_board_is_where_the_gateway_looks_for_it() -> None:
    assert (STATIC_DIR / "index.html").is_file()
