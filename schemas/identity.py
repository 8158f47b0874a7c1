"""Keys, shards and ids: pure functions of names and causes (`semantics.md` 4). No offset, clock, batch or process enters."""

from __future__ import annotations

from hashlib import blake2b
from uuid import UUID

SHARDS_PER_PROCESS = 8
SEPARATOR = b"\x1f"


def key64(pseudonym: str) -> int:
    """First 8 bytes of BLAKE2b of a pseudonym, little-endian: the u8 key of a patient or a device."""
    return int.from_bytes(blake2b(pseudonym.encode()).digest()[:8], "little")


def shard_of(patient_key: int, shards: int = SHARDS_PER_PROCESS) -> int:
    """The timeline partition of a patient: a storage format, never change it."""
    return patient_key % shards


def id16(*parts: str | int) -> str:
    """BLAKE2b-16 of the parts, as 32 hex digits."""
    return blake2b(SEPARATOR.join(str(p).encode() for p in parts), digest_size=16).hexdigest()


def alert_id(patient: str, rule: str, slot: str, onset: str) -> str:
    """Id of an episode: (patient, rule, slot, onset)."""
    return id16("alert", patient, rule, slot, onset)


def event_id(alert: str, transition: str, cause: str) -> str:
    """Id of one event of an episode: (alert id, transition, cause)."""
    return id16("event", alert, transition, cause)


def is_command_id(text: str) -> bool:
    """True for a canonical UUID in lower case: what `id` of a command must be."""
    try:
        return str(UUID(text)) == text
    except (ValueError, AttributeError, TypeError):
        return False


def cause_reading(device: str, code: int, t_ms: int, received_ms: int) -> str:
    """A row made it happen; `received_ms` as stamped on the row."""
    return f"reading:{device}:{code}:{t_ms}:{received_ms}"


def cause_deadline(kind: str, at_ms: int) -> str:
    """A deadline made it happen, at its own time (`kind`: delay, hold, silent, latch, lease, ...)."""
    return f"deadline:{kind}:{at_ms}"


def cause_fact(topic: str, key: str, revision: str) -> str:
    """A table fact made it happen; `revision` is its sender's."""
    return f"fact:{topic}:{key}:{revision}"


def cause_command(command_id: str) -> str:
    """A person's command made it happen."""
    return f"command:{command_id}"


def cause_instant(received_ms: int) -> str:
    """A score judged at the end of an instant made it happen."""
    return f"instant:{received_ms}"
