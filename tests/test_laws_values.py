"""Law 5 (instants: a batch hides nothing) and law 6 (what can be attributed is never hidden), told by hand through `monitor`."""

from __future__ import annotations

from random import Random

from operators.monitor.core import ShardMonitor
from schemas.codes import ABSENT, ABSENT_SHIFT, BY_NUMBER, LATE, NO_VALUE
from schemas.events import LiveFrame, Vital
from schemas.identity import key64, shard_of
from schemas.timeline import End
from tests.oracle import holder
from tests.support.entries import Entry, Row, encode
from tests.support.monitored import SHARD, events, frames, monitored, one_by_one
from tests.support.timelines import HERE, Maker
from tests.support.ward import Ward, limit, ms

PATIENT = "amin"
WARD = shard_of(key64(PATIENT))
ZERO = NO_VALUE | ABSENT.index("zero") << ABSENT_SHIFT


def slots(frames_: list[LiveFrame], patient: str, loinc: str, device: str) -> list[Vital]:
    """What the frames say of a slot, in order."""
    people = [person for frame in frames_ for person in frame.patients if person.patient == patient]
    return [vital for person in people for vital in person.vitals.get(loinc, []) if vital.device == device]


def test_a_catch_up_batch_loses_no_short_alert() -> None:
    """An hour in one call: 60 dips of 20 s, each between two good readings, each an alert that comes and goes."""
    w = Ward()
    for minute in range(60):
        at_s = minute * 60 + 1
        w.every(2, at_s, at_s + 18, spo2=85)
        w.every(2, at_s + 20, at_s + 58, spo2=97)
    expected = [f"{minute * 60 + 16} limit spo2 low mon raised medium" for minute in range(60)]
    expected += [f"{minute * 60 + 51} limit spo2 low mon cleared medium" for minute in range(60)]
    assert sorted(w.told(3600)) == sorted(expected)  # `told` gives `monitor` the whole hour in one call


def test_each_instant_of_a_batch_has_its_own_score() -> None:
    """One call: the score is medium for one instant only, between two good ones."""
    w = Ward(age_years=70)
    w.device(0, "spot", kind="spot")
    w.read(1, "spot", rr=16, sbp=120)
    w.read(2, "spot", rr=21, sbp=95)
    w.read(3, "spot", hr=111)  # 2 + 2 + 2
    w.read(4, "spot", rr=16, sbp=120, hr=70)
    assert [line for line in w.told(5) if "news2" in line] == ["3 news2 raised medium"]


def test_one_call_or_many_the_order_within_an_alert_is_one() -> None:
    w = Ward(age_years=70, limits=[limit("spo2", "low", (90, 1), 91, 1, high=(80, 0)), limit("rr", "high", (24, 0), 20)])
    random = Random(5)
    for n in range(1, 400):
        w.read(n, spo2=random.choice([97, 91, 88, 79]), rr=random.choice([16, 25]))
    whole, single = events(monitored(w.entries, shard=WARD)), events(monitored(w.entries, one_by_one, shard=WARD))
    assert len(whole) > 100
    for alert in {e.alert for e in whole}:
        assert [e for e in whole if e.alert == alert] == [e for e in single if e.alert == alert]


def test_zero_takes_the_number_off_the_screen_at_once() -> None:
    """A zero heart rate: no number, the reason in its place, the last number and its time beside it, and an alert."""
    w = Ward()
    monitor, seen = ShardMonitor(WARD), list[LiveFrame]()
    w.read(1, hr=72)
    w.time(2)
    seen += frames(monitor.apply([encode(e) for e in w.entries]))
    assert slots(seen, PATIENT, "8867-4", "mon")[-1].value == 72
    done = len(w.entries)
    w.add([row._replace(flags=ZERO) for row in w.rows(2.5, {"hr": None}, "mon", PATIENT, None, 0)])
    w.time(2.5)
    seen = frames(monitor.apply([encode(e) for e in w.entries[done:]]))
    done = len(w.entries)
    w.time(4)
    seen += frames(monitor.apply([encode(e) for e in w.entries[done:]]))
    now = slots(seen, PATIENT, "8867-4", "mon")[0]
    assert (now.value, now.absent, now.t_ms) == (None, "zero", ms(2.5))
    assert (now.last_value, now.last_t_ms) == (72, ms(1))
    assert w.told() == ["2.5 signal_lost hr mon raised technical"]


def test_a_late_row_moves_no_number() -> None:
    w = Ward()
    w.read(1, hr=72)
    w.read(100, t_s=0.5, flags=LATE, hr=180)
    w.time(102)
    seen = frames(ShardMonitor(WARD).apply([encode(e) for e in w.entries]))
    assert {vital.value for vital in slots(seen, PATIENT, "8867-4", "mon")} == {72}


def test_a_cold_fold_names_its_patients_when_it_learns_their_names() -> None:
    w = Ward(bare=True, stated=False)
    w.read(1, hr=70)
    w.patient(2)
    w.device(2)
    w.add(End("a", 2))
    w.read(3, hr=71)
    w.time(20)
    seen = frames(ShardMonitor(WARD).apply([encode(e) for e in w.entries]))
    assert {person.patient for person in seen[-1].patients} == {PATIENT}


def test_after_any_timeline_a_row_without_value_takes_its_number_away() -> None:
    """The last word of a bound device about a vital is what the screen shows: no number, and why."""
    shown = 0
    for seed in range(60):
        maker = Maker(Random(seed).randrange)
        entries = maker.timeline(40)[:-1]  # the writer stays
        at = max(maker.now, maker.stated) + 3000
        bound = {d: p for d in maker.fold.devices if (p := holder(maker.fold.devices[d], at)) in HERE}
        known = [(d, n) for p in maker.fold.patients.values() for (d, n), s in p.slots.items() if bound.get(d) == p.name and s.t < at]
        if not known:
            continue
        device, number = known[seed % len(known)]
        person = maker.fold.patients[bound[device]]
        if person.gone:
            continue
        last: list[Entry] = [[Row(person.name, device, number, at, at, None, ZERO, 9, 1, 0)]]
        monitor = ShardMonitor(SHARD)
        monitor.apply([encode(e) for e in entries])
        maker.add(*last)
        maker.state(at + 1500)
        seen = frames(monitor.apply([encode(e) for e in maker.entries[len(entries) + 1 :]]))
        if device not in person.heard:
            continue  # its lease ended in between
        said = slots(seen, person.name, BY_NUMBER[number].loinc, device)
        assert said, f"seed {seed}: nothing said about {device} {number}"
        assert {(vital.value, vital.absent) for vital in said} == {(None, "zero")}, f"seed {seed}"
        shown += 1
    assert shown > 20
