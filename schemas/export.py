"""JSON Schema of what travels as JSON, one document a topic, made from the typed events: `python -m schemas.export` writes `schemas/json/`.

For those who produce to Nadi or consume from it in another language. A test keeps the files in step with the types.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from schemas.events import AlertEvent, LiveFrame, TrendFrame
from schemas.facts import Command, DeviceFact, PatientFact, RuleFact
from schemas.readings import Message

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = Path(__file__).parent / "json"
VALUES: dict[str, type[msgspec.Struct]] = {
    "device-readings": Message,
    "patients": PatientFact,
    "devices": DeviceFact,
    "rules": RuleFact,
    "alert-commands": Command,
    "alerts": AlertEvent,
    "live": LiveFrame,
    "trends": TrendFrame,
}
"""Topic -> type of its values. The timeline is columns and msgpack (`timeline.py`); a dead letter's value is whatever was refused."""


def document(topic: str) -> str:
    """The JSON Schema of a topic's values, as the text of its file."""
    schema = msgspec.json.schema(VALUES[topic], schema_hook=_anything)
    head = {"$schema": DIALECT, "$id": f"urn:nadi:{topic}:1", "title": f"A value of the topic {topic}"}
    return json.dumps(head | schema, indent=2, ensure_ascii=False) + "\n"


def _anything(kind: type) -> dict[str, object]:
    """`object` in a type (inputs of evidence, whose keys differ by rule) is any JSON value."""
    if kind is object:
        return {"description": "any JSON value"}  # not empty: msgspec takes an empty answer for none
    raise TypeError(f"no JSON Schema for {kind}")


def main() -> None:
    """Writes all files anew."""
    FOLDER.mkdir(exist_ok=True)
    for topic in VALUES:
        (FOLDER / f"{topic}.json").write_text(document(topic), encoding="utf-8")


if __name__ == "__main__":
    main()
