"""The page itself: contrast computed from its stylesheet, files that reach nowhere, theme, signing in and out, the strip of the demo."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.support.board import Open, Ward
from tests.support.browser import STATIC, Board
from tests.support.gateway import token

pytest_plugins = ["tests.support.board_fixtures"]
pytestmark = pytest.mark.browser


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
