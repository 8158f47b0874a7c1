"""Fixtures of the board's tests: one Chromium a module, the scene's ward, screens that look at it.

A module takes them with `pytest_plugins = ["tests.support.board_fixtures"]`. Chromium ends with its module: its driver keeps an event
loop in this thread, and other modules want their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.board import JUMP, USERS, Ward, Wire, beating, ward_of
from tests.support.browser import Board, chromium
from tests.support.gateway import token


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """The scene for tests that only look."""
    with ward_of(tmp_path_factory.mktemp("shown"), history=True) as ward, beating(ward.scene):
        yield ward


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    """A scene of its own for tests that act on it."""
    with ward_of(tmp_path) as made, beating(made.scene):
        yield made


Open = Callable[..., Board]


@pytest.fixture
def screen(browser: Browser) -> Iterator[Open]:
    """Opens signed-in screens, checks each at the end for policy reports and script errors, closes them."""
    boards: list[Board] = []

    def make(http: str, user: str = "n-01", role: str = "nurse", live: bool = True, **options: Any) -> Board:
        board = Board(browser, http, **options)
        boards.append(board)
        board.context.add_init_script(JUMP)
        initials = next((u.initials for u in USERS if u.user == user), "")
        board.open(token(user, role, initials=initials))
        return board.live() if live else board

    yield make
    try:
        for board in boards:
            board.check()
    finally:
        for board in boards:
            board.close()


@pytest.fixture
def wire(ward: Ward) -> Iterator[Wire]:
    made = Wire(ward.gateway.port)
    try:
        yield made
    finally:
        made.close()
