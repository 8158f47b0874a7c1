"""Frames for screens: `live` once a second what changed, a key-frame in parts each 10 s, `trends` once a minute (`semantics.md` 9).

The JSON of `schemas.events.LiveFrame` and `TrendFrame`, put together from pieces: what never changes of a slot is encoded once. A delta holds the
fields that changed of a patient; a field that is present is whole. Everything comes from shard time: same timeline, same frames a time entry.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from operators.clinical.tables import PARTS
from operators.monitor.columns import LONG_AGO
from operators.monitor.devices import NOBODY
from operators.monitor.people import WHY_NONE
from operators.monitor.state import State
from schemas.codes import BY_NUMBER, absent_reason
from schemas.events import Score, TrendFrame
from schemas.facts import PatientFact
from schemas.records import Append
from schemas.topics import MAX_RECORD_BYTES

SECOND_MS, MINUTE_MS, KEY_MS = 1000, 60_000, 10_000
PART_BYTES = MAX_RECORD_BYTES // 2
MEDIANS_A_RECORD = 5000
_encode = msgspec.json.Encoder().encode


class Frames:
    """Makes the frames of a shard when its time moves; keeps only what can be made again."""

    def __init__(self) -> None:
        self._slot_head: dict[int, tuple[int, str, bytes]] = {}

    def make(self, state: State, out: list[Append]) -> None:
        """Appends the frames that are due at the shard's time."""
        second = state.time_ms // SECOND_MS
        if second == state.second_ms:
            return
        state.second_ms = second
        key = (state.time_ms - state.shard * SECOND_MS) // KEY_MS
        whole = key != state.key_ms
        state.key_ms = key
        if whole:
            everyone = [p for p in range(state.people.n) if self._shown(state, p)]
            gone = [p for p in np.flatnonzero(state.people.dirty[: state.people.n]).tolist() if not self._shown(state, p)]
            self._write(state, True, [self._whole(state, p, True) for p in everyone + gone], out)
        else:
            self._write(state, False, self._changed(state), out)
        state.people.dirty[: state.people.n] = False
        state.slots.dirty[: state.slots.n] = False
        minute = state.time_ms // MINUTE_MS
        if minute != state.minute_ms:
            if state.minute_ms != LONG_AGO:
                self._trends(state, minute * MINUTE_MS, out)
            state.minute_ms = minute

    @staticmethod
    def _shown(state: State, person: int) -> bool:
        """Admitted, or unknown to any fact but sending."""
        return bool(state.people.admitted[person])

    def _write(self, state: State, key: bool, patients: list[bytes], out: list[Append]) -> None:
        parts: list[list[bytes]] = [[]]
        size = 0
        for patient in patients:
            if size + len(patient) > PART_BYTES:
                parts.append([])
                size = 0
            parts[-1].append(patient)
            size += len(patient) + 1
        if not key and not parts[0]:
            parts = [[]]  # an empty delta still carries shard time
        head = b'{"v":1,"shard":%d,"t_ms":%d,"key":%s,' % (state.shard, state.time_ms, b"true" if key else b"false")
        name = str(state.shard).encode()
        for i, part in enumerate(parts, 1):
            value = head + b'"part":%d,"parts":%d,"patients":[' % (i, len(parts)) + b",".join(part) + b"]}"
            out.append(Append("live", state.shard, value, name))

    def _changed(self, state: State) -> list[bytes]:
        people, slots = state.people, state.slots
        out = [self._whole(state, p, False) for p in np.flatnonzero(people.dirty[: people.n]).tolist()]
        dirty = np.flatnonzero(slots.dirty[: slots.n] & ~people.dirty[slots.patient[: slots.n]] & (slots.code[: slots.n] != 0))
        codes: dict[int, set[int]] = {}
        for p, code in zip(slots.patient[dirty].tolist(), slots.code[dirty].tolist(), strict=True):
            codes.setdefault(p, set()).add(code)
        for p, changed in codes.items():
            out.append(b'{"patient":%s,"vitals":%s}' % (_encode(state.patient_name(p)), self._vitals(state, p, changed)))
        return out

    def _whole(self, state: State, person: int, key: bool) -> bytes:
        fact = state.patients.get(person)
        pieces = [
            b'"patient":' + _encode(state.patient_name(person)),
            b'"admitted":' + (b"true" if state.people.admitted[person] else b"false"),
            _context(fact),
            b'"vitals":' + self._vitals(state, person, None),
            b'"score":' + _encode(_score(state, person)),
            b'"devices":' + self._devices(state, person),
        ]
        if key:
            name = state.patient_name(person)
            pieces.append(b'"limits":' + _encode(_bands(state, person)))
            pieces.append(b'"alerts":' + _encode([a for a in state.alerts.values() if a.patient == name]))
        return b"{" + b",".join(pieces) + b"}"

    def _vitals(self, state: State, person: int, only: set[int] | None) -> bytes:
        """Slots by LOINC, best first: streaming before spot, then newest. A vital whose slots were all forgotten is an empty list."""
        slots = state.slots
        by_code: dict[int, list[tuple[bool, int, int]]] = {}
        for s in state.slots_of_person[person]:
            code = int(slots.code[s])
            if code == 0 or (only is not None and code not in only):
                continue
            ranked = by_code.setdefault(code, [])
            if slots.t[s] != LONG_AGO:
                ranked.append((not slots.continuous[s], -int(slots.t[s]), s))
        texts = []
        for code, ranked in by_code.items():
            inner = b",".join(self._vital(state, s) for _c, _t, s in sorted(ranked))
            texts.append(b'"%s":[%s]' % (BY_NUMBER[code].loinc.encode(), inner))
        return b"{" + b",".join(texts) + b"}"

    def _vital(self, state: State, s: int) -> bytes:
        slots = state.slots
        device = int(slots.device[s])
        interval, class_ = int(state.devices.interval[device]), state.device_class(device)
        head = self._slot_head.get(s)
        if head is None or head[:2] != (interval, class_):
            fact = state.device_facts.get(device)
            own = fact.intervals_ms.get(BY_NUMBER[int(slots.code[s])].loinc, interval) if fact else interval
            text = b'{"device":%s,"device_class":%s,"interval_ms":%d,' % (_encode(state.device_name(device)), _encode(class_), own)
            head = self._slot_head[s] = (interval, class_, text)
        value, flags = float(slots.value[s]), int(slots.flags[s])
        out = head[2] + b'"t_ms":%d,"received_ms":%d' % (slots.t[s], slots.received[s])
        if not math.isnan(value):
            out += b',"value":%s' % repr(value).encode()
        else:
            out += b',"absent":%s' % _encode(absent_reason(flags) or "unknown")
            if slots.last_t[s] != LONG_AGO:
                out += b',"last_value":%s,"last_t_ms":%d' % (repr(float(slots.last_value[s])).encode(), slots.last_t[s])
        if flags:
            out += b',"flags":%d' % flags
        return out + b"}"

    def _devices(self, state: State, person: int) -> bytes:
        table, out = state.devices, []
        for d in np.flatnonzero(table.patient[: table.n] == person).tolist() if person != NOBODY else []:
            text = b'{"device":%s,"device_class":%s,"interval_ms":%d,"bound_ms":%d' % (
                _encode(state.device_name(d)),
                _encode(state.device_class(d)),
                table.interval[d],
                table.bound_at[d],
            )
            if table.last[d] != LONG_AGO:
                text += b',"last_ms":%d' % table.last[d]
            if table.silent[d]:
                text += b',"silent_since_ms":%d' % (table.heard[d])
            out.append(text + b"}")
        return b"[" + b",".join(out) + b"]"

    def _trends(self, state: State, minute_ms: int, out: list[Append]) -> None:
        """Median of the minute before `minute_ms` of each vital that changed in it; of several slots of a vital the streaming, then newest one."""
        slots = state.slots
        n = slots.n
        recent = np.flatnonzero((slots.received[:n] > minute_ms - MINUTE_MS) & (slots.code[:n] != 0) & ~np.isnan(slots.last_value[:n]))
        if not len(recent):
            return
        live = (slots.ring_t[recent] > minute_ms - MINUTE_MS) & (slots.ring_t[recent] <= minute_ms)
        ordered = np.sort(np.where(live, slots.ring_v[recent], np.inf), axis=1)
        count = live.sum(1)
        lane = np.arange(len(recent))
        middle = (ordered[lane, np.maximum(count - 1, 0) // 2] + ordered[lane, np.minimum(count // 2, ordered.shape[1] - 1)]) / 2
        value = np.where(slots.continuous[recent] & (count > 0), middle, slots.value[recent])
        best: dict[tuple[int, int], tuple[tuple[bool, int], float]] = {}
        for s, v in zip(recent.tolist(), value.tolist(), strict=True):
            if math.isnan(v):
                continue
            rank = (bool(slots.continuous[s]), int(slots.t[s]))
            at = (int(slots.patient[s]), int(slots.code[s]))
            if at not in best or rank > best[at][0]:
                best[at] = (rank, v)
        medians = [(state.patient_name(p), BY_NUMBER[code].loinc, round(v, 2)) for (p, code), (_rank, v) in best.items()]
        for i in range(0, len(medians), MEDIANS_A_RECORD):
            frame = TrendFrame(state.shard, minute_ms, medians[i : i + MEDIANS_A_RECORD])
            out.append(Append("trends", state.shard, _encode(frame), str(state.shard).encode()))


def _context(fact: PatientFact | None) -> bytes:
    """Who it is, as the board shows it."""
    f = fact or PatientFact("", "", "")
    shown = {
        "ward": f.ward,
        "bed": f.bed,
        "initials": f.initials,
        "age_years": f.age_years,
        "sex": f.sex,
        "isolation": f.isolation,
        "spo2_scale_2": f.spo2_scale_2,
        "diabetes": f.diabetes,
    }
    return _encode(shown)[1:-1]


def _score(state: State, person: int) -> Score:
    people = state.people
    if why := int(people.none[person]):
        return Score(none=WHY_NONE[why])
    points = [None if x < 0 else x for x in people.points[person].tolist()]
    parts: dict[str, int | None] = dict(zip(PARTS, points, strict=True))
    lower = sum(x for x in points if x is not None)
    missing = [k for k, v in parts.items() if v is None]
    at_ms = int(people.judged_at[person])
    return Score(0 if at_ms == LONG_AGO else at_ms, None if missing else lower, lower, parts, missing)


def _bands(state: State, person: int) -> dict[str, list[float | None]]:
    """LOINC -> [low, high] medium limits."""
    out: dict[str, list[float | None]] = {}
    for code in sorted({int(state.slots.code[s]) for s in state.slots_of_person[person]} - {0}):
        loinc = BY_NUMBER[code].loinc
        pair: list[float | None] = []
        for side in ("low", "high"):
            found = state.limit(person, loinc, side)  # type: ignore[arg-type]
            pair.append(found[0].medium.limit if found and found[0].medium else None)
        if pair != [None, None]:
            out[loinc] = pair
    return out
