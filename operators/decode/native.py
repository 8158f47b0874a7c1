"""The native JSON contract of `device-readings`, one message at a time: the readable way that the columns of `poll` are held against.

Source: `ways-in.md` 1 and 8; `semantics.md` 6 rules where they differ. So a JSON key that is given twice counts as its last (msgspec's way,
nothing is added to it), and a device's own alarms are refused alone while its readings go on.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

import msgspec

from operators.decode.seam import Decoded, Refusal, Row
from operators.decode.units import canonical, measure, without_value
from schemas.codes import BEAT, NO_CLOCK, NO_VALUE
from schemas.readings import MAX_MESSAGE_BYTES, MAX_READINGS, Message, Reading

VERSION = 1
MAX_ALARMS = 32
DEVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
T_FROM_MS, T_UNTIL_MS = 946_684_800_000, 4_102_444_800_000  # 2000-01-01 and 2100-01-01 UTC: seconds and nanoseconds fall outside
_RFC_3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")
_EPOCH, _MS = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)

read_message = msgspec.json.Decoder(Message).decode


def time_ms(t: int | str) -> int | None:
    """ms since 1970 UTC of `t` as sent, None if it is not in 2000..2100 or has no offset: a wrong time is refused, never guessed."""
    if isinstance(t, str):
        text = t.upper()
        if not _RFC_3339.fullmatch(text):
            return None
        try:
            t = (datetime.fromisoformat(text) - _EPOCH) // _MS
        except (ValueError, OverflowError):
            return None
    return t if T_FROM_MS <= t < T_UNTIL_MS else None


def unreadable(error: Exception) -> Refusal:
    """The refusal of a message that msgspec did not take. Its sentence names the field and the types, never a value."""
    if isinstance(error, msgspec.ValidationError):
        return Refusal("bad_shape", _shape(str(error)))
    if isinstance(error, RecursionError):
        return Refusal("not_json", "nested too deep")
    return Refusal("not_json", "not one JSON document in UTF-8")


def _shape(sentence: str) -> str:
    """Without what the sender wrote (the name of an unknown field, an unknown word), and with what to do about the commonest mistake."""
    if "unknown field" in sentence:
        return "unknown field"
    if sentence.startswith("Invalid enum value"):
        return "a word that is not in the list" + sentence[max(sentence.rfind(" - at "), 0) :][:60]
    if "got `float` - at `$.t`" in sentence:
        return "t is written with a decimal point: send whole milliseconds"
    return sentence if sentence.isascii() and len(sentence) <= 120 else "a field has the wrong type"


def check_message(message: Message) -> Refusal | None:
    """What refuses a whole message before its readings are looked at."""
    if message.v != VERSION:
        return Refusal("unknown_version", "this version reads v 1")
    if not DEVICE_NAME.fullmatch(message.device):
        return Refusal("bad_device", "a device is 1 to 64 of A-Z a-z 0-9 . _ : -, the first a letter or digit")
    if message.patient is not None:
        return Refusal("patient_not_allowed", "a device knows no patient: the lease tells")
    if message.waveform is not None:
        return Refusal("waveform", "waveforms are not taken: send derived numbers")
    if message.code is None and (message.value is not None or message.unit is not None):
        return Refusal("bad_shape", "value or unit without code")
    if not (said(message) or message.alarms or lives(message)):
        return Refusal("empty", "no reading, no beat")
    if len(said(message)) > MAX_READINGS or len(message.alarms) > MAX_ALARMS:
        return Refusal("too_many", f"at most {MAX_READINGS} readings and {MAX_ALARMS} alarms a message")
    if message.t is not None and time_ms(message.t) is None:
        return Refusal("bad_time", "t is whole milliseconds or RFC 3339 with offset, in 2000 to 2100")
    return None


def said(message: Message) -> list[Reading]:
    """All readings of a message, the short form at top level first."""
    if message.code is None:
        return message.readings
    return [Reading(message.code, message.value, message.unit), *message.readings]


def lives(message: Message) -> bool:
    """A sign of life that needs no reading: a beat, the battery, how much is still held back."""
    return message.beat or message.battery_percent is not None or message.buffered is not None


def decode(raw: bytes | None, received_ms: int) -> Decoded | Refusal:
    """One message. Never raises, whatever the bytes; `received_ms` becomes t of a device without a clock (flag NO_CLOCK)."""
    if raw is None:
        return Refusal("not_json", "no value")
    if len(raw) > MAX_MESSAGE_BYTES:
        return Refusal("too_large", f"a message has at most {MAX_MESSAGE_BYTES} bytes")
    try:
        message = read_message(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return unreadable(error)
    refusal = check_message(message)
    return refusal if refusal is not None else rows_of(message, received_ms)


def rows_of(message: Message, received_ms: int) -> Decoded | Refusal:
    """The rows of a message that `check_message` let pass; a code twice and test data refuse the whole, an unknown code itself alone."""
    readings = said(message)
    if any(reading.quality in ("test", "demo") for reading in readings):
        return Refusal("test_data", "quality test or demo")
    rows: list[Row] = []
    seen: set[int] = set()
    partial = Refusal("alarms_not_supported", "device alarms are not taken yet") if message.alarms else None
    for index, reading in enumerate(readings):
        code = canonical(reading.code)
        if code is None:
            partial = Refusal("unknown_code", "a reading has a code that is not taken")
            continue
        if code.number in seen:
            return Refusal("code_twice", "two readings of one vital")
        seen.add(code.number)
        rows.append(Row(index, code.number, *_value(reading)))
    if not readings and lives(message):
        rows.append(Row(0, 0, math.nan, BEAT | NO_VALUE))
    flags, t_ms = (NO_CLOCK, received_ms) if message.t is None else (0, time_ms(message.t))
    assert t_ms is not None  # check_message refused it
    return Decoded(message.device, t_ms, flags, tuple(rows), partial)


def _value(reading: Reading) -> tuple[float, int]:
    """(canonical value, flags) of a reading with a known code. A number beside a reason is no number."""
    if reading.value is None or reading.absent is not None:
        return math.nan, without_value(reading.absent)
    return measure(reading.code, reading.value, reading.unit, reading.compare, reading.quality == "suspect")
