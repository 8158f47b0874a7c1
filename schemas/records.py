"""What a pure core wants appended: decisions as data, the append itself comes last and elsewhere."""

from __future__ import annotations

from typing import NamedTuple


class Append(NamedTuple):
    """One record for the log."""

    topic: str
    partition: int
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
