"""The alert rail: its order, frozen under a hand; buttons that moved; what does not fit; each event in the page's ledger once."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from schemas.events import Evidence
from tests.support.board import Open, Ward
from tests.support.browser import Board
from tests.support.gateway import HR
from tests.support.scene import limit_evidence
from tests.support.scene_beds import SPO2

pytest_plugins = ["tests.support.board_fixtures"]
pytestmark = pytest.mark.browser


def alert_of(ward: Ward, bed: str) -> str:
    return ward.scene.raised[bed].alert or ""


def order_of(board: Board) -> list[str]:
    """Beds of the rail from top to bottom."""
    return [str(b).removeprefix("Bed ") for b in board.page.locator(".card .bed").all_inner_texts()]


def test_the_rail_puts_the_most_severe_unowned_oldest_first(shown: Ward, still: Board) -> None:
    assert order_of(still) == ["07", "14", "08", "16", "05", "10", "11"]
    sizes = still.page.locator(".card").evaluate_all("all => all.map(c => c.dataset.size)")
    assert sizes == ["full", "card", "line", "line", "line", "line", "line"]
    parts = still.card(alert_of(shown, "07")).locator(".part").all_inner_texts()
    assert [" ".join(p.split()) for p in parts] == ["RR 24 2", "SpO₂ 94 1", "O₂ Air 0", "BP 98 2", "HR 118 2", "ACVPU A 0", "T 39.2 2"]
    expect(still.card(alert_of(shown, "07")).locator(".guidance")).to_contain_text("think sepsis")


def held(board: Board, ward: Ward, enter: Callable[[], None]) -> list[str]:
    """New alerts while a hand is in the rail: beds as they stand then."""
    enter()
    board.until(lambda: bool(board.page.evaluate("document.querySelector('nadi-app').rail.held !== null")), "the hand")
    ward.scene.alert(
        "12",
        1,
        limit_evidence(HR, "<=", 40, 38, "default"),
        kind="limit",
        priority="medium",
        code=HR,
        side="low",
        device="mon-12",
        value=38,
    )
    expect(board.page.locator(".waiting")).to_have_text("1 new")
    ward.scene.alert("13", 1, Evidence(reason="lead-off"), kind="signal_lost", priority="technical", code=SPO2, device="mon-13")
    expect(board.page.locator(".waiting")).to_have_text("2 new")
    ward.scene.alert(
        "02",
        1,
        limit_evidence(SPO2, "<", 80, 70, "default"),
        kind="limit",
        priority="high",
        code=SPO2,
        side="low",
        device="mon-02",
        value=70,
    )
    expect(board.page.locator('.card[data-size="full"]')).to_have_count(2)
    return order_of(board)


@pytest.mark.parametrize("hand", ["pointer", "focus"])
def test_the_order_is_frozen_while_a_hand_is_in_the_rail(ward: Ward, screen: Open, hand: str) -> None:
    board = screen(ward.gateway.http)

    def enter() -> None:
        if hand == "pointer":
            board.page.locator(".rail").hover(position={"x": 200, "y": 700})
        else:
            board.page.keyboard.press("j")

    assert held(board, ward, enter) == ["02", "07", "14", "08", "16", "05", "10", "11"]
    if hand == "pointer":
        board.page.mouse.move(300, 300)
    else:
        board.page.evaluate("document.activeElement.blur()")
    expect(board.page.locator(".waiting")).to_have_text("")
    assert order_of(board) == ["07", "02", "14", "12", "08", "16", "05", "13", "10", "11"]


def test_a_button_that_moved_is_dead_for_a_moment(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http)
    alert = alert_of(ward, "14")
    board.page.evaluate("window.stop = performance.now(); performance.now = () => window.stop")  # the moment of the move lasts
    ward.scene.alert(
        "02",
        1,
        limit_evidence(SPO2, "<", 80, 70, "default"),
        kind="limit",
        priority="high",
        code=SPO2,
        side="low",
        device="mon-02",
        value=70,
    )
    expect(board.page.locator('.card[data-size="full"]')).to_have_count(2)
    board.card(alert).locator(".act").click()
    expect(board.card(alert).locator(".act")).to_have_text("I have it")
    board.page.evaluate("window.stop += 500")
    board.card(alert).locator(".act").click()
    expect(board.card(alert).locator(".act")).to_have_text("Sending…")


def test_what_does_not_fit_is_counted_by_shape(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http, size=(1920, 720))
    expect(board.page.locator(".foot-count")).to_have_text(re.compile(r"^\+\d$"))
    expect(board.page.locator(".foot-shapes")).to_be_visible()
    shapes = {name: board.page.locator(f".foot-{name}").count() for name in ("device", "latched", "critical")}
    assert shapes == {"device": 1, "latched": 1, "critical": 0}
    board.page.locator(".rail-foot").click()
    expect(board.page.locator(".rail-foot")).to_be_hidden()


def test_each_event_is_in_the_ledger_once(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http)
    before = list(ward.scene.records_of("alerts"))
    board.until(lambda: len(board.page.evaluate("window.nadiLedger.ids")) == len(before), "the history")
    for _ in range(3):
        ward.scene.alert("13", 0.5, Evidence(reason="lead-off"), kind="signal_lost", priority="technical", code=HR, device="mon-13")
    told = ward.scene.records_of("alerts")
    board.until(lambda: len(board.page.evaluate("window.nadiLedger.ids")) == len(set(told)), "the news")
    ledger = board.page.evaluate("({ ids: window.nadiLedger.ids, repeats: window.nadiLedger.repeats })")
    assert sorted(ledger["ids"]) == sorted(set(told))
    assert ledger["repeats"] == 0
