"""What people say on `alert-commands` (`semantics.md` 5 and 7). `observe` becomes rows; all else passes on to the fold that answers it.

A command with a readable id and patient always reaches the timeline, with the reason if it was refused, so that its sender is answered.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from operators.decode.native import time_ms
from operators.decode.seam import Row
from operators.decode.units import canonical, measure
from operators.ingest.tables import MAX_NAME_CHARS, Refused
from schemas.codes import CODED, NO_VALUE, absent_reason
from schemas.facts import Command, Observation
from schemas.identity import is_command_id
from schemas.readings import MAX_MESSAGE_BYTES, MAX_READINGS


class _Sender(msgspec.Struct):
    """What is enough to answer a command that cannot be read otherwise."""

    id: str
    patient: str


class Heard(NamedTuple):
    """A command for the timeline: refused, or with rows if it observes."""

    patient: str
    refused: str | None
    command: Command | None = None
    rows: tuple[Row, ...] = ()


_command = msgspec.json.Decoder(Command).decode
_sender = msgspec.json.Decoder(_Sender).decode


def hear(value: bytes | None, key: bytes | None) -> Heard:
    """Reads one command; raises Refused if nobody could be answered."""
    if value is None:
        raise Refused("empty", "a command without value")
    if len(value) > MAX_MESSAGE_BYTES:
        raise Refused("too_large", f"a command has at most {MAX_MESSAGE_BYTES} bytes")
    try:
        command = _command(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Heard(_answerable(value, key), "bad_shape")
    if not _nameable(command.id, command.patient):
        raise Refused("bad_shape", "id is a UUID in lower case, patient a pseudonym")
    if not 0 < len(command.by) <= MAX_NAME_CHARS:
        return Heard(command.patient, "bad_shape")
    if key != command.patient.encode():
        return Heard(command.patient, "bad_key")
    if command.kind != "observe":
        return Heard(command.patient, None, command)
    try:
        return Heard(command.patient, None, command, _observed(command))
    except Refused as refused:
        return Heard(command.patient, refused.reason, command)


def _answerable(value: bytes, key: bytes | None) -> str:
    """The patient of a command of the wrong shape, if its id and patient can be read."""
    try:
        sender = _sender(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        shape = isinstance(error, msgspec.ValidationError)
        raise Refused("bad_shape" if shape else "not_json", "no readable id and patient") from error
    if not _nameable(sender.id, sender.patient) or key != sender.patient.encode():
        raise Refused("bad_shape", "no readable id and patient")
    return sender.patient


def _nameable(command_id: str, patient: str) -> bool:
    return is_command_id(command_id) and 0 < len(patient) <= MAX_NAME_CHARS


def _observed(command: Command) -> tuple[Row, ...]:
    """The rows of an observation. A person is told what is wrong and can say it again: nothing of it is taken if one value is not."""
    if not command.readings:
        raise Refused("empty", "")
    if len(command.readings) > MAX_READINGS:
        raise Refused("too_many", "")
    if command.at_ms is not None and time_ms(command.at_ms) is None:
        raise Refused("bad_time", "")
    rows = tuple(_row(index, reading) for index, reading in enumerate(command.readings))
    if len({row.code for row in rows}) < len(rows):
        raise Refused("code_twice", "")
    return rows


def _row(index: int, said: Observation) -> Row:
    code = canonical(said.code)
    if code is None:
        raise Refused("unknown_code", "")
    words = CODED.get(code.loinc)
    if words is not None:
        if said.coded not in words or said.value is not None or said.unit is not None:
            raise Refused("bad_shape", "")
        return Row(index, code.number, float(words.index(said.coded)), 0)
    if said.value is None or said.coded is not None:
        raise Refused("bad_shape", "")
    value, flags = measure(said.code, said.value, said.unit, None, False)
    if flags & NO_VALUE:
        raise Refused(absent_reason(flags) or "unknown", "")
    return Row(index, code.number, value, flags)
