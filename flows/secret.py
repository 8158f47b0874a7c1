"""The secret that signs tokens: from the environment, from a file, or made once in DATA/secret. A weak or readable one is refused."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from flows.settings import Settings, SettingsError
from gateway.config import MIN_SECRET_BYTES

MIN_DISTINCT = 10
"""32 random hex digits have 14 distinct ones on average; a repeated or typed one has few."""
_PLACEHOLDER = re.compile(
    r"change.?me|password|example|placeholder|default|insecure|nadi.?demo|your.?secret|0123456789|abcdefgh", re.IGNORECASE
)


def token_secret(settings: Settings, environ: Mapping[str, str]) -> str | None:
    """The secret, None where a key set is used instead. Raises SettingsError."""
    if settings.gateway.jwks:
        return None
    if given := environ.get("NADI_TOKEN_SECRET"):
        return checked(given, "NADI_TOKEN_SECRET")
    if settings.gateway.token_secret_file:
        return from_file(Path(settings.gateway.token_secret_file).expanduser())
    own = settings.folder / "secret"
    if not own.exists():
        _make(own)
    return from_file(own)


def from_file(file: Path) -> str:
    """The secret in `file`, which only its owner (and group) may read."""
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{file}: cannot read the token secret: {error}"
        raise SettingsError(msg) from None
    if mode & 0o007:
        msg = f"{file}: every user of this machine can read or change the token secret (mode {mode & 0o777:o}): chmod 600 {file}"
        raise SettingsError(msg)
    return checked(text, str(file))


def checked(secret: str, where: str) -> str:
    """The secret itself, if it is one. Raises SettingsError, which never shows it."""
    size = len(secret.encode())
    if size < MIN_SECRET_BYTES:
        msg = f"{where}: a token secret of {size} bytes can be guessed; {MIN_SECRET_BYTES} at least: openssl rand -hex 32"
    elif _PLACEHOLDER.search(secret) or len(set(secret)) < MIN_DISTINCT:
        msg = f"{where}: this token secret is a placeholder that others know or can guess: openssl rand -hex 32"
    else:
        return secret
    raise SettingsError(msg)


def _make(file: Path) -> None:
    """Two processes that start at once agree: the first link wins, and nobody ever reads half a secret."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".secret-{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(secrets.token_hex(32) + "\n")
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
