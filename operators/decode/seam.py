"""What every decoder answers: rows of one message, or why it is refused. The native JSON contract is the one implementation so far.

A decoder knows no device, no lease and no limit of age: it turns bytes into canonical values and leaves who and when to `operators.ingest`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Reason = Literal[
    "not_json",
    "bad_shape",
    "too_large",
    "unknown_version",
    "bad_device",
    "patient_not_allowed",
    "waveform",
    "empty",
    "too_many",
    "bad_time",
    "unknown_code",
    "code_twice",
    "test_data",
    "alarms_not_supported",
]
"""Why a message, or a part of it, goes to `dead-letter` before anyone asks whose it is."""

FHIR_MARK, FHIR_WITHIN_BYTES = b'"resourceType"', 4096


class Refusal(NamedTuple):
    """`detail` says where, in a few words without any value that a device sent."""

    reason: Reason
    detail: str


class Row(NamedTuple):
    """One reading in the canonical unit of its code. A beat: code 0, NaN."""

    nth: int
    """Place in the message as it was sent, refused readings counted too."""
    code: int
    value: float
    """NaN = without value, the reason is in the flags."""
    flags: int


class Decoded(NamedTuple):
    """One accepted message."""

    device: str
    t_ms: int
    flags: int
    """Of the whole message (NO_CLOCK), to be joined to those of each row."""
    rows: tuple[Row, ...]
    partial: Refusal | None
    """A part was refused (an unknown code, the device's own alarms); the rest goes on."""


class Poll(NamedTuple):
    """Many messages in columns: one entry a message in the first block, one a row in the second, in the order of the input."""

    devices: list[str]
    place: NDArray[np.int64]
    """Which input each accepted message was."""
    t: NDArray[np.int64]
    message_flags: NDArray[np.uint32]
    owner: NDArray[np.int64]
    """Of each row: its accepted message, ascending."""
    nth: NDArray[np.uint16]
    """`Row.nth` of each row."""
    code: NDArray[np.uint32]
    value: NDArray[np.float64]
    flags: NDArray[np.uint32]
    refused: list[tuple[int, Refusal]]
    """(input, why): whole messages and parts of messages, ascending."""


class Decoder(Protocol):
    """One input format. Neither method raises, whatever the bytes."""

    def one(self, raw: bytes, received_ms: int) -> Decoded | Refusal:
        """The readable way, one message: what `many` is held against."""
        ...

    def many(self, values: Sequence[bytes | None], received: NDArray[np.int64]) -> Poll:
        """A whole poll, each message read on its own: joined, two broken ones could fuse into a valid reading of another patient."""
        ...


def is_fhir(raw: bytes) -> bool:
    """Told apart by content, not by topic or header (`ways-in.md` 2)."""
    return FHIR_MARK in raw[:FHIR_WITHIN_BYTES]
