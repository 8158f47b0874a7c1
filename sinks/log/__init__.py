"""The log behind one interface (`api.py`): `kafka://host:port[,host:port][/namespace]` or `sqlite:///folder/`."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, unquote

from sinks.log.api import Log, LogError

__all__ = ["open_log", "sqlite_folder", "sqlite_url"]

SQLITE = "sqlite:///"
KAFKA = "kafka://"


def open_log(url: str) -> Log:
    """Opens the log that `url` names. Raises LogError (an address that is none), LogUnreachable (no broker answers)."""
    if url.startswith(SQLITE):
        from sinks.log.sqlite import SqliteLog

        return SqliteLog(url, sqlite_folder(url))
    if url.startswith(KAFKA):
        from sinks.log.kafka import KafkaLog  # only here: whoever works embedded need not load librdkafka

        return KafkaLog(url)
    msg = f"{url!r} is not the address of a log: give kafka://host:port[,host:port] or sqlite:///folder/"
    raise LogError(msg)


def sqlite_folder(url: str) -> Path:
    """`sqlite:///.data/log/` is below the working directory (it starts with a dot), all others are absolute: `sqlite:///var/nadi/log/`."""
    rest = unquote(url.removeprefix(SQLITE))
    if rest.strip("/") == "":
        msg = f"{url!r} names no folder: give sqlite:///folder/"
        raise LogError(msg)
    return Path(rest) if rest.startswith(".") else Path("/" + rest.lstrip("/"))


def sqlite_url(folder: Path) -> str:
    """The address of the log in `folder`, made absolute."""
    return f"{SQLITE}{quote(str(folder.absolute()).lstrip('/'))}/"
