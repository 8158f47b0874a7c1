"""The demo: who may sign in, which ward, and a mark on the data folder so that simulated and real patients never mix."""

from __future__ import annotations

from pathlib import Path

from flows.settings import Settings, SettingsError
from gateway.config import DemoUser

WARD = "4b"
PEOPLE = 16
STORY = "demo"
BEDS = [f"{n:02}" for n in range(1, 17)]
USERS: list[DemoUser] = [
    DemoUser(user="nurse-1", role="nurse", wards=[WARD], initials="N1"),
    DemoUser(user="nurse-2", role="nurse", wards=[WARD], initials="N2"),
    DemoUser(user="charge-1", role="charge", wards=["*"], initials="C1"),
    DemoUser(user="doctor-1", role="doctor", wards=["*"], initials="D1"),
    DemoUser(user="viewer-1", role="viewer", wards=[WARD], initials="V1"),
]
MARK = "demo"
MARK_TEXT = "This folder holds simulated patients (nadi up --demo). Delete the folder to be rid of them.\n"


def mark(settings: Settings) -> None:
    """Simulated patients go only into a new folder or one that is marked as theirs, real ones never into that. Raises SettingsError."""
    folder = settings.folder
    marked = (folder / MARK).exists()
    holds = (folder / "log").is_dir() or (folder / "recovery").is_dir()
    if settings.demo and holds and not marked:
        raise SettingsError(f"{folder} holds an installation that is no demo: say another folder for the demo with --data")
    if marked and not settings.demo:
        raise SettingsError(f"{folder} holds the simulated patients of a demo: say another folder with --data, or --demo, or delete it")
    if settings.demo and not marked:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).write_text(MARK_TEXT, encoding="utf-8")


def needs_own_log(settings: Settings) -> None:
    """The demo has the embedded log of its folder; a shared log would take simulated patients among its own. Raises SettingsError."""
    if settings.demo and settings.log:
        raise SettingsError(f"the demo keeps to the embedded log of its own folder: leave out --log (it is {settings.log})")


def is_folder_of_demo(folder: Path) -> bool:
    """Whether a data folder is a demo's."""
    return (folder / MARK).exists()
