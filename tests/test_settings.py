"""Settings: what is unknown or unsafe refuses to start, and says where it stands and what to do."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.secret import token_secret
from flows.settings import ENVIRONMENT, SettingsError, load, names
from flows.toml_lines import key_lines, line_of

GOOD_SECRET = "9f2c7b1e5a8d4630c7e1f0a2b3948576d1e0c3b2a4958677"
Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes nadi.toml and returns its path."""

    def write(text: str) -> str:
        (tmp_path / "nadi.toml").write_text(text)
        return str(tmp_path / "nadi.toml")

    return write


def refusal(*args: object, **kwargs: object) -> str:
    with pytest.raises(SettingsError) as caught:
        load(*args, **kwargs)  # type: ignore[arg-type]
    return str(caught.value)


def test_without_file_and_environment_everything_is_embedded(tmp_path: Path) -> None:
    settings = load({}, cwd=tmp_path)
    assert settings.log_url.startswith("sqlite:///")
    assert settings.log_url.endswith("/.data/log/")
    assert settings.recovery("ingest") == settings.folder / "recovery" / "ingest"
    assert (settings.gateway.host, settings.source) == ("127.0.0.1", "defaults")


def test_the_command_line_beats_the_environment_and_that_the_file(write: Write) -> None:
    file = write('data = "a"\n[gateway]\nport = 1\ntz = "UTC"\n')
    settings = load({"NADI_CONFIG": file, "NADI_PORT": "2", "NADI_DATA": "b"}, overrides={"gateway.port": 3, "data": None})
    assert (settings.data, settings.gateway.port, settings.gateway.tz, settings.source) == ("b", 3, "UTC", file)


def test_an_unknown_setting_is_refused_with_its_line_and_the_nearest_name(write: Write) -> None:
    file = write('data = "x"\n\n# where\n[gateway]\nhost = "127.0.0.1"\nprot = 80\n')
    assert refusal({}, file) == f'{file}:6: unknown setting "gateway.prot"; did you mean "gateway.port"?'


def test_an_unknown_table_is_refused_with_its_line(write: Write) -> None:
    file = write("[gatway]\nport = 80\n")
    assert refusal({}, file) == f'{file}:2: unknown setting "gatway.port"; did you mean "gateway.port"?'
    assert refusal({}, write("[wards]\n")).startswith(f'{file}:1: unknown setting "wards"')


def test_a_dotted_key_has_its_line_too(write: Write) -> None:
    file = write("\ngatway.port = 80\n")
    assert refusal({}, file).startswith(f'{file}:2: unknown setting "gatway.port"; did you mean "gateway.port"?')


def test_an_unknown_variable_is_refused_with_the_nearest_name() -> None:
    assert refusal({"NADI_PROT": "80"}) == "environment: unknown setting NADI_PROT; did you mean NADI_PORT?"


def test_a_value_of_the_wrong_type_is_refused_with_its_line(write: Write) -> None:
    file = write('[gateway]\n\nport = "80"\n')
    assert refusal({}, file) == f"{file}:3: gateway.port: expected `int`, got `str`"


def test_a_value_out_of_bounds_is_refused_with_its_line(write: Write) -> None:
    file = write("[flow]\npoll = 0\n")
    assert refusal({}, file) == f"{file}:2: flow.poll: expected `int` >= 1"


def test_a_wrong_value_in_a_variable_names_the_variable() -> None:
    assert refusal({"NADI_PORT": "eighty"}) == "NADI_PORT: gateway.port: expected `int`, got `str`"


def test_a_broken_file_is_refused_with_its_line(write: Write) -> None:
    file = write("data = 'x'\n[gateway\n")
    assert refusal({}, file).startswith(f"{file}:2: not TOML: ")


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    assert refusal({}, str(tmp_path / "no.toml")) == f"{tmp_path / 'no.toml'}: no such settings file"


def test_an_unknown_log_is_refused_with_its_line(write: Write) -> None:
    file = write('log = "redis://here"\n')
    assert refusal({}, file).startswith(f"{file}:1: 'redis://here' is not the address of a log: give kafka://host:port")


@pytest.mark.parametrize("url", ["sqlite:///", "kafka://", "kafka:///", "sqlite://relative"])
def test_an_address_that_names_nothing_is_refused(url: str) -> None:
    assert refusal({"NADI_LOG": url}).startswith("NADI_LOG: ")


def test_listening_for_other_machines_without_tls_is_refused_with_its_line(write: Write) -> None:
    file = write('[gateway]\nhost = "0.0.0.0"\n')
    assert refusal({}, file).startswith(f"{file}:2: 0.0.0.0 is reachable from other machines")
    assert load({}, write('[gateway]\nhost = "0.0.0.0"\ntls_in_front = true\n')).gateway.tls_in_front


def test_a_demo_for_other_machines_is_refused() -> None:
    environ = {"NADI_HOST": "0.0.0.0", "NADI_TLS_IN_FRONT": "true", "NADI_DEMO": "true"}
    assert refusal(environ).startswith("NADI_HOST: the demo gives tokens away")


def test_a_key_set_over_http_is_refused_with_its_line(write: Write) -> None:
    file = write('[gateway]\n# keys\njwks = "http://127.0.0.1/keys"\n')
    assert refusal({}, file).startswith(f"{file}:3: a key set comes by https")


def test_a_key_set_and_a_secret_together_are_refused() -> None:
    assert refusal({"NADI_JWKS": "keys.json", "NADI_TOKEN_SECRET": GOOD_SECRET}).endswith("keep one")


@pytest.mark.parametrize("line", ['algorithms = ["none"]', 'algorithm = "none"'])
def test_the_algorithm_none_is_refused_with_its_line(write: Write, line: str) -> None:
    file = write(f"[gateway]\n{line}\n")
    assert refusal({}, file).startswith(f"{file}:2: each key has its one algorithm")


def test_a_secret_in_the_file_is_refused_with_its_line(write: Write) -> None:
    file = write(f'[gateway]\ntoken_secret = "{GOOD_SECRET}"\n')
    message = refusal({}, file)
    assert message.startswith(f"{file}:2: a secret does not belong in this file")
    assert GOOD_SECRET not in message


def test_a_data_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert refusal({"NADI_DATA": str(tmp_path / "data")}).endswith("is no folder")


def secret_refusal(environ: dict[str, str], data: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        token_secret(load({**environ, "NADI_DATA": str(data)}), environ)
    return str(caught.value)


def test_a_short_secret_is_refused_and_not_shown(tmp_path: Path) -> None:
    message = secret_refusal({"NADI_TOKEN_SECRET": "tiny-tiny"}, tmp_path)
    assert message.startswith("NADI_TOKEN_SECRET: a token secret of 9 bytes can be guessed")
    assert "tiny" not in message


@pytest.mark.parametrize(
    "secret",
    ["change-me-" * 4, "a" * 64, "my-very-own-password-for-the-gateway", "0123456789abcdef" * 4, "your-secret-goes-here-32-characters!"],
)
def test_a_default_secret_is_refused_and_not_shown(tmp_path: Path, secret: str) -> None:
    message = secret_refusal({"NADI_TOKEN_SECRET": secret}, tmp_path)
    assert "placeholder that others know" in message
    assert secret not in message


def test_a_secret_file_that_everyone_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(GOOD_SECRET)
    file.chmod(0o644)
    assert secret_refusal({"NADI_TOKEN_SECRET_FILE": str(file)}, tmp_path).endswith(f"chmod 600 {file}")
    file.chmod(0o600)
    environ = {"NADI_TOKEN_SECRET_FILE": str(file)}
    assert token_secret(load(environ), environ) == GOOD_SECRET


def test_a_missing_secret_file_is_refused(tmp_path: Path) -> None:
    assert "cannot read the token secret" in secret_refusal({"NADI_TOKEN_SECRET_FILE": str(tmp_path / "no")}, tmp_path)


def test_the_own_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    settings = load({"NADI_DATA": str(tmp_path / "data")})
    first = token_secret(settings, {})
    assert first is not None
    assert len(first) == 64
    assert token_secret(settings, {}) == first
    assert stat.S_IMODE((tmp_path / "data" / "secret").stat().st_mode) == 0o600
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["secret"]


def test_with_a_key_set_no_secret_is_made(tmp_path: Path) -> None:
    environ = {"NADI_JWKS": "keys.json", "NADI_DATA": str(tmp_path / "data")}
    assert token_secret(load(environ), environ) is None
    assert not (tmp_path / "data").exists()


def test_lines_of_keys_survive_what_toml_allows() -> None:
    text = '# c\n[a]\nx = """\ny = 1\n"""\n"q.r" = 2\n[[b.c]]\nz=3\n[[b.c]]\nz=4\n'
    assert key_lines(text) == {("a",): 2, ("a", "x"): 3, ("a", "q.r"): 6, ("b", "c"): 7, ("b", "c", "z"): 8}
    assert line_of(text, ("a", "x", "inline")) == 3
    assert line_of(text, ("b",)) == 7
    assert line_of(text, ("nowhere",)) == 1


def test_every_setting_and_variable_is_told() -> None:
    told = (Path(__file__).parent.parent / "docs" / "settings.md").read_text()
    assert [n for n in names() if not re.search(rf"`{re.escape(n)}`", told)] == []
    assert [v for v in ENVIRONMENT if f"`{v}`" not in told] == []
    assert set(ENVIRONMENT.values()) <= set(names())
