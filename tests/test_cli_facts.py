"""`nadi apply`, `topics`, `dead-letter`, `score`: files in, records out, and the place of what is wrong."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import msgspec
import pytest

from flows.records import read_range
from operators.ingest.letters import APPENDED
from schemas.facts import DeviceFact, PatientFact
from schemas.topics import DETAIL, POSITION, REASON, REPLAYED_FROM, TOPICS
from sinks.log import open_log
from sinks.log.api import TP, Record
from tests.support.cli import Nadi, runner

WARD = """
[[rules]]
name = "limits"
version = 1
limits = [{code = "8867-4", side = "high", medium = {op = ">=", limit = 130, delay_s = 10}, clear = 125, hold_s = 30}]

[[patients]]
patient = "p-01"
admission = "a-1"
ward = "4b"
bed = "01"

[[devices]]
device = "monitor-1"
device_class = "monitor"
interval_ms = 5000
leases = [{patient = "p-01", from_ms = 0}]
"""


@pytest.fixture
def nadi(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, log_url: str, tmp_path: Path) -> Nadi:
    """On either log, with its topics."""
    call = runner(capsys, monkeypatch, tmp_path / "data")
    monkeypatch.setenv("NADI_LOG", log_url)
    assert call("topics", "create").status == 0
    return call


def records(url: str, *tps: TP) -> list[Record]:
    log = open_log(url)
    try:
        return list(read_range(log, *tps))
    finally:
        log.close()


def test_topics_are_made_once_and_listed(nadi: Nadi) -> None:
    assert nadi("topics", "create").err == "all topics are there\n"
    listed = json.loads(nadi("topics", "list", "--json").out)
    assert [(t["topic"], t["partitions"]) for t in listed] == [(t.name, t.partitions) for t in TOPICS]
    assert all(t["ends"] == [0] * t["partitions"] and t["incarnation"] for t in listed)
    plain = nadi("topics", "list").out.splitlines()
    assert plain[0].split("\t") == ["topic", "partitions", "cleanup", "keeps", "records", "ends", "incarnation"]
    assert len(plain) == 1 + len(TOPICS)


def test_a_ward_is_stated_rules_first_with_who_and_revision(nadi: Nadi, log_url: str, tmp_path: Path) -> None:
    (tmp_path / "ward.toml").write_text(WARD)
    assert nadi("apply", "ward.toml", "--by", "admissions").err == "stated: 1 patients, 1 devices, 1 rules\n"
    (patient,) = records(log_url, TP("patients", 0))
    fact = msgspec.json.decode(patient.value or b"", type=PatientFact)
    assert (patient.key, fact.ward, fact.by, len(fact.revision)) == (b"p-01", "4b", "admissions", 32)
    (device,) = records(log_url, TP("devices", 0))
    assert msgspec.json.decode(device.value or b"", type=DeviceFact).leases[0].patient == "p-01"
    assert len(records(log_url, TP("rules", 0))) == 1


def test_the_same_file_states_the_same_revision(nadi: Nadi, log_url: str, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"patient": "p-01", "admission": "a"}\n\n{"patient": "p-02", "admission": "a"}\n')
    for _ in range(2):
        assert nadi("apply", "p.jsonl", "--by", "x").status == 0
    stated = [msgspec.json.decode(r.value or b"", type=PatientFact) for r in records(log_url, TP("patients", 0))]
    assert len({f.revision for f in stated if f.patient == "p-01"}) == 1
    assert len({f.revision for f in stated}) == 2


def test_a_check_states_nothing(nadi: Nadi, log_url: str, tmp_path: Path) -> None:
    (tmp_path / "ward.toml").write_text(WARD)
    assert nadi("apply", "--check", "ward.toml").err == "good: 1 patients, 1 devices, 1 rules; nothing was stated\n"
    assert records(log_url, TP("patients", 0)) == []


BROKEN: dict[str, tuple[str, str, str]] = {
    "not toml": ("f.toml", "[[patients]\n", "f.toml: not TOML: "),
    "unknown kind": ("f.toml", "[[patient]]\npatient = 'x'\n", 'unknown kind of fact "patient"; there are: patients, devices, rules'),
    "unknown field": (
        "f.toml",
        "\n[[patients]]\npatient = 'x'\nadmission = 'a'\nwad = '4b'\n",
        "f.toml:2: Object contains unknown field `wad`",
    ),
    "second element": (
        "f.toml",
        "[[patients]]\npatient='x'\nadmission='a'\n[[patients]]\npatient='y'\n",
        "f.toml:4: Object missing required field `admission`",
    ),
    "not json": ("f.json", '{"patients": [}\n', "f.json:1: not JSON: "),
    "json element": (
        "f.json",
        '{"devices": [{"device": "d", "device_class": "x", "interval_ms": 1}]}',
        "f.json: devices[0]: Invalid enum value 'x' - in `device_class`",
    ),
    "not a list": ("f.json", '{"patients": {"patient": "x"}}', "patients is a list of facts"),
    "not an object": ("f.json", "[1]", "at its top stand patients, devices and rules"),
    "jsonl line": (
        "f.jsonl",
        '{"patient": "x", "admission": "a"}\n{"patient": 7, "admission": "a"}\n',
        "f.jsonl:2: Expected `str`, got `int` - in `patient`",
    ),
    "jsonl broken": ("f.jsonl", "\n{\n", "f.jsonl:2: not JSON"),
    "jsonl no fact": ("f.jsonl", '{"ward": "4b"}\n', "f.jsonl:1: not a fact: it names no patient, device or rule"),
    "suffix": ("f.txt", "", "f.txt: give .toml, .json or .jsonl"),
    "empty key": ("f.jsonl", '{"patient": " ", "admission": "a"}\n', "f.jsonl:1: `patient` is empty"),
    "twice": ("f.jsonl", '{"patient": "x", "admission": "a"}\n' * 2, "f.jsonl:2: 'x' was already stated at f.jsonl:1"),
    "vital": (
        "f.jsonl",
        '{"patient":"x","admission":"a","limits":[{"code":"1-1","side":"low","medium":null}]}\n',
        "unknown vital '1-1' in a limit",
    ),
    "operator": (
        "f.jsonl",
        '{"patient":"x","admission":"a","limits":[{"code":"59408-5","side":"low","medium":{"op":">","limit":90},"clear":92}]}\n',
        "59408-5 low medium: op is '>'; a low side takes < or <=",
    ),
    "clear level": (
        "f.jsonl",
        '{"patient":"x","admission":"a","limits":[{"code":"59408-5","side":"low","medium":{"op":"<","limit":90},"clear":88}]}\n',
        "clear 88 is not on the good side of 90",
    ),
    "levels": (
        "f.jsonl",
        '{"patient":"x","admission":"a","limits":[{"code":"59408-5","side":"low","medium":{"op":"<","limit":90},"high":{"op":"<","limit":91},"clear":92}]}\n',
        "the high level 91 is nearer to the good side than the medium 90",
    ),
    "scale": ("f.jsonl", '{"patient":"x","admission":"a","spo2_scale_2":true}\n', "spo2_scale_by says who authorised it"),
    "interval": ("f.jsonl", '{"device":"d","device_class":"spot","interval_ms":0}\n', "interval_ms is 0"),
    "lease": (
        "f.jsonl",
        '{"device":"d","device_class":"spot","interval_ms":1,"leases":[{"patient":"a","from_ms":5,"until_ms":5}]}\n',
        "the lease to 'a' ends before it begins",
    ),
    "overlap": (
        "f.jsonl",
        '{"device":"d","device_class":"spot","interval_ms":1,"leases":[{"patient":"b","from_ms":9},{"patient":"a","from_ms":5}]}\n',
        "two leases overlap: to 'a' and to 'b'",
    ),
    "rule": ("f.jsonl", '{"name":"news2","version":1}\n', "unknown rule 'news2'; there are: limits"),
}


@pytest.mark.parametrize(("name", "text", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_whole_with_its_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, text: str, words: str
) -> None:
    nadi = runner(capsys, monkeypatch, tmp_path / "data")
    (tmp_path / name).write_text(text)
    (tmp_path / "good.toml").write_text(WARD)
    status, _, err = nadi("apply", "good.toml", name)
    assert status == 1
    assert words in err
    assert err.startswith(f"nadi: {name}")
    assert err.count("\n") == 1
    assert not (tmp_path / "data").exists(), "either all facts are stated, or none"


@pytest.fixture
def letters(nadi: Nadi, log_url: str) -> list[bytes]:
    """Three dead letters: two of readings, one of a command."""
    bodies = [b'{"device":"d-1","t":1}', b"\xff\x00 broken", b"{}"]
    log = open_log(log_url)
    writer = log.writer("test")
    for n, (body, reason, topic) in enumerate(
        zip(bodies, ("unbound", "bad_json", "unbound"), ("device-readings/2", "device-readings/3", "alert-commands/0"), strict=True)
    ):
        headers = ((REASON, reason.encode()), (POSITION, f"{topic}/{40 + n}".encode()), (DETAIL, b"why"), (APPENDED, b"123456"))
        writer.append("dead-letter", 0, body, b"key", headers)
    writer.flush()
    writer.close()
    log.close()
    return bodies


def test_dead_letters_are_listed_with_reason_place_and_bytes(nadi: Nadi, letters: list[bytes]) -> None:
    listed = json.loads(nadi("dead-letter", "list", "--json").out)
    assert [base64.b64decode(letter["value"]) for letter in listed] == letters
    assert [(x["offset"], x["reason"], x["position"]) for x in listed] == [
        (0, "unbound", "device-readings/2/40"),
        (1, "bad_json", "device-readings/3/41"),
        (2, "unbound", "alert-commands/0/42"),
    ]
    rows = nadi("dead-letter", "list", "--reason", "bad_json").out.splitlines()
    assert [row.split("\t")[2:] for row in rows[1:]] == [["bad_json", "device-readings/3/41", "9", "why"]]
    assert nadi("dead-letter", "list", "--max", "1").err == "the newest 1 of 3; more with --max\n"


def test_a_replay_puts_readings_back_with_their_origin(nadi: Nadi, log_url: str, letters: list[bytes]) -> None:
    assert nadi("dead-letter", "replay", "--reason", "unbound").err == "would append 1 messages to device-readings; say --yes to do it\n"
    assert records(log_url, TP("device-readings", 2)) == []
    assert nadi("dead-letter", "replay", "--reason", "unbound", "--yes").err == "appended 1 messages to device-readings\n"
    (again,) = records(log_url, TP("device-readings", 2))
    assert (again.value, again.key, again.headers) == (letters[0], b"key", ((REPLAYED_FROM, b"device-readings/2/40/123456"),))


def test_a_replay_has_limits(nadi: Nadi, letters: list[bytes]) -> None:
    assert "2 letters fit, more than --max 1" in nadi("dead-letter", "replay", "--offset", "0", "--offset", "1", "--max", "1", "--yes").err
    assert "no letter from device-readings fits" in nadi("dead-letter", "replay", "--offset", "2", "--yes").err


def test_news2_of_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nadi = runner(capsys, monkeypatch, tmp_path / "data")
    whole = {
        "respiration_rate_per_min": 25,
        "spo2_percent": 91,
        "on_oxygen": True,
        "systolic_mm_hg": 90,
        "pulse_per_min": 131,
        "consciousness": "V",
        "temperature_cel": 39.1,
    }
    (tmp_path / "w.jsonl").write_text(json.dumps(whole) + "\n\n" + json.dumps({"pulse_per_min": 72}) + "\n")
    lines = [json.loads(line) for line in nadi("score", "news2", "w.jsonl").out.splitlines()]
    assert (lines[0]["total"], lines[0]["complete"], lines[0]["response"]) == (19, True, "high")
    assert set(lines[0]) == {"total", "parts", "complete", "lower_bound", "response"}
    assert set(lines[0]["parts"]) == set(whole)
    assert (lines[1]["total"], lines[1]["complete"], lines[1]["lower_bound"]) == (None, False, 0)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"pulse": 72}', "Object contains unknown field `pulse`"),
        ('{"pulse_per_min": "72"}', "Expected `float | null`, got `str` - in `pulse_per_min`"),
        ('{"consciousness": "Q"}', "consciousness is one of"),
        ('{"spo2_scale": 3}', "spo2_scale is 1 or 2"),
        ("{", "Input data was truncated"),
        ("[" * 100_000, ""),
    ],
)
def test_a_bad_line_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, words: str
) -> None:
    nadi = runner(capsys, monkeypatch, tmp_path / "data")
    (tmp_path / "w.jsonl").write_text("\n" + line + "\n")
    status, _, err = nadi("score", "news2", "w.jsonl")
    assert status == 1
    assert err.startswith("nadi: w.jsonl:2: ")
    assert words in err
