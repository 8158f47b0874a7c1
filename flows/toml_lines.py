"""On which line of a TOML text a key stands: `tomllib` gives values without places, and a refusal that names no line costs an evening."""

from __future__ import annotations

import re

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_PATH = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"^\s*\[\[?\s*({_PATH})\s*\]\]?\s*(?:#.*)?$")
_ASSIGN = re.compile(rf"^\s*({_PATH})\s*=\s*(.*)$")
_PARTS = re.compile(_PART)
_FENCES = ('"""', "'''")


def _split(path: str) -> tuple[str, ...]:
    return tuple(p[1:-1] if p[0] in "\"'" else p for p in _PARTS.findall(path))


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Dotted key -> line (from 1) for each header and assignment; of a key written twice (arrays of tables) the first.

    Keys inside inline tables have no line of their own: ask `line_of`, which falls back to what encloses them.
    """
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        if fence:  # inside a multi-line string nothing is a key
            fence = "" if fence in line else fence
            continue
        if header := _HEADER.match(line):
            table = _split(header[1])
            lines.setdefault(table, number)
        elif assign := _ASSIGN.match(line):
            lines.setdefault(table + _split(assign[1]), number)
            fence = next((f for f in _FENCES if assign[2].startswith(f) and assign[2].count(f) == 1), "")
    return lines


def line_of(text: str, key: tuple[str, ...]) -> int:
    """Line of `key`, or of the nearest table that encloses it; 1 if there is none."""
    lines = key_lines(text)
    while key:
        if key in lines:
            return lines[key]
        below = [n for path, n in lines.items() if path[: len(key)] == key]  # `gateway` of `gateway.port = 1`
        if below:
            return min(below)
        key = key[:-1]
    return 1
