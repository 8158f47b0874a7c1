"""Settings: one TOML file, the environment over it, the command line over both. What is unknown or unsafe does not start.

A refusal names its place: `nadi.toml:7: unknown setting "gateway.prot"; did you mean "gateway.port"?`. The settings themselves, with
their bounds, are the structs below; `docs/settings.md` tells each (a test keeps it whole).
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import msgspec
from msgspec import Meta

from flows.toml_lines import line_of
from gateway.config import is_loopback
from sinks.log import sqlite_url
from sinks.log.api import LogError

CONFIG_NAME = "nadi.toml"
DEFAULT_DATA = ".data"


class SettingsError(ValueError):
    """A setting that must not start; the message names its place and what to do."""


class GatewaySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[gateway]: the server of the board."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    tls_in_front: bool = False
    """Says that a proxy ends TLS before the gateway; without it only loopback addresses are listened on."""
    token_secret_file: str = ""
    """File with the secret that signs tokens (HS256); empty = DATA/secret, made at first use."""
    jwks: str = ""
    """Key set (RS256, ES256) instead of a secret: a file, or an https address."""
    issuer: str = ""
    audience: str = ""
    tz: str = "Asia/Kuala_Lumpur"
    allowed_origins: list[str] = []
    beds: dict[str, list[str]] = {}
    """Ward -> its beds in the order of the board, for empty beds."""


class FlowSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[flow]: `ingest` and `monitor`."""

    poll: Annotated[int, Meta(ge=1, le=100_000)] = 5000
    """At most this many messages a poll."""
    epoch_ms: Annotated[int, Meta(ge=100, le=10_000)] = 500
    """How often state is made durable."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that a process of Nadi is told from outside."""

    data: str = DEFAULT_DATA
    """Folder where everything embedded lives, and the recovery of the flows."""
    log: str = ""
    """`sqlite:///folder/` or `kafka://host:port`; empty = the SQLite log in DATA/log."""
    clock: Literal["live", "stream"] = "live"
    """`stream`: a replay; time comes from the recorded arrivals and from no clock."""
    demo: bool = False
    """The gateway hands out tokens itself; loopback only."""
    gateway: GatewaySettings = GatewaySettings()
    flow: FlowSettings = FlowSettings()
    source: str = ""
    """Where the settings came from, for people; not a setting."""

    @property
    def folder(self) -> Path:
        """DATA, absolute."""
        return Path(self.data).expanduser().absolute()

    @property
    def log_url(self) -> str:
        """Address of the log."""
        return self.log or sqlite_url(self.folder / "log")

    def recovery(self, flow: str) -> Path:
        """Recovery folder of a flow."""
        return self.folder / "recovery" / flow

    @property
    def script_file(self) -> Path:
        """File in which a demo's ward says what will happen, for the board."""
        return self.folder / "script.json"

    def health(self, flow: str) -> Path:
        """File in which a flow says each second how it goes."""
        return self.folder / "health" / f"{flow}.json"


ENVIRONMENT: dict[str, str] = {
    "NADI_DATA": "data",
    "NADI_LOG": "log",
    "NADI_CLOCK": "clock",
    "NADI_DEMO": "demo",
    "NADI_HOST": "gateway.host",
    "NADI_PORT": "gateway.port",
    "NADI_TLS_IN_FRONT": "gateway.tls_in_front",
    "NADI_TOKEN_SECRET_FILE": "gateway.token_secret_file",
    "NADI_JWKS": "gateway.jwks",
    "NADI_ISSUER": "gateway.issuer",
    "NADI_AUDIENCE": "gateway.audience",
    "NADI_TZ": "gateway.tz",
    "NADI_POLL": "flow.poll",
    "NADI_EPOCH_MS": "flow.epoch_ms",
}
"""Variable -> setting. Those of APART are no settings of the file."""
APART = ("NADI_CONFIG", "NADI_TOKEN_SECRET", "NADI_TOKEN", "NADI_SUPERVISOR")
"""The file; the secret itself; a viewer's token (`nadi watch`); the process that started this one and takes it along when it dies."""
FOR_CHECKS = ("NADI_REQUIRE", "NADI_CI_", "NADI_TEST_", "NADI_BENCH_", "NADI_SHARED_DATA")
"""Variables of `make test` and `make bench`: no settings, let pass."""

_ONE_ALGORITHM = 'each key has its one algorithm (the secret HS256, a key set RS256 or ES256) and "none" is never taken: remove this line'
EXPLAINED: dict[str, str] = {
    "gateway.token_secret": "a secret does not belong in this file: set gateway.token_secret_file, or the variable NADI_TOKEN_SECRET",
    "gateway.algorithm": _ONE_ALGORITHM,
    "gateway.algorithms": _ONE_ALGORITHM,
}
"""What people may try, and why it is no setting."""


class _Place:
    """Names where a setting was said: file and line, variable, or option."""

    def __init__(self, file: Path | None, text: str) -> None:
        self._file, self._text = file, text
        self.over: dict[str, str] = {}
        """Setting -> the variable or option that says it instead of the file."""

    def refuse(self, key: str, why: str) -> NoReturn:
        msg = f"{self.of(key)}: {why}"
        raise SettingsError(msg)

    def of(self, key: str) -> str:
        if key in self.over:
            return self.over[key]
        if self._file is None:
            return key
        return f"{self._file}:{line_of(self._text, tuple(key.split('.')))}"


def load(
    environ: Mapping[str, str], config: str | None = None, overrides: Mapping[str, object] | None = None, cwd: Path | None = None
) -> Settings:
    """The settings of this process, checked.

    `config`: the file that `--config` named; else NADI_CONFIG, else `nadi.toml` of the working directory if there is one.
    `overrides`: dotted setting -> value of the command line; None values are left out. Raises SettingsError.
    """
    named = config or environ.get("NADI_CONFIG")
    file = Path(named) if named else (cwd or Path()) / CONFIG_NAME
    text = _read(file, named is not None)
    place = _Place(file if text is not None else None, text or "")
    tree = _parse(file, text) if text is not None else {}
    _unknown(tree, Settings, (), place)
    for name, value in _variables(environ).items():
        _put(tree, ENVIRONMENT[name], _literal(value))
        place.over[ENVIRONMENT[name]] = name
    for key, given in (overrides or {}).items():
        if given is not None:
            _put(tree, key, given)
            place.over[key] = "--" + key.rsplit(".", maxsplit=1)[-1].replace("_", "-")
    settings = _typed(tree, place)
    _safe(settings, environ, place)
    return msgspec.structs.replace(settings, source=str(file) if text is not None else "defaults")


def _read(file: Path, must: bool) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        if not must:
            return None
        msg = f"{file}: no such settings file"
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{file}: cannot read the settings: {error}"
    raise SettingsError(msg)


def _parse(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, where = str(error).partition(" (at ")
        line = where.removeprefix("line ").partition(",")[0]
        msg = f"{file}:{line if line.isdigit() else len(text.splitlines())}: not TOML: {what}"
        raise SettingsError(msg) from None


def _unknown(tree: Mapping[str, Any], struct: type[msgspec.Struct], path: tuple[str, ...], place: _Place) -> None:
    """Refuses keys that are no settings, with the nearest one that is."""
    fields = {f.name: f.type for f in msgspec.structs.fields(struct) if f.name != "source"}
    for name, value in tree.items():
        key = ".".join((*path, name))
        if name in fields:
            below = fields[name]
            if isinstance(below, type) and issubclass(below, msgspec.Struct) and isinstance(value, dict):
                _unknown(value, below, (*path, name), place)
            continue
        if key in EXPLAINED:
            place.refuse(key, EXPLAINED[key])
        while isinstance(value, dict) and value:  # of a whole unknown table its first setting tells more
            name, value = next(iter(value.items()))
            key = f"{key}.{name}"
        near = difflib.get_close_matches(key, names(), 1, 0.6)
        place.refuse(key, f'unknown setting "{key}"' + (f'; did you mean "{near[0]}"?' if near else f"; there are: {', '.join(names())}"))


def names() -> list[str]:
    """All settings, dotted, in the order of the structs."""
    found = []
    for field in msgspec.structs.fields(Settings):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            found += [f"{field.name}.{f.name}" for f in msgspec.structs.fields(field.type)]
        elif field.name != "source":
            found.append(field.name)
    return found


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    known = [*ENVIRONMENT, *APART]
    for name in environ:
        if name.startswith("NADI_") and name not in known and not name.startswith(FOR_CHECKS):
            near = difflib.get_close_matches(name, known, 1, 0.6)
            msg = f"environment: unknown setting {name}" + (f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}")
            raise SettingsError(msg)
    return {name: environ[name] for name in ENVIRONMENT if environ.get(name)}


def _literal(text: str) -> object:
    """A variable's text as a value: numbers and true/false as TOML writes them, all else as text."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return int(text) if text.isascii() and text.isdigit() else text


def _put(tree: dict[str, Any], key: str, value: object) -> None:
    *tables, name = key.split(".")
    for table in tables:
        tree = tree.setdefault(table, {})
    tree[name] = value


def _typed(tree: dict[str, Any], place: _Place) -> Settings:
    try:
        return msgspec.convert(tree, Settings)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        key = where.rstrip("`").partition("[")[0]
        return place.refuse(key, f"{key}: {what[0].lower()}{what[1:]}")


def _safe(settings: Settings, environ: Mapping[str, str], place: _Place) -> None:
    """Refuses what would start and harm."""
    gateway = settings.gateway
    try:
        _check_log(settings.log_url)
    except LogError as error:
        place.refuse("log", str(error))
    if settings.folder.exists() and not settings.folder.is_dir():
        place.refuse("data", f"{settings.folder} is no folder")
    if not is_loopback(gateway.host) and not gateway.tls_in_front:
        place.refuse(
            "gateway.host",
            f"{gateway.host} is reachable from other machines, and the gateway speaks no TLS: put a proxy that does in front "
            "and say gateway.tls_in_front = true, or listen on 127.0.0.1",
        )
    if settings.demo and not is_loopback(gateway.host):
        place.refuse("gateway.host", f"the demo gives tokens away, so it listens on 127.0.0.1 only, not on {gateway.host}")
    if gateway.jwks.startswith("http://"):
        place.refuse("gateway.jwks", "a key set comes by https, or from a file: who can change it on the way can sign any token")
    if gateway.jwks and (gateway.token_secret_file or environ.get("NADI_TOKEN_SECRET")):
        place.refuse("gateway.jwks", "a key set and a token secret are both set: keep one")
    if gateway.jwks and settings.demo:
        place.refuse("gateway.jwks", "the demo signs its tokens itself and takes no key set")


def check(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """The same settings, if they are safe: for those that an option has changed after `load`. Raises SettingsError."""
    _safe(settings, environ, _Place(None, ""))
    return settings


def _check_log(url: str) -> None:
    from sinks.log import sqlite_folder

    if url.startswith("sqlite:///"):
        sqlite_folder(url)
    elif not url.startswith("kafka://") or not url.removeprefix("kafka://").strip("/"):
        msg = f"{url!r} is not the address of a log: give kafka://host:port[,host:port] or sqlite:///folder/"
        raise LogError(msg)
