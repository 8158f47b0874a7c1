"""Where recorded patient data lies: beside the project, or where NADI_SHARED_DATA says. Never part of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DEFAULT = Path(__file__).parents[2].parent / "shared" / "data"
FOLDER = Path(os.environ.get("NADI_SHARED_DATA") or DEFAULT)
SETS = ("mimic3_demo", "cinc2012", "cgm")


def recorded(name: str) -> Path:
    """The folder of a recorded set; without it the test says so in one line and is skipped."""
    folder = FOLDER / name
    if not folder.exists():
        pytest.skip(f"no recorded patients in {folder}: set NADI_SHARED_DATA to the folder that holds {', '.join(SETS)}")
    return folder
