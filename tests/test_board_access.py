"""Everyone can use the board: axe in both themes with the policy on, keyboard alone, contrast from the tokens, voices, motion, sizes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from schemas.events import Evidence
from tests.support.board import Open, Ward
from tests.support.browser import LAPTOP, STATIC, Board
from tests.support.gateway import token
from tests.support.scene import ACVPU, HR, SPO2, limit_evidence

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
    board.page.wait_for_timeout(200)
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


def tokens(theme: str) -> dict[str, str]:
    """Custom properties of a theme from the stylesheet itself."""
    css = (STATIC / "css" / "tokens.css").read_text()
    block = re.search(r'\[data-theme="' + theme + r'"\]\s*{([^}]*)}', css)
    assert block is not None
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9A-Fa-f]{6})", block[1]))


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    one, two = sorted((luminance(a), luminance(b)))
    return (two + 0.05) / (one + 0.05)


TEXT = (
    ("ink", "surface"), ("ink", "bg"), ("ink", "raised"), ("ink", "cell"), ("ink", "fast"), ("ink-2", "surface"), ("ink-2", "raised"), ("ink-2", "cell"),
    ("ink-2", "crit-tint"), ("ink-2", "warn-tint"), ("ink-2", "tech-tint"), ("ink", "crit-tint"), ("ink", "warn-tint"), ("ink", "tech-tint"),
    ("ink-3", "surface"), ("ink-3", "bg"), ("on-crit", "crit"), ("crit-ink", "crit-tint"), ("crit-ink", "surface"), ("crit-ink", "raised"),
    ("on-warn", "warn"), ("warn-ink", "warn-tint"), ("warn-ink", "surface"), ("warn-ink", "raised"), ("on-tech", "tech"), ("tech-ink", "tech-tint"),
    ("tech-ink", "raised"), ("on-action", "action"), ("on-n", "n1"), ("on-n", "n2"), ("on-n", "n3"),
)  # fmt: skip
SHAPES = (
    ("trace", "surface"), ("ink", "band"), ("crit", "surface"), ("warn-edge", "surface"), ("tech-edge", "surface"), ("line-2", "surface"), ("focus", "surface"),
    ("focus", "bg"), ("focus", "raised"), ("warn-edge", "raised"), ("tech-edge", "raised"), ("action", "raised"),
)  # fmt: skip
TOLD = {
    "light": {
        ("ink", "surface"): 16.6,
        ("ink-2", "surface"): 8.2,
        ("ink-3", "surface"): 5.8,
        ("on-crit", "crit"): 7.1,
        ("crit-ink", "crit-tint"): 6.7,
        ("on-n", "n3"): 7.3,
    },
    "dark": {
        ("ink", "surface"): 14.5,
        ("ink-2", "surface"): 9.4,
        ("ink-3", "surface"): 6.4,
        ("on-crit", "crit"): 5.4,
        ("crit-ink", "crit-tint"): 7.1,
        ("on-n", "n3"): 7.7,
    },
}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast_computed_from_the_stylesheet(theme: str) -> None:
    colours = tokens(theme)
    assert [pair for pair in TEXT if contrast(colours[pair[0]], colours[pair[1]]) < 4.5] == []
    assert [pair for pair in SHAPES if contrast(colours[pair[0]], colours[pair[1]]) < 3] == []
    for (one, two), ratio in TOLD[theme].items():
        assert contrast(colours[one], colours[two]) == pytest.approx(ratio, abs=0.1)


def test_both_themes_have_the_same_tokens_and_no_colour_stands_outside_them() -> None:
    assert tokens("light").keys() == tokens("dark").keys()
    for sheet in (STATIC / "css").glob("*.css"):
        if sheet.name != "tokens.css":
            assert re.findall(r"#[0-9A-Fa-f]{3,8}\b", sheet.read_text()) == []


def test_no_file_of_the_page_reaches_outside_and_none_writes_markup() -> None:
    """Nothing from a network at run time, no markup from data, no inline style or script, files of at most 300 lines."""
    for path in sorted(p for p in STATIC.rglob("*") if p.is_file() and "vendor" not in p.parts):
        text = path.read_text()
        assert len(text.splitlines()) <= 300, path
        assert not re.search(r"https?://(?!www\.w3\.org/)", text), path
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|setAttribute\(\"style\"|style=\"", text
        ), path
        if path.suffix == ".js":
            assert text.startswith("// @ts-check\n"), path


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


def test_the_theme_is_the_persons_choice(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http, color_scheme="dark")
    board.page.locator(".top-button.person").click()
    board.page.locator("#theme-light").check()
    assert board.page.evaluate("document.documentElement.dataset.theme") == "light"
    board.page.reload()
    board.live()
    assert board.page.evaluate("document.documentElement.dataset.theme") == "light"


def test_sign_in_by_token_and_sign_out_leave_nothing(ward: Ward, browser: Browser) -> None:
    board = Board(browser, ward.gateway.http).open()
    board.page.locator("#token").fill(token(initials="NA"))
    board.page.keyboard.press("Enter")
    board.live()
    assert board.page.locator("#token").input_value() == ""
    assert "token" not in board.page.url
    board.page.reload()  # the tab's session keeps it
    board.live()
    board.page.locator(".top-button.person").click()
    board.page.locator(".panel .plain", has_text="Sign out").click()
    expect(board.page.locator(".sign-box h1")).to_have_text("Sign in")
    assert board.page.evaluate("sessionStorage.length") == 0
    assert board.page.evaluate("Object.keys(localStorage).filter(k => !k.startsWith('nadi.beds'))") == []
    assert "S.R." not in board.page.evaluate("document.querySelector('nadi-app').textContent")
    board.check()
    board.close()


def test_the_demos_script_tells_what_happens_and_can_be_closed(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http)
    expect(board.page.locator(".script")).to_be_hidden()
    script = [
        {"at_s": 0, "text": "All beds report."},
        {"at_s": 45, "text": "The probe of bed 11 falls off."},
        {"at_s": 4000, "text": "Much later."},
    ]
    site = {"tz": "Asia/Kuala_Lumpur", "demo": True, "users": [], "script": script, "start_ms": ward.scene.now() - 60_000}
    board.page.evaluate("site => document.querySelector('nadi-app').happened({ k: 'site', site })", site)
    expect(board.page.locator(".script-text")).to_have_text("The probe of bed 11 falls off.")
    expect(board.page.locator(".script-time")).to_have_text("0:45")
    expect(board.page.locator(".script-next")).to_have_text("1:06:40 Much later.")
    board.page.locator(".script .banner-close").click()
    expect(board.page.locator(".script")).to_be_hidden()
