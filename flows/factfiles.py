"""Facts from files: what `nadi apply` reads, and `up --demo` states. Every complaint names its file and line (JSON: the element).

TOML: `[[patients]]`, `[[devices]]`, `[[rules]]`, one table a fact. JSON: `{"patients": [...], "devices": [...], "rules": [...]}`.
JSONL: one fact a line, its topic known by its fields. `revision` may be left out: then it is a digest of the fact, so that
applying a file twice says the same revision.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from schemas.codes import BY_LOINC
from schemas.facts import DeviceFact, Limit, PatientFact, RuleFact
from schemas.identity import id16
from schemas.records import Append

TYPES: dict[str, type[PatientFact | DeviceFact | RuleFact]] = {
    "patients": PatientFact,
    "devices": DeviceFact,
    "rules": RuleFact,
}
KEY_FIELD = {"patients": "patient", "devices": "device", "rules": "name"}
RULE_NAMES = ("limits",)
AnyFact = PatientFact | DeviceFact | RuleFact


class FactError(ValueError):
    """A file that cannot be applied; the message names the place."""


class Stated(NamedTuple):
    """A fact, its topic, and where it was written."""

    topic: str
    fact: AnyFact
    place: str

    @property
    def key(self) -> str:
        """Key of the record."""
        return str(getattr(self.fact, KEY_FIELD[self.topic]))

    def record(self) -> Append:
        """The record to append: control topics have one partition."""
        return Append(self.topic, 0, msgspec.json.encode(self.fact), self.key.encode())


def read_all(files: Iterable[Path], by: str = "") -> list[Stated]:
    """All facts of all files, checked, in the order in which they are to be appended: rules, patients, devices. Raises FactError.

    `by`: who states them, where a fact does not say.
    """
    stated = [fact for file in files for fact in read(file, by)]
    seen: dict[tuple[str, str], str] = {}
    for one in stated:
        if earlier := seen.get((one.topic, one.key)):
            raise FactError(f"{one.place}: {one.key!r} was already stated at {earlier}; keep one of the two")
        seen[one.topic, one.key] = one.place
    order = ("rules", "patients", "devices")
    return sorted(stated, key=lambda s: order.index(s.topic))


def read(file: Path, by: str = "") -> Iterator[Stated]:
    """The facts of one file, by its suffix."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FactError(f"{file}: cannot read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise FactError(f"{file}: not UTF-8: byte {error.start}") from None
    raw = {".toml": _toml, ".json": _json, ".jsonl": _jsonl, ".ndjson": _jsonl}.get(file.suffix.lower())
    if raw is None:
        raise FactError(f"{file}: give .toml, .json or .jsonl")
    for topic, place, fields in raw(file, text):
        yield _checked(topic, place, fields, by)


def _toml(file: Path, text: str) -> Iterator[tuple[str, str, Any]]:
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FactError(f"{file}: not TOML: {error}") from None
    for topic, n, fields in _elements(str(file), tree):
        headers = [i for i, line in enumerate(text.splitlines(), 1) if re.match(rf"\s*\[\[\s*{topic}\s*\]\]", line)]
        yield topic, f"{file}:{headers[n]}" if n < len(headers) else f"{file}: {topic}[{n}]", fields


def _json(file: Path, text: str) -> Iterator[tuple[str, str, Any]]:
    try:
        tree = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise FactError(f"{file}:{line}: not JSON: {getattr(error, 'msg', 'nested too deep')}") from None
    for topic, n, fields in _elements(str(file), tree):
        yield topic, f"{file}: {topic}[{n}]", fields


def _jsonl(file: Path, text: str) -> Iterator[tuple[str, str, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"{file}:{number}"
        try:
            fields = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise FactError(f"{place}: not JSON: {getattr(error, 'msg', 'nested too deep')}") from None
        # A device's leases name patients, a patient names no device: the narrowest key tells.
        topic = next((t for t in ("devices", "patients", "rules") if isinstance(fields, dict) and KEY_FIELD[t] in fields), None)
        if topic is None:
            raise FactError(f"{place}: not a fact: it names no patient, device or rule (`name`)")
        yield topic, place, fields


def _elements(file: str, tree: object) -> Iterator[tuple[str, int, Any]]:
    if not isinstance(tree, dict):
        raise FactError(f"{file}: at its top stand patients, devices and rules, each a list of facts")
    for topic, facts in tree.items():
        if topic not in TYPES:
            raise FactError(f'{file}: unknown kind of fact "{topic}"; there are: {", ".join(TYPES)}')
        if not isinstance(facts, list):
            raise FactError(f"{file}: {topic} is a list of facts ([[{topic}]] in TOML)")
        yield from ((topic, n, fields) for n, fields in enumerate(facts))


def _checked(topic: str, place: str, fields: Any, by: str) -> Stated:
    if not isinstance(fields, dict):
        raise FactError(f"{place}: a fact is a table of fields")
    if by and not fields.get("by"):
        fields = fields | {"by": by}
    if not fields.get("revision"):
        fields = fields | {"revision": id16("revision", json.dumps(fields, sort_keys=True, default=str))}
    try:
        fact = msgspec.convert(fields, TYPES[topic])
    except msgspec.ValidationError as error:
        raise FactError(f"{place}: {str(error).replace(' - at `$.', ' - in `')}") from None
    stated = Stated(topic, fact, place)
    if not stated.key.strip():
        raise FactError(f"{place}: `{KEY_FIELD[topic]}` is empty")
    if why := _wrong(fact):
        raise FactError(f"{place}: {why}")
    return stated


def _wrong(fact: AnyFact) -> str | None:
    """What the types cannot say."""
    if isinstance(fact, DeviceFact):
        return _wrong_device(fact)
    if isinstance(fact, RuleFact) and fact.name not in RULE_NAMES:
        return f"unknown rule {fact.name!r}; there are: {', '.join(RULE_NAMES)}"
    if isinstance(fact, PatientFact) and fact.spo2_scale_2 and not fact.spo2_scale_by:
        return "spo2_scale_2 is a prescription: spo2_scale_by says who authorised it"
    sides = [(limit.code, limit.side) for limit in fact.limits]
    if len(set(sides)) < len(sides):
        return "two limits for the same side of the same vital"
    return next((why for limit in fact.limits if (why := _wrong_limit(limit))), None)


def _wrong_device(fact: DeviceFact) -> str | None:
    if fact.interval_ms <= 0:
        return f"interval_ms is {fact.interval_ms}: the expected time between messages, above 0"
    unknown = [code for code in fact.intervals_ms if code not in BY_LOINC]
    if unknown:
        return f"unknown vital {unknown[0]!r} in intervals_ms"
    leases = sorted(fact.leases, key=lambda lease: lease.from_ms)
    for lease, following in zip(leases, [*leases[1:], None], strict=True):
        if lease.until_ms is not None and lease.until_ms <= lease.from_ms:
            return f"the lease to {lease.patient!r} ends before it begins"
        if following is not None and (lease.until_ms is None or lease.until_ms > following.from_ms):
            return f"two leases overlap: to {lease.patient!r} and to {following.patient!r}; a device is with one patient at a time"
    return None


def _wrong_limit(limit: Limit) -> str | None:
    if limit.code not in BY_LOINC:
        return f"unknown vital {limit.code!r} in a limit; there are: {', '.join(BY_LOINC)}"
    if limit.medium is None:
        return None
    low = limit.side == "low"
    for name, level in (("medium", limit.medium), ("high", limit.high)):
        if level is None:
            continue
        where = f"{limit.code} {limit.side} {name}"
        if (level.op in ("<", "<=")) != low:
            return f"{where}: op is {level.op!r}; a low side takes < or <=, a high side > or >="
        if level.delay_s < 0 or limit.hold_s < 0:
            return f"{where}: a delay or hold below 0"
        if (limit.clear < level.limit) if low else (limit.clear > level.limit):
            return f"{where}: clear {limit.clear:g} is not on the good side of {level.limit:g}"
    if limit.high and ((limit.high.limit > limit.medium.limit) if low else (limit.high.limit < limit.medium.limit)):
        where = f"{limit.code} {limit.side}"
        return f"{where}: the high level {limit.high.limit:g} is nearer to the good side than the medium {limit.medium.limit:g}"
    return None
