"""Everyone can use the board: axe in both themes with the policy on, keyboard alone, contrast from the tokens, voices, motion, sizes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from schemas.events import Evidence
from tests.support.board import Open, Ward
from tests.support.browser import LAPTOP, Board
from tests.support.scene import limit_evidence
from tests.support.scene_beds import ACVPU, HR, SPO2

pytest_plugins = ["tests.support.board_fixtures"]
pytestmark = pytest.mark.browser
SERIOUS = ("serious", "critical")


def findings(board: Board) -> list[str]:
    """What axe finds that is serious."""
    response: dict[str, Any] = Axe().run(board.page).response
    found = []
    for violation in response["violations"]:
        if violation["impact"] in SERIOUS:
            nodes = [
                " ".join(map(str, node["target"])) + ": " + str(node.get("failureSummary", ""))[:200] for node in violation["nodes"][:4]
            ]
            found.append(f"{violation['id']}: {nodes}")
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(ward: Ward, screen: Open, theme: str) -> None:
    board = screen(ward.gateway.http, color_scheme=theme, reduced_motion="reduce")
    assert board.page.evaluate("document.documentElement.dataset.theme") == theme
    assert findings(board) == []
    board.page.locator('.card[data-size="full"] .why').click()
    assert findings(board) == []
    board.tile("07").locator(".bed").click()
    expect(board.page.locator(".observe")).to_be_visible()
    assert findings(board) == []
    board.page.keyboard.press("Escape")
    board.page.locator(".top-button.help").click()
    assert findings(board) == []
    board.page.locator(".top-button.person").click()
    assert findings(board) == []
    board.page.evaluate("document.querySelector('nadi-app').line.stop(); window.jump_ms += 30000")
    board.link("lost")
    assert findings(board) == []
    board.page.evaluate("document.querySelector('nadi-app').leave()")
    expect(board.page.locator(".sign-box")).to_be_visible()
    assert findings(board) == []


def test_from_sign_in_to_an_owned_alert_by_keyboard_alone(ward: Ward, browser: Browser) -> None:
    board = Board(browser, ward.gateway.http).open()
    page = board.page
    expect(page.locator('[data-user="n-01"]')).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator('[data-user="n-01"]')).to_be_focused()
    page.keyboard.press("Enter")
    board.live()
    page.keyboard.press("j")
    expect(board.card(ward.scene.raised["07"].alert or "")).to_be_focused()
    page.keyboard.press("j")
    expect(board.card(ward.scene.raised["14"].alert or "")).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("w")
    expect(page.locator(".panel-title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(board.card(ward.scene.raised["07"].alert or "")).to_be_focused()
    page.keyboard.press("a")
    board.until(lambda: len(ward.commands()) == 1, "the command")
    ward.answer(ward.commands()[0])
    expect(board.tile("07").locator(".owner")).to_have_text("N.A.")
    page.keyboard.press("u")
    board.until(lambda: len(ward.commands()) == 2, "the undo")
    ward.answer(ward.commands()[1])
    expect(board.tile("07").locator(".nobody")).to_have_text("No owner yet")
    page.keyboard.press("b")
    page.keyboard.press("0")
    page.keyboard.press("6")
    expect(board.tile("06").locator(".tile")).to_be_focused()
    for key, bed in (("ArrowRight", "07"), ("ArrowDown", "11"), ("ArrowLeft", "10"), ("ArrowUp", "06")):
        page.keyboard.press(key)
        expect(board.tile(bed).locator(".tile")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".panel-title")).to_have_text("Bed 06 M.T. 39 F")
    page.keyboard.press("Escape")
    expect(board.tile("06").locator(".tile")).to_be_focused()
    page.keyboard.press("o")
    expect(page.locator(f"#observe-{ACVPU}-none")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator(f"#observe-{ACVPU}-A")).to_be_checked()
    page.keyboard.press("Enter")
    board.until(lambda: len(ward.commands()) == 3, "the observation")
    assert [(r.code, r.coded) for r in ward.commands()[2].readings] == [(ACVPU, "A")]
    ward.answer(ward.commands()[2])
    expect(page.locator(".form-status")).to_have_text(re.compile("^Recorded"))
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator(".panel-title")).to_have_text("Help")
    board.check()
    board.close()


def test_single_keys_can_be_switched_off(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http)
    board.page.keyboard.press("?")
    board.page.locator("#keys-on").uncheck()
    board.page.keyboard.press("Escape")
    board.page.keyboard.press("j")
    assert board.page.evaluate("document.activeElement.closest('.rail')") is None
    board.tile("01").locator(".tile").focus()
    board.page.keyboard.press("ArrowRight")
    expect(board.tile("02").locator(".tile")).to_be_focused()


def test_focus_is_never_moved_or_lost_by_an_update(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http)
    alert = ward.scene.raised["14"].alert or ""
    board.card(alert).locator(".why").focus()
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
    expect(board.card(alert).locator(".why")).to_be_focused()
    ward.scene.key()  # the whole ward again
    expect(board.card(alert).locator(".why")).to_be_focused()
    board.tile("12").locator(".tile").focus()
    ward.scene.alert("12", 1, Evidence(reason="lead-off"), kind="signal_lost", priority="technical", code=HR, device="mon-12")
    expect(board.tile("12").locator(".word")).to_have_text("DEVICE")
    expect(board.tile("12").locator(".tile")).to_be_focused()


def test_landmarks_one_heading_and_skip_links(still: Board) -> None:
    page = still.page
    assert page.locator("h1").count() - page.locator(".sign-in h1").count() == 1
    for role, name in (("region", "Trust"), ("main", "Beds"), ("complementary", "Alerts"), ("navigation", "Pages")):
        expect(page.get_by_role(role, name=name, exact=True)).to_be_visible()  # type: ignore[arg-type]
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to alerts")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#alerts")).to_be_focused()


def test_voices_say_alerts_and_never_values(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http)
    loud, calm = board.page.locator("[aria-live=assertive]"), board.page.locator("[aria-live=polite]")
    assert (loud.inner_text(), calm.inner_text()) == ("", "")
    ward.scene.alert(
        "02",
        1,
        limit_evidence(SPO2, "<", 80, 71, "default"),
        kind="limit",
        priority="high",
        code=SPO2,
        side="low",
        device="mon-02",
        value=71,
    )
    expect(loud).to_have_text("Critical: bed 02, SpO₂ low")
    for bed in ("12", "13", "15"):
        ward.scene.alert(
            bed,
            1,
            limit_evidence(HR, ">=", 131, 140, "default"),
            kind="limit",
            priority="medium",
            code=HR,
            side="high",
            device=f"mon-{bed}",
            value=140,
        )
    expect(calm).to_have_text(re.compile(r"beds? .*1[235]"), timeout=10_000)
    said = " ".join(calm.all_inner_texts() + loud.all_inner_texts())
    assert not re.search(r"\b(140|71)\b", said)


def test_voices_join_what_comes_together(still: Board) -> None:
    """At most one message in five seconds; what came meanwhile is one sentence."""
    said = still.run(
        """
        const { sentence } = await load("announce"); const { empty } = await load("fold");
        const alert = (bed, priority) => ({ alert: bed, patient: bed, kind: "limit", priority, status: "active", code: "8867-4", side: "high" });
        const state = { ...empty(), patients: Object.fromEntries(["3", "8", "14"].map((bed) => [bed, { patient: bed, bed, initials: "", vitals: {}, devices: [], limits: {} }])) };
        const at = { now_ms: 0, tz: "UTC", frozen: false, blank: false };
        return [sentence(state, ["3", "8", "14"].map((b) => alert(b, "medium")), at), sentence(state, [alert("8", "technical")], at)];
        """
    )
    assert said == ["3 new warnings: beds 3, 8, 14", "Device: bed 8, HR high"]


def test_reduced_motion_stops_the_flashing_and_doubles_the_edge(ward: Ward, screen: Open) -> None:
    moving, calm = screen(ward.gateway.http), screen(ward.gateway.http, reduced_motion="reduce")
    name = "n => getComputedStyle(n).animationName"
    assert moving.tile("07").locator(".bed").evaluate(name) == "flash"
    period = moving.tile("07").locator(".bed").evaluate("n => parseFloat(getComputedStyle(n).animationDuration)")
    assert 1.4 <= 1 / period <= 2.8
    assert calm.tile("07").locator(".bed").evaluate(name) == "none"
    assert calm.tile("07").locator(".tile").evaluate("n => getComputedStyle(n).borderTopStyle") == "double"


@pytest.mark.parametrize("size", [(1920, 1080), LAPTOP, (960, 540), (320, 900)])
def test_every_size_works(ward: Ward, screen: Open, size: tuple[int, int]) -> None:
    """16 beds fit unscrolled on wall and laptop; 200 % zoom and 320 px reflow; targets are large enough."""
    board = screen(ward.gateway.http, size=size)
    wide = board.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
    small = board.page.evaluate(
        "[...document.querySelectorAll('button, a.tile, select')].filter(n => n.offsetParent && !n.closest('.skips'))"
        ".map(n => [n.className, n.getBoundingClientRect()]).filter(([, b]) => b.width < 24 || b.height < 24).map(([c]) => c)"
    )
    assert small == []
    if size[0] >= 1000:
        assert board.page.evaluate("document.documentElement.scrollHeight - innerHeight") <= 0
        assert board.page.evaluate("(() => { const m = document.querySelector('.ward'); return m.scrollHeight - m.clientHeight; })()") <= 1
    expect(board.cell("01", HR).locator(".number")).to_have_text("76")
