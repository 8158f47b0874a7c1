"""Dead letters: what cannot be decoded or attributed, with its bytes, its place and its reason (`architecture.md` 1, law 6)."""

from __future__ import annotations

from operators.ingest.arrivals import Item
from schemas.records import Append
from schemas.topics import BY_NAME, DETAIL, POSITION, REASON

TOPIC = "dead-letter"
APPENDED = "arrival-ms"
"""When the log took the refused record, ms in decimal. Not `arrival`: that one is believed in a stream."""
MAX_BYTES = BY_NAME[TOPIC].max_bytes - 16 * 1024
"""Of value and key, leaving room for headers."""


def letter(item: Item, received: int, reason: str, detail: str) -> Append:
    """`detail`: a few words without anything that concerns a patient. The key stays, so that a replay can put the record back."""
    value, key = item.value or b"", item.key
    if key is not None and len(key) > MAX_BYTES // 4:
        key, detail = key[: MAX_BYTES // 4], f"{detail} (key cut)"
    room = MAX_BYTES - len(key or b"")
    if len(value) > room:
        value, detail = value[:room], f"{detail} (cut from {len(item.value or b'')} bytes)"
    headers = (
        (REASON, reason.encode()),
        (POSITION, item.position.encode()),
        (DETAIL, detail.encode()),
        (APPENDED, str(received).encode()),
    )
    return Append(TOPIC, 0, value, key, headers)
