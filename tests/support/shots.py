"""Pictures of the board beside the design's: `python -m tests.support.shots FOLDER [NAME ...]`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser

from tests.support.board import STILL, Ward, ward_of
from tests.support.browser import LAPTOP, WIDE, Board, chromium
from tests.support.gateway import token

SETTLE_MS = 1500


def _nothing(_: Board) -> None:
    """As it opens."""


def _why(board: Board) -> None:
    board.page.locator('.card[data-size="full"] .why').click()


def _bed(board: Board) -> None:
    board.tile("07").locator(".tile").click()


def _lost(board: Board) -> None:
    """The line is closed and does not come back."""
    board.page.evaluate("document.querySelector('nadi-app').line.stop(); window.jump_ms = 41000")
    board.link("lost")


class Shot(NamedTuple):
    """One picture: its size, its theme, and what is done before it is taken."""

    size: tuple[int, int] = WIDE
    theme: str = "light"
    act: Callable[[Board], None] = _nothing
    signed_in: bool = True


SHOTS: dict[str, Shot] = {
    "ward-16-wide-light": Shot(),
    "ward-16-wide-dark": Shot(theme="dark"),
    "ward-16-laptop-light": Shot(LAPTOP),
    "ward-16-laptop-dark": Shot(LAPTOP, "dark"),
    "not-live-laptop-light": Shot(LAPTOP, act=_lost),
    "why-wide-light": Shot(act=_why),
    "bed-wide-dark": Shot(theme="dark", act=_bed),
    "sign-in-laptop-light": Shot(LAPTOP, signed_in=False),
}


def take(browser: Browser, ward: Ward, shot: Shot, path: Path) -> None:
    """Draws one picture."""
    board = Board(browser, ward.gateway.http, shot.size, color_scheme=shot.theme)
    board.context.add_init_script(STILL)
    board.context.add_init_script(f"Date.now = () => {ward.scene.now()}")
    board.open(token(initials="NA") if shot.signed_in else None)
    if shot.signed_in:
        board.live()
    board.page.wait_for_timeout(SETTLE_MS)
    shot.act(board)
    board.page.wait_for_timeout(SETTLE_MS)
    board.page.screenshot(path=str(path), animations="disabled")
    board.check()
    board.close()


def main(folder: Path, names: list[str]) -> None:
    """Draws the wanted pictures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, ward_of(Path(temporary), history=True, still=True) as ward, chromium() as browser:
        for name in names or list(SHOTS):
            take(browser, ward, SHOTS[name], folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
