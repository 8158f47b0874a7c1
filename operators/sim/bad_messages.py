"""Messages and commands that must be refused, each message with the reason of its dead letter.

`ways-in.md` 8; `operators.decode.native` has the reasons.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from operators.sim.items import COMMANDS, Draft, fact
from schemas.facts import Command, Observation

Maker = Callable[[bytes, bytes], bytes]
"""(the clean body, the device) -> bytes."""


def _t(device: bytes, rest: bytes) -> bytes:
    return b'{"v":1,"device":"' + device + b'",' + rest + b"}"


_HR = b'"readings":[{"code":"8867-4","value":80,"unit":"/min"}]'
KINDS: tuple[tuple[str, Maker], ...] = (
    ("not_json", lambda body, device: body[: len(body) // 2]),
    ("not_json", lambda body, device: body + body),
    ("not_json", lambda body, device: b"\xef\xbb\xbf" + body),
    ("not_json", lambda body, device: body.replace(b'"value":', b'"value":NaN,"value":', 1) if b'"value"' in body else b"NaN"),
    ("not_json", lambda body, device: _t(device, b'"boot":"\xff\xfe",' + _HR)),
    ("not_json", lambda body, device: _t(device, b'"boot":"\\ud800",' + _HR)),
    ("not_json", lambda body, device: b""),
    ("bad_shape", lambda body, device: b"[" + body + b"]"),
    ("bad_shape", lambda body, device: b"{}"),
    ("bad_shape", lambda body, device: _t(device, b'"readings":[{"code":"8867-4","value":"80","unit":"/min"}]')),
    ("bad_shape", lambda body, device: _t(device, b'"readings":[{"code":"8867-4","value":true,"unit":"/min"}]')),
    ("bad_shape", lambda body, device: _t(device, b'"readings":{"code":"8867-4","value":80,"unit":"/min"}')),
    ("bad_shape", lambda body, device: _t(device, b'"readings":[{"code":"8867-4","value":1e400,"unit":"/min"}]')),
    ("bad_shape", lambda body, device: _t(device, b'"Device":"x",' + _HR)),
    ("unknown_version", lambda body, device: b'{"v":2,"device":"' + device + b'",' + _HR + b"}"),
    ("bad_device", lambda body, device: b'{"v":1,"device":"a b",' + _HR + b"}"),
    ("patient_not_allowed", lambda body, device: _t(device, b'"patient":"p-01",' + _HR)),
    ("waveform", lambda body, device: _t(device, b'"waveform":[0.1,0.2],' + _HR)),
    ("empty", lambda body, device: _t(device, b'"readings":[]')),
    ("too_many", lambda body, device: _t(device, b'"readings":[' + b",".join([b'{"code":"8867-4","value":80,"unit":"/min"}'] * 65) + b"]")),
    ("bad_time", lambda body, device: _t(device, b'"t":1767229200,' + _HR)),
    ("bad_time", lambda body, device: _t(device, b'"t":"2026-01-01 09:00:00",' + _HR)),
    (
        "code_twice",
        lambda body, device: _t(device, b'"readings":[{"code":"59408-5","value":97,"unit":"%"},{"code":"2708-6","value":96,"unit":"%"}]'),
    ),
    ("too_large", lambda body, device: _t(device, b'"boot":"' + b"x" * 70_000 + b'",' + _HR)),
)


def bad_message(number: int, draft: Draft) -> Draft:
    """A bad message of the draft's device; `number` goes round the kinds."""
    reason, make = KINDS[number % len(KINDS)]
    return Draft(draft.arrival_ms, draft.topic, draft.key, make(draft.body or b"", draft.key.encode()), reason)


def odd_command(number: int, at_ms: int, command_id: str, like: Command) -> Draft:
    """A command that must be refused: no such alert, no such kind, no such value, a shape that only answers, or none at all."""
    odd = msgspec.structs.replace(like, id=command_id, readings=[], at_ms=None)
    which = number % 6
    if which == 0:
        return fact(at_ms, msgspec.structs.replace(odd, kind="acknowledge", alert="0" * 32))
    if which == 1:
        return fact(at_ms, msgspec.structs.replace(odd, kind="silence"))
    if which == 2:
        return fact(at_ms, msgspec.structs.replace(odd, kind="observe", readings=[Observation("8310-5", 98.6, "Cel")]))
    if which == 3:
        return fact(at_ms, msgspec.structs.replace(odd, kind="observe", patient="p-nobody", readings=[Observation("67775-7", coded="A")]))
    if which == 4:
        answered = fact(at_ms, msgspec.structs.replace(odd, kind="malformed"))
        return answered._replace(body=b'{"id":"%s","patient":"%s","kind":7}' % (odd.id.encode(), odd.patient.encode()))
    return Draft(at_ms, COMMANDS, odd.patient, b'{"kind":"acknowledge"}', "bad_shape")
