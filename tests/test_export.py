"""The exported JSON Schemas say what the types say."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from schemas.export import FOLDER, VALUES, document
from schemas.topics import BY_NAME


@pytest.mark.parametrize("topic", VALUES)
def test_the_file_of_a_topic_is_in_step_with_its_type(topic: str) -> None:
    assert (FOLDER / f"{topic}.json").read_text(encoding="utf-8") == document(topic), "run `make schemas` and commit"


def test_there_is_one_file_for_each_topic_of_json_values() -> None:
    assert {p.stem for p in FOLDER.iterdir()} == set(VALUES) == set(BY_NAME) - {"timeline", "dead-letter"}


def test_the_files_ship_with_the_package() -> None:
    schema = json.loads(files("schemas").joinpath("json/device-readings.json").read_text(encoding="utf-8"))
    message = schema["$defs"]["Message"]
    assert message["required"] == ["device"]
    assert message["additionalProperties"] is False, "unknown fields are refused, so the schema refuses them too"
