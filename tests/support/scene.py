"""The ward of the design's pictures, told to a real gateway: 16 beds at 17:51:24 on 20 December 2026, as far as its states exist.

Times of the scene run on from there with the machine's clock; initials are invented.
"""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import msgspec

from gateway.feed import wall_ms
from schemas.events import AlertEvent, AlertState, DeviceState, Evidence, PatientFrame, Score, TrendFrame, Vital
from schemas.identity import alert_id, cause_instant, event_id
from sinks.log import sqlite_url
from sinks.log.api import TP
from tests.support.gateway import SHARDS, Hospital, shard
from tests.support.scene_beds import ACVPU, DBP, FLOW, GLU, HR, NOISE, OXYGEN, RR, SBP, SPO2, TEMP, WARD, Bed, course

START_MS = 1_797_760_284_000
"""2026-12-20 17:51:24 in Kuala Lumpur."""
MINUTE_MS = 60_000
LIMITS: dict[str, list[float | None]] = {HR: [50, 120], SPO2: [92, None], RR: [10, 24], SBP: [100, None], TEMP: [36, 38.5], GLU: [3.9, 11]}
BEDS = [f"{n:02d}" for n in range(1, 17)]
PARTS = ("respiration_rate", "spo2", "oxygen", "systolic", "pulse", "consciousness", "temperature")


class Scene(Hospital):
    """A hospital whose clock shows the scene's time; `still`: the same moment for ever."""

    def __init__(self, folder: Path, still: bool = False) -> None:
        super().__init__(sqlite_url(folder / "log"))
        self._still = still
        self._began_ms = wall_ms()
        self._draw = random.Random(4)
        self._lock = threading.Lock()
        self.raised: dict[str, AlertEvent] = {}

    def now(self) -> int:
        return START_MS if self._still else START_MS + wall_ms() - self._began_ms

    def put(self, topic: str, partition: int, value: msgspec.Struct | bytes) -> None:
        """One record; a test and the beat of the ward may write at once."""
        with self._lock:
            super().put(topic, partition, value)

    def set_up(self, history: bool = True) -> None:
        """Everyone, their two hours, their alerts."""
        for bed in WARD:
            self.admit(self._patient(bed))
        self._faults()
        self.key()
        for bed in WARD if history else ():
            self._history(bed)
        self._writer.flush()
        self._alerts()
        self.key()

    def _patient(self, b: Bed) -> PatientFrame:
        now, name = self.now(), f"p-{b.bed}"
        mon, cuff = f"mon-{b.bed}", f"cuff-{b.bed}"
        vitals = {
            code: [Vital(mon, "monitor", now - 1000, now - 900, v, interval_ms=5000)]
            for code, v in ((HR, b.hr), (SPO2, b.spo2), (RR, b.rr))
        }
        pressed = now - b.bp[2] * MINUTE_MS
        vitals[SBP] = [Vital(cuff, "spot", pressed, pressed, b.bp[0], interval_ms=900_000)]
        vitals[DBP] = [Vital(cuff, "spot", pressed, pressed, b.bp[1], interval_ms=900_000)]
        warm = now - b.temp[1] * MINUTE_MS
        vitals[TEMP] = [Vital(f"thermo-{b.bed}", "spot", warm, warm, b.temp[0])]
        seen = now - 40 * MINUTE_MS
        vitals[ACVPU] = [Vital("manual:n-01", "spot", seen, seen, 0)]
        vitals[OXYGEN] = [Vital("manual:n-01", "spot", seen, seen, 1 if b.flow else 0)]
        if b.flow:
            vitals[FLOW] = [Vital("manual:n-01", "spot", seen, seen, b.flow)]
        if b.glucose is not None:
            pricked = now - 3 * MINUTE_MS
            vitals[GLU] = [Vital(f"meter-{b.bed}", "spot", pricked, pricked, b.glucose)]
        score = Score(now - 1000, sum(b.points), sum(b.points), dict(zip(PARTS, b.points, strict=True)))
        devices = [DeviceState(mon, "monitor", 5000, now - 86_400_000, now - 1000)]
        return PatientFrame(
            name, True, "4b", b.bed, b.initials, b.age, b.sex, vitals=vitals, score=score, devices=devices, limits=LIMITS, **b.extra
        )

    def _faults(self) -> None:
        """Bed 05: probe off; bed 10: monitor silent; bed 16: nothing came yet."""
        now = self.now()
        five = self.patients["p-05"]
        off = Vital("mon-05", "monitor", now - 182_000, now - 182_000, None, "lead-off", 1, 5000, 96, now - 205_000)
        five.vitals[SPO2] = [off]
        self._missing(five, "spo2")
        ten = self.patients["p-10"]
        since = now - 14 * MINUTE_MS
        for code in (HR, SPO2, RR):
            ten.vitals[code] = [msgspec.structs.replace(ten.vitals[code][0], t_ms=since, received_ms=since)]
        ten.devices = [DeviceState("mon-10", "monitor", 5000, now - 86_400_000, since, since)]
        self._missing(ten, "pulse", "spo2", "respiration_rate")
        sixteen = self.patients["p-16"]
        for code in (HR, SPO2, RR):
            del sixteen.vitals[code]
        bound = now - 4 * MINUTE_MS
        sixteen.devices = [DeviceState("mon-16", "monitor", 5000, bound, None, bound)]
        self._missing(sixteen, "pulse", "spo2", "respiration_rate")

    @staticmethod
    def _missing(frame: PatientFrame, *parts: str) -> None:
        assert frame.score is not None
        points = frame.score.parts | dict.fromkeys(parts)
        least = sum(p for p in points.values() if p is not None)
        frame.score = Score(frame.score.at_ms, None, least, points, [p for p in PARTS if points[p] is None])

    def _history(self, b: Bed) -> None:
        """Minute medians of two hours."""
        end = self.now() // MINUTE_MS * MINUTE_MS
        wander: dict[str, float] = {}
        values = {HR: b.hr, SPO2: b.spo2, RR: b.rr, SBP: b.bp[0], DBP: b.bp[1], TEMP: b.temp[0], GLU: b.glucose}
        for back in range(118, -1, -1):
            medians = []
            for code, value in values.items():
                if value and not (b.bed == "10" and code in (HR, SPO2, RR) and back < 14):
                    wander[code] = 0.75 * wander.get(code, 0.0) + self._draw.gauss(0, 0.7 * NOISE[code])
                    medians.append((f"p-{b.bed}", code, round(value + course(b, code, back) + (wander[code] if back else 0), 2)))
            if b.bed == "16" and back > 7:
                continue
            frame = TrendFrame(shard(f"p-{b.bed}"), end - back * MINUTE_MS, medians)
            self._writer.append("trends", frame.shard, msgspec.json.encode(frame), str(frame.shard).encode())

    def alert(self, bed: str, ago_s: float, evidence: Evidence, **fields: Any) -> AlertEvent:
        """Raises an alert `ago_s` seconds before now."""
        at = self.now() - round(ago_s * 1000)
        patient = f"p-{bed}"
        slot = f"{fields.get('code', '')}:{fields.get('side', '')}:{fields.get('device', '')}"
        told: dict[str, Any] = {"onset_ms": at, "raised_ms": at, "worst": fields.get("value"), "seq": 1} | fields
        state = AlertState(alert_id(patient, told["kind"], slot, cause_instant(at)), patient, rule=told["kind"], rule_version=1, **told)
        event = AlertEvent(
            event_id(state.alert, "raised", cause_instant(at)), "raised", patient, at, cause_instant(at), 1, state.alert, state, evidence
        )
        self.raised[bed] = event
        return self.tell(event)

    def next(self, event: AlertEvent, transition: Any, at_ms: int, by: str = "", command: str | None = None, **change: Any) -> AlertEvent:
        """The next event of an episode."""
        assert event.state is not None
        state = msgspec.structs.replace(event.state, seq=event.state.seq + 1, **change)
        cause = cause_instant(at_ms)
        told = AlertEvent(
            event_id(state.alert, transition, cause),
            transition,
            state.patient,
            at_ms,
            cause,
            state.seq,
            state.alert,
            state,
            None,
            by,
            command,
        )
        self.raised[event.patient.removeprefix("p-")] = told
        return self.tell(told)

    def _alerts(self) -> None:
        now = self.now()
        self.alert("07", 34, self.news_evidence("07"), kind="news2", priority="high", value=9)
        self.alert(
            "14",
            130,
            limit_evidence(SBP, "<", 100, 92, "site: r3"),
            kind="limit",
            priority="medium",
            code=SBP,
            side="low",
            device="cuff-14",
            value=92,
        )
        high = limit_evidence(HR, ">", 120, 128, "patient: r7 by d-02")
        eight = self.alert("08", 900, high, kind="limit", priority="medium", code=HR, side="high", device="mon-08", value=128)
        self.next(eight, "acknowledged", now - 600_000, "n-01", owner="n-01", owner_role="nurse", owned_ms=now - 600_000)
        self.alert("05", 182, Evidence(reason="lead-off"), kind="signal_lost", priority="technical", code=SPO2, device="mon-05")
        ten = self.alert("10", 815, Evidence(reason="no data"), kind="silent", priority="technical", device="mon-10")
        self.next(ten, "acknowledged", now - 700_000, "n-02", owner="n-02", owner_role="nurse", owned_ms=now - 700_000)
        self.alert("16", 215, Evidence(reason="waiting for first data"), kind="silent", priority="technical", device="mon-16")
        low = limit_evidence(SPO2, "<", 90, 86, "default")
        eleven = self.alert("11", 1400, low, kind="limit", priority="medium", code=SPO2, side="low", device="mon-11", value=86)
        self.next(eleven, "cleared", now - 1_100_000, status="cleared", cleared_ms=now - 1_100_000)

    def records_of(self, topic: str) -> list[str]:
        """Ids of all events on a topic of events, over its partitions."""
        tps = [TP(topic, n) for n in range(SHARDS)]
        reader = self.log.reader(self.log.starts(tps))
        ends, found = self.log.ends(tps), []
        try:
            while any(reader.positions[tp] < ends[tp] for tp in tps):
                found += [msgspec.json.decode(r.value, type=AlertEvent).id for r in reader.poll(1000).records() if r.value is not None]
        finally:
            reader.close()
        return found

    def news_evidence(self, bed: str) -> Evidence:
        """The seven parts of a score as they were judged."""
        frame = self.patients[f"p-{bed}"]
        assert frame.score is not None
        feeds = (RR, SPO2, OXYGEN, SBP, HR, ACVPU, TEMP)
        inputs: list[dict[str, object]] = [
            dict[str, object](
                code=code,
                value=(v := frame.vitals[code][0]).value,
                unit="",
                t_ms=v.t_ms,
                age_ms=1000,
                device=v.device,
                part=part,
                points=frame.score.parts[part],
            )
            for part, code in zip(PARTS, feeds, strict=True)
        ]
        score: dict[str, object] = {"total": frame.score.total, "lower_bound": frame.score.lower_bound, "complete": True}
        limit: dict[str, object] = {"medium": 5, "high": 7, "single": 3, "hold_s": 300}
        return Evidence(inputs, limit, "NEWS2, RCP 2017", score, quiet_if="below 5 with no single 3")

    def beat(self) -> None:
        """The next second: time goes on, monitors that live send."""
        now = self.now()
        deltas = []
        for name, frame in self.patients.items():
            fresh = {
                code: [msgspec.structs.replace(slots[0], t_ms=now - 1000, received_ms=now - 900)]
                for code, slots in frame.vitals.items()
                if slots[0].device_class == "monitor" and slots[0].value is not None and name != "p-10"
            }
            frame.vitals.update(fresh)
            if fresh:
                deltas.append(PatientFrame(name, vitals=fresh))
        self.delta(*deltas)
        self.pulse()


def limit_evidence(code: str, op: str, limit: float, value: float, whose: str) -> Evidence:
    """A limit as `monitor` explains it."""
    shown: dict[str, object] = {
        "side": "low" if op[0] == "<" else "high",
        "unit": "",
        "clear": limit + 5,
        "hold_s": 30,
        "op": op,
        "limit": limit,
        "delay_s": 15,
    }
    inputs: list[dict[str, object]] = [
        {"code": code, "unit": "", "t_ms": START_MS - 200_000, "age_ms": 900, "device": "mon", "value": value}
    ]
    return Evidence(inputs, shown, whose, quiet_if=f"not {op} {limit:g} within 15 s")
