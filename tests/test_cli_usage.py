"""The command line as a person meets it: wrong arguments, broken files, help. One clear line, and the right exit status."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer.core
import typer.main

from flows.cli.app import app
from tests.support.cli import Nadi, runner


@pytest.fixture
def nadi(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Nadi:
    return runner(capsys, monkeypatch, tmp_path / "data")


def commands(group: typer.core.TyperGroup, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    """Every command with the text of its help."""
    found = []
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            found += commands(command, (*path, name))
        else:
            found.append(((*path, name), command.help or ""))
    return found


ALL = commands(typer.main.get_group(app))


def test_all_commands_are_there() -> None:
    expected = """up, flow, gateway, topics create, topics list, apply, token, watch, alerts list, alerts ack, alerts why,
        dead-letter list, dead-letter replay, doctor, score news2, sim, replay"""
    assert {" ".join(path) for path, _ in ALL} == {" ".join(name.split()) for name in expected.split(",")}


@pytest.mark.parametrize(("path", "help_text"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_every_help_has_examples_of_itself(nadi: Nadi, path: tuple[str, ...], help_text: str) -> None:
    assert "Examples:" in help_text
    assert f"nadi {' '.join(path)}" in help_text
    status, out, _ = nadi(*path, "--help")
    assert status == 0
    assert max(len(line) for line in out.splitlines()) <= 100


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["lists"], 2, ["nadi: No such command 'lists'", "see `nadi --help`"]),
        (["alerts", "lst"], 2, ["nadi alerts: No such command 'lst'", "Did you mean 'list'"]),
        (["alerts", "ack"], 2, ["nadi alerts ack: Missing argument 'ALERT'", "see `nadi alerts ack --help`"]),
        (["alerts", "ack", "3f9c2a1b"], 2, ["Missing option '--by'"]),
        (["alerts", "ack", "3f9c2a1b", "--by", "x", "--role", "viewer"], 2, ["'viewer' may not acknowledge"]),
        (["flow", "archive"], 2, ["'archive' is not one of", "ingest"]),
        (["up", "--port", "99999"], 2, ["--port", "less than or equal to 65535"]),
        (["gateway", "--host", "0.0.0.0"], 2, ["0.0.0.0 is reachable from other machines"]),
        (["gateway", "--demo", "--host", "0.0.0.0"], 2, ["0.0.0.0"]),
        (["watch"], 2, ["say --ward or --patient"]),
        (["watch", "--ward", "4b", "--patient", "p"], 2, ["one of them"]),
        (["watch", "--ward", "4b", "--token-file", "none"], 2, ["none: cannot read the token"]),
        (["watch", "--ward", "4b", "--url", "nonsense"], 1, ["'nonsense' is no address of a gateway"]),
        (["token", "--user", "a", "--role", "boss", "--wards", "4b"], 2, ["'boss': there are viewer, nurse, doctor, charge"]),
        (["token", "--user", "a", "--role", "nurse", "--wards", ","], 2, ["name a ward, or *"]),
        (["token", "--user", "a", "--role", "nurse", "--wards", "4b", "--hours", "9999"], 2, ["at most 744"]),
        (["token", "--user", "a\nb", "--role", "nurse", "--wards", "4b"], 2, ["no token for user"]),
        (["dead-letter", "replay"], 2, ["say which letters: --reason or --offset"]),
        (["apply", "none.toml"], 1, ["none.toml: cannot read: No such file or directory"]),
        (["score", "news2", "none.jsonl"], 1, ["none.jsonl: cannot read: No such file or directory"]),
        (["sim", "--story", "comedy", "--minutes", "1"], 2, ["unknown story 'comedy'", "healthy"]),
        (["sim", "--clock", "stream"], 2, ["a stream needs --minutes"]),
        (["alerts", "list"], 1, ["no log in", "start `nadi up`", "--data"]),
        (["topics", "list"], 1, ["no log in"]),
        (["dead-letter", "list"], 1, ["no log in"]),
        (["topics", "create", "--log", "redis://x"], 2, ["--log: 'redis://x' is not the address of a log"]),
        (["topics", "create", "--config", "none.toml"], 2, ["none.toml: no such settings file"]),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_what_is_wrong_is_said_in_one_line(nadi: Nadi, arguments: list[str], status: int, words: list[str]) -> None:
    got, out, err = nadi(*arguments)
    assert (got, out) == (status, "")
    assert err.startswith("nadi")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    for word in words:
        assert word in err


def test_a_command_that_only_reads_makes_no_log(nadi: Nadi, tmp_path: Path) -> None:
    nadi("alerts", "list")
    nadi("doctor")
    assert not (tmp_path / "data").exists()


def test_an_unknown_setting_stops_every_command(nadi: Nadi, tmp_path: Path) -> None:
    (tmp_path / "nadi.toml").write_text("[gatway]\nport = 1\n")
    status, _, err = nadi("topics", "create")
    assert (status, err) == (2, 'nadi: nadi.toml:2: unknown setting "gatway.port"; did you mean "gateway.port"?\n')


def test_the_version_is_the_package_s(nadi: Nadi) -> None:
    assert nadi("--version").out.startswith("nadi 0.")


def test_without_a_command_it_helps(nadi: Nadi) -> None:
    status, out, err = nadi()
    assert status == 2
    assert "Commands:" in out + err
