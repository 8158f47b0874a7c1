"""Fixtures of the board's tests: one Chromium a module, the scene's ward, screens that look at it.

A module takes them with `pytest_plugins = ["tests.support.board_fixtures"]`. Chromium ends with its module: its driver keeps an event
loop in this thread, and other modules want their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.board import JUMP, STILL, USERS, Open, Ward, Wire, beating, ward_of
from tests.support.browser import Board, chromium
from tests.support.gateway import token


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """The scene at one moment that never passes, for tests that only look."""
    with ward_of(tmp_path_factory.mktemp("shown"), history=True, still=True) as ward:
        yield ward


@pytest.fixture(scope="module")
def still(browser: Browser, shown: Ward) -> Iterator[Board]:
    """A screen that looks at it; its clock stands still too."""
    board = Board(browser, shown.gateway.http)
    board.context.add_init_script(STILL)
    yield board.open(token(initials="NA")).live()
    board.check()
    board.close()


@pytest.fixture(scope="module")
def page(browser: Browser, shown: Ward) -> Iterator[Board]:
    """The page before anyone has signed in, for its modules."""
    board = Board(browser, shown.gateway.http).open()
    yield board
    board.check()
    board.close()


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    """A scene of its own for tests that act on it."""
    with ward_of(tmp_path) as made, beating(made.scene):
        yield made


@pytest.fixture
def screen(browser: Browser) -> Iterator[Open]:
    """Opens signed-in screens, checks each at the end for policy reports and script errors, closes them."""
    boards: list[Board] = []

    def make(http: str, user: str = "n-01", role: str = "nurse", live: bool = True, init: str = "", **options: Any) -> Board:
        board = Board(browser, http, **options)
        boards.append(board)
        board.context.add_init_script(JUMP + init)
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
