"""Each state of the line, through a cable that can be cut: quiet and dead never look alike."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from gateway.auth import LEEWAY_S
from gateway.feed import wall_ms
from schemas.events import Evidence
from tests.support.board import Open, Ward, Wire, beating, ward_of
from tests.support.browser import DEADLINE_MS, Board
from tests.support.gateway import token
from tests.support.scene_beds import HR, SBP

pytest_plugins = ["tests.support.board_fixtures"]
pytestmark = pytest.mark.browser
LOST_WITHIN_S = 10.0
DASHES = "– –"
PILL, BANNER, TITLE = ".pill", ".banner", ".banner-title"


def jump(board: Board, ms: int) -> None:
    """The page's clock moves on."""
    board.page.evaluate(f"window.jump_ms += {ms}")


def test_connecting_shows_bed_numbers_and_no_values(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http)
    board.page.route_web_socket("**/ws", lambda _: None)  # taken, and never answered
    board.page.goto(f"{ward.gateway.http}/#/ward/4b")
    board.page.reload()
    board.link("connecting")
    expect(board.page.locator(PILL)).to_have_text("Connecting…")
    assert board.page.locator("nadi-tile .tile-head .bed").all_inner_texts() == [f"{n:02d}" for n in range(1, 17)]
    assert board.page.locator("nadi-tile .number").filter(has_text=re.compile(r"\d")).count() == 0
    assert board.page.locator(".card").count() == 0
    expect(board.page.locator(BANNER)).to_be_hidden()


def test_live_says_its_lag_and_the_sites_time(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http)  # the browser's zone is UTC
    expect(board.page.locator(PILL)).to_have_text(re.compile(r"^Live\d\.\d s$"))
    expect(board.page.locator(".clock")).to_have_text(re.compile(r"^17:5\d:\d\d$"))
    expect(board.page.locator(".date")).to_have_text("Sun 20 Dec 2026 · MYT (UTC+8)")
    assert board.page.title() == "1 critical, 3 warnings - Ward 4B"
    assert [n.strip() for n in board.page.locator(".count b").all_inner_texts()] == ["1", "3", "3"]
    expect(board.page.locator(".unowned").first).to_have_text("4 unowned")


def test_a_computer_whose_clock_is_off_is_reported(ward: Ward, screen: Open) -> None:
    shift = ward.scene.now() - wall_ms()
    script = "const now = Date.now; Date.now = () => now() + {}"
    right = screen(ward.gateway.http, init=script.format(shift))
    expect(right.page.locator(".clock-off")).to_be_hidden()
    wrong = screen(ward.gateway.http, init=script.format(shift + 90_500))
    expect(wrong.page.locator(".clock-off")).to_have_text("This computer's clock is 1 min fast")


def test_lagging_when_time_stands_still_behind_a_living_line(tmp_path: Path, screen: Open) -> None:
    with ward_of(tmp_path) as ward, beating(ward.scene) as still:
        board = screen(ward.gateway.http)
        still.set()
        board.link("lagging")
        expect(board.page.locator(PILL)).to_have_text(re.compile(r"^\d+ s behind$"))
        expect(board.cell("01", HR).locator(".number")).to_have_text("76")  # values stay
        still.clear()
        board.link("live")


def test_lost_within_ten_seconds_then_grey_then_dashes(ward: Ward, wire: Wire, screen: Open) -> None:
    board = screen(wire.http)
    began = time.monotonic()
    wire.cut()
    board.link("lost")
    assert time.monotonic() - began < LOST_WITHIN_S
    expect(board.page.locator(TITLE)).to_have_text(re.compile(r"^NOT LIVE: connection lost 0:0\d ago$"))
    expect(board.page.locator(".banner-text")).to_have_text(
        re.compile(r"^Values here are from 17:5\d:\d\d\. Go by the bedside monitors\.$")
    )
    expect(board.page.locator(PILL)).to_have_text(re.compile("^NOT LIVE: connection lost"))
    tile = board.tile("01").locator(".tile")
    assert tile.get_attribute("data-frozen") == ""
    assert "repeating-linear-gradient" in board.cell("01", HR).evaluate("n => getComputedStyle(n).backgroundImage")
    expect(board.cell("01", HR).locator(".number")).to_have_text("76")
    expect(board.tile("01").locator(".right")).to_have_text(re.compile(r"^17:5\d:\d\d$"))
    assert board.tile("07").locator(".bed").evaluate("n => getComputedStyle(n).animationName") == "none"
    assert board.page.locator(".card .timer").first.inner_text() == "?"
    assert set(board.page.locator(".card .act:visible").evaluate_all("all => all.map(b => b.getAttribute('aria-disabled'))")) == {"true"}
    board.page.locator('.card[data-size="full"] .act').click(force=True)
    expect(board.page.locator('.card[data-size="full"] .act')).to_have_text("I have it")  # dead
    assert ward.commands() == []
    assert board.page.title() == "NOT LIVE - Ward 4B"
    jump(board, 61_000)
    expect(board.cell("01", HR).locator(".number")).to_have_text(DASHES)
    assert board.page.locator("nadi-tile .number").filter(has_text=re.compile(r"\d")).filter(has_not_text="O₂").count() == 0
    expect(board.cell("01", HR).locator(".last")).to_have_text(re.compile(r"^last 76 at 17:5\d$"))
    expect(board.page.locator("[aria-live=assertive]")).to_have_text(re.compile("Not live"))


def test_lost_when_frames_stop_and_nobody_says_so(wire: Wire, screen: Open) -> None:
    board = screen(wire.http)
    began = time.monotonic()
    wire.hold()
    board.link("lost")
    assert time.monotonic() - began < LOST_WITHIN_S
    wire.mend()
    board.link("live")


def test_resumed_completely_marks_the_gap_and_repeats_nothing(ward: Ward, wire: Wire, screen: Open) -> None:
    board = screen(wire.http)
    before = board.page.evaluate("window.nadiLedger.ids.length")
    wire.cut()
    board.link("lost")
    missed = ward.scene.alert("02", 1, Evidence(reason="lead-off"), kind="signal_lost", priority="technical", code=HR, device="mon-02")
    wire.mend()
    board.link("live")
    expect(board.page.locator(TITLE)).to_have_text(re.compile(r"^Live again\. Gap 17:5\d:\d\d–17:5\d:\d\d is marked\.$"))
    assert board.page.locator(BANNER).get_attribute("data-kind") == "resumed"
    expect(board.card(missed.alert or "")).to_be_visible()
    ledger: dict[str, Any] = board.page.evaluate("({ ids: window.nadiLedger.ids, repeats: window.nadiLedger.repeats })")
    assert ledger["repeats"] == 0
    assert len(ledger["ids"]) == len(set(ledger["ids"])) == before + 1
    assert ledger["ids"][-1] == missed.id
    assert board.cell("01", HR).locator(".spark-gap").count() >= 1
    expect(board.page.locator(BANNER)).to_be_hidden(timeout=DEADLINE_MS)  # after ten seconds


def test_resumed_with_loss_says_so_until_it_is_closed(tmp_path: Path, wire: Wire, screen: Open) -> None:
    board = screen(wire.http)
    with ward_of(tmp_path / "other") as other, beating(other.scene):
        wire.cut()
        board.link("lost")
        wire.mend(other.gateway.port)  # another log: nothing can be resumed
        board.link("live")
        expect(board.page.locator(TITLE)).to_have_text(re.compile(r"^Live again\. Changes in .* could not all be recovered"))
        board.page.locator(".banner-close:visible").click()
        expect(board.page.locator(BANNER)).to_be_hidden()
        expect(board.cell("01", HR).locator(".number")).to_have_text("76")


def test_draining_says_that_the_server_restarts(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http)
    watched = board.page.evaluate_handle(
        "() => { const seen = []; const app = document.querySelector('nadi-app');"
        " new MutationObserver(() => { if (app.dataset.link === 'draining') seen.push([document.querySelector('.banner-title').textContent,"
        " document.querySelector('[data-cell=\"8867-4\"] .number').textContent]); }).observe(document.body, { subtree: true, childList: true, characterData: true,"
        " attributes: true }); return seen; }"
    )
    leaving = threading.Thread(target=ward.gateway.stop)
    leaving.start()
    board.link("lost")  # nobody else is there
    leaving.join()
    seen = watched.json_value()
    assert ["Server restarting; moving to another…", "76"] in seen


def test_an_expired_token_wipes_the_screen(ward: Ward, browser: Browser) -> None:
    board = Board(browser, ward.gateway.http)
    board.open(token(initials="NA", lifetime_s=6), "/#/ward/4b").live()
    expect(board.page.locator("h1", has_text="Signed out")).to_be_visible(timeout=DEADLINE_MS + 1000 * (6 + LEEWAY_S))
    assert_wiped(board, "Your sign-in has expired.")
    board.check()
    board.close()


def test_a_bad_token_and_a_foreign_ward_show_nothing(ward: Ward, browser: Browser) -> None:
    for given, address, told in (
        ("not.a.token", "/", "That token is not valid."),
        (token(wards=["5a"]), "/#/ward/4b", "You may not see this ward."),
    ):
        board = Board(browser, ward.gateway.http).open(given, address)
        expect(board.page.locator(".sign-message")).to_contain_text(told)
        assert_wiped(board, told)
        board.check()
        board.close()


def assert_wiped(board: Board, told: str) -> None:
    """The sign-in page with its reason, nothing of the ward in the document, no token kept."""
    expect(board.page.locator(".sign-message")).to_contain_text(told)
    expect(board.page.locator(".frame")).to_be_hidden()
    text = board.page.evaluate("document.querySelector('nadi-app').textContent")
    for word in ("S.R.", "124/78", "NEWS2 9", "No owner"):
        assert word not in text
    assert board.page.evaluate("sessionStorage.getItem('nadi.token')") is None
    assert board.page.evaluate("Object.keys(localStorage).filter(k => !k.startsWith('nadi.beds.'))") == []


def test_a_hidden_page_draws_nothing_and_all_of_it_when_it_is_seen_again(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http)
    board.page.evaluate("Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })")
    ward.scene.alert("02", 1, Evidence(reason="lead-off"), kind="signal_lost", priority="technical", code=HR, device="mon-02")
    known = "Object.values(document.querySelector('nadi-app').state.alerts).some(a => a.patient === 'p-02')"
    board.until(lambda: board.page.evaluate(known), "the alert")
    assert board.tile("02").locator(".tile").get_attribute("data-look") == "plain"
    board.page.evaluate(
        "Object.defineProperty(document, 'hidden', { configurable: true, get: () => false }); document.dispatchEvent(new Event('visibilitychange'))"
    )
    expect(board.tile("02").locator(".word")).to_have_text("DEVICE")


def test_a_ward_without_patients_says_so(tmp_path: Path, screen: Open) -> None:
    with ward_of(tmp_path, beds={}) as ward, beating(ward.scene):
        board = screen(ward.gateway.http, role="nurse")
        for name in list(ward.scene.patients):
            del ward.scene.patients[name]
        ward.scene.alerts.clear()
        ward.scene.key()
        expect(board.page.locator(".no-patients")).to_be_visible()  # its text stands in the page before it is shown
        expect(board.page.locator(".no-patients")).to_have_text("No patients on Ward 4B. Beds appear when a device is bound.")
        assert board.cell("01", SBP).count() == 0
