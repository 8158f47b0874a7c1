"""Frames for screens: `live` once a second what changed, a key-frame in parts each 10 s, `trends` once a minute (`semantics.md` 9).

The JSON of `schemas.events.LiveFrame` and `TrendFrame`, put together from pieces: what never changes of a slot is encoded once. A delta
holds the fields that changed of a patient; a field that is present is whole. Everything comes from shard time.
"""

from __future__ import annotations

import math
from collections import Counter

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators.clinical.tables import PARTS
from operators.monitor.columns import LONG_AGO
from operators.monitor.judge import SIDES
from operators.monitor.people import WHY_NONE
from operators.monitor.state import State
from schemas.codes import BY_NUMBER, absent_reason
from schemas.events import AlertState, TrendFrame
from schemas.facts import DeviceFact, PatientFact
from schemas.records import Append
from schemas.topics import MAX_RECORD_BYTES

SECOND_MS, MINUTE_MS, KEY_MS = 1000, 60_000, 10_000
PART_BYTES = MAX_RECORD_BYTES // 2
MEDIANS_A_RECORD = 5000
_encode = msgspec.json.Encoder().encode


class Frames:
    """Makes the frames of a shard when its time moves; keeps only what can be made again."""

    def __init__(self) -> None:
        self._slot_head: dict[int, tuple[DeviceFact | None, bytes]] = {}
        self._names: dict[int, tuple[str, bytes]] = {}
        self._kept: dict[int, tuple[tuple[object, ...], bytes, bytes]] = {}
        self._label: list[tuple[bytes, bool]] = []
        self._slots_seen = 0

    def make(self, state: State, out: list[Append]) -> None:
        """Appends the frames that are due at the shard's time."""
        second = state.time_ms // SECOND_MS
        if second == state.second_ms:
            return
        state.second_ms = second
        key = (state.time_ms - state.shard * SECOND_MS) // KEY_MS
        whole = key != state.key_ms
        state.key_ms = key
        self._group(state)
        if whole:
            everyone = [p for p in range(state.people.n) if self._shown(state, p)]
            gone = [p for p in np.flatnonzero(state.people.dirty[: state.people.n]).tolist() if not self._shown(state, p)]
            self._write(state, True, [self._whole(state, p, True) for p in everyone + gone], out)
        else:
            self._write(state, False, self._changed(state), out)
        state.people.dirty[: state.people.n] = state.people.rescored[: state.people.n] = False
        state.slots.dirty[: state.slots.n] = False
        minute = state.time_ms // MINUTE_MS
        if minute != state.minute_ms:
            if state.minute_ms != LONG_AGO:
                self._trends(state, minute * MINUTE_MS, out)
            state.minute_ms = minute

    def _group(self, state: State) -> None:
        """Alerts and devices by patient, once a frame."""
        self._alerts: dict[str, list[AlertState]] = {}
        for alert in state.alerts.values():
            self._alerts.setdefault(alert.patient, []).append(alert)
        self._bound: dict[int, list[int]] = {}
        for d, p in enumerate(state.devices.patient[: state.devices.n].tolist()):
            self._bound.setdefault(p, []).append(d)

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
        """Whole patients where more than values changed; else the vitals that changed."""
        people, slots = state.people, state.slots
        out = [self._whole(state, p, False) for p in np.flatnonzero(people.dirty[: people.n]).tolist()]
        dirty = np.flatnonzero(slots.dirty[: slots.n] & ~people.dirty[slots.patient[: slots.n]] & (slots.code[: slots.n] != 0))
        texts = self._texts(state, dirty)
        by_patient: dict[int, list[bytes]] = {}
        shared: set[tuple[int, int]] = set()
        for s, p, text in zip(dirty.tolist(), slots.patient[dirty].tolist(), texts, strict=True):
            loinc, only = self._labels(state, s)
            if only:
                by_patient.setdefault(p, []).append(b'"%b":[%b]' % (loinc, text))
            else:
                shared.add((p, int(slots.code[s])))
        for p, code in sorted(shared):
            by_patient.setdefault(p, []).append(self._vitals(state, p, {code})[1:-1])
        rescored = set(np.flatnonzero(people.rescored[: people.n] & ~people.dirty[: people.n]).tolist())
        for p in by_patient.keys() | rescored:
            vitals = b',"vitals":{%b}' % b",".join(by_patient[p]) if p in by_patient else b""
            score = b',"score":' + _score(state, p) if p in rescored else b""
            out.append(b'{"patient":%b%b%b}' % (self._name(state, p), vitals, score))
        return out

    def _name(self, state: State, person: int) -> bytes:
        name = state.patient_name(person)
        kept = self._names.get(person)
        if kept is None or kept[0] is not name:  # a cold fold learns names late
            kept = self._names[person] = (name, _encode(name))
        return kept[1]

    def _labels(self, state: State, s: int) -> tuple[bytes, bool]:
        """(LOINC, is it the only slot of this vital of its patient?)."""
        if self._slots_seen != state.slots.n:
            self._slots_seen = state.slots.n
            many = Counter(zip(state.slots.patient[: state.slots.n].tolist(), state.slots.code[: state.slots.n].tolist(), strict=True))
            codes = zip(state.slots.patient[: state.slots.n].tolist(), state.slots.code[: state.slots.n].tolist(), strict=True)
            self._label = [(BY_NUMBER[c].loinc.encode() if c else b"", many[p, c] == 1) for p, c in codes]
        return self._label[s]

    def _texts(self, state: State, s: NDArray[np.intp]) -> list[bytes]:
        """The JSON of `schemas.events.Vital` of each slot; `s` holds slots with a code."""
        slots = state.slots
        columns = (slots.device[s], slots.t[s], slots.received[s], slots.value[s], slots.flags[s])
        out = []
        for i, device, t, received, value, flags in zip(s.tolist(), *(c.tolist() for c in columns), strict=True):
            head = self._slot_head.get(i)
            if head is None or head[0] is not state.device_facts.get(device):
                head = self._slot_head[i] = (state.device_facts.get(device), self._head(state, i, device))
            if not math.isnan(value):
                text = b'%b"t_ms":%d,"received_ms":%d,"value":%b' % (head[1], t, received, repr(value).encode())
            else:
                text = b'%b"t_ms":%d,"received_ms":%d,"absent":"%b"' % (head[1], t, received, (absent_reason(flags) or "unknown").encode())
                if slots.last_t[i] != LONG_AGO:
                    text += b',"last_value":%b,"last_t_ms":%d' % (repr(float(slots.last_value[i])).encode(), slots.last_t[i])
            out.append(text + (b',"flags":%d}' % flags if flags else b"}"))
        return out

    @staticmethod
    def _head(state: State, s: int, device: int) -> bytes:
        """What changes only with the fact of the device."""
        interval, fact = int(state.devices.interval[device]), state.device_facts.get(device)
        own = fact.intervals_ms.get(BY_NUMBER[int(state.slots.code[s])].loinc, interval) if fact else interval
        name, class_ = _encode(state.device_name(device)), _encode(state.device_class(device))
        return b'{"device":%b,"device_class":%b,"interval_ms":%d,' % (name, class_, own)

    def _whole(self, state: State, person: int, key: bool) -> bytes:
        pieces = [
            b'"patient":' + self._name(state, person),
            b'"admitted":' + (b"true" if state.people.admitted[person] else b"false"),
            self._standing(state, person)[1],
            b'"vitals":' + self._vitals(state, person, None),
            b'"score":' + _score(state, person),
            b'"devices":' + self._devices(state, person),
        ]
        if key:
            pieces.append(b'"limits":' + self._standing(state, person)[2])
            pieces.append(b'"alerts":' + _encode(self._alerts.get(state.patient_name(person), [])))
        return b"{" + b",".join(pieces) + b"}"

    def _standing(self, state: State, person: int) -> tuple[tuple[object, ...], bytes, bytes]:
        """(what it was made of, context, limits): changes only with facts and new vitals."""
        made_of = (state.patients.get(person), state.site, len(state.slots_of_person[person]))
        kept = self._kept.get(person)
        if kept is None or any(a is not b for a, b in zip(kept[0][:2], made_of[:2], strict=True)) or kept[0][2] != made_of[2]:
            kept = self._kept[person] = (made_of, _context(made_of[0]), _encode(_bands(state, person)))
        return kept

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
            inner = b",".join(self._texts(state, np.array([s for _c, _t, s in sorted(ranked)], np.intp)))
            texts.append(b'"%b":[%b]' % (BY_NUMBER[code].loinc.encode(), inner))
        return b"{" + b",".join(texts) + b"}"

    def _devices(self, state: State, person: int) -> bytes:
        table, out = state.devices, []
        for d in self._bound.get(person, ()):
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
        """Median of the minute before `minute_ms` of each vital that changed in it; of its slots the streaming, then newest one."""
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


_PART_KEYS = [f'"{part}":'.encode() for part in PARTS]


def _score(state: State, person: int) -> bytes:
    """The JSON of `schemas.events.Score`."""
    people = state.people
    if why := int(people.none[person]):
        return b'{"none":"%b"}' % WHY_NONE[why].encode()
    points: list[int] = people.points[person].tolist()
    parts = b",".join([key + (b"%d" % x if x >= 0 else b"null") for key, x in zip(_PART_KEYS, points, strict=True)])
    lower = sum([x for x in points if x > 0])
    missing = b",".join([b'"%b"' % part.encode() for part, x in zip(PARTS, points, strict=True) if x < 0])
    at_ms = max(int(people.judged_at[person]), 0)
    total = b"null" if missing else b"%d" % lower
    return b'{"at_ms":%d,"total":%b,"lower_bound":%d,"parts":{%b},"missing":[%b]}' % (at_ms, total, lower, parts, missing)


def _bands(state: State, person: int) -> dict[str, list[float | None]]:
    """LOINC -> [low, high] medium limits."""
    out: dict[str, list[float | None]] = {}
    for code in sorted({int(state.slots.code[s]) for s in state.slots_of_person[person]} - {0}):
        loinc = BY_NUMBER[code].loinc
        pair: list[float | None] = []
        for side in SIDES:
            found = state.limit(person, loinc, side)
            pair.append(found[0].medium.limit if found and found[0].medium else None)
        if pair != [None, None]:
            out[loinc] = pair
    return out
