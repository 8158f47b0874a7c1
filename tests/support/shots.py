"""Pictures of the board beside the design's: `python -m tests.support.shots FOLDER [NAME ...]`."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from gateway.config import DemoUser
from tests.support.browser import LAPTOP, STATIC, WIDE, Board, chromium
from tests.support.gateway import config_for, eventually, running, token
from tests.support.scene import BEDS, Scene

USERS = [DemoUser(user="n-01", role="nurse", wards=["4b"], initials="NA"), DemoUser(user="n-02", role="nurse", wards=["4b"], initials="KL")]
SHOTS: dict[str, tuple[tuple[int, int], str]] = {
    "ward-16-wide-light": (WIDE, "light"),
    "ward-16-wide-dark": (WIDE, "dark"),
    "ward-16-laptop-light": (LAPTOP, "light"),
    "ward-16-laptop-dark": (LAPTOP, "dark"),
}


@contextlib.contextmanager
def beating(scene: Scene) -> Iterator[None]:
    """Lets the scene's time go on, a beat a second."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(1.0):
            scene.beat()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def main(folder: Path, names: list[str]) -> None:
    """Draws the wanted pictures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, contextlib.closing(Scene(Path(temporary))) as scene:
        scene.set_up()
        config = config_for(scene.url, STATIC, demo_users=USERS, beds={"4b": BEDS}, clock="stream")
        with running(config) as gateway, beating(scene), chromium() as browser:
            eventually(lambda: gateway.phase() == "ready", "the gateway")
            for name in names or list(SHOTS):
                size, theme = SHOTS[name]
                board = Board(browser, gateway.http, size, color_scheme=theme).open(token(initials="NA")).live()
                board.page.wait_for_timeout(2500)
                board.page.screenshot(path=str(folder / f"{name}.png"), animations="disabled")
                board.check()
                board.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
