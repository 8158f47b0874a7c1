"""`nadi token` and `nadi watch`: who may look, and what they see."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.common import Failed, Usage, note, with_settings
from flows.settings import Settings

ROLES = ("viewer", "nurse", "doctor", "charge")
MAX_HOURS = 24 * 31
WATCHER_HOURS = 1.0


def _mint(settings: Settings, user: str, role: str, wards: list[str], hours: float) -> str:
    from flows.secret import token_secret
    from gateway.auth import Refused, make_token

    secret = token_secret(settings, os.environ)
    if secret is None:
        raise Usage("tokens come from the identity provider of gateway.jwks, not from here: give one by --token-file or NADI_TOKEN")
    try:
        return make_token(secret, user=user, role=role, wards=wards, now_s=time.time(), lifetime_s=hours * 3600)
    except Refused as error:
        raise Usage(f"no token for user {user!r}, wards {' '.join(wards)!r}: {error.reason}") from None


@with_settings
def token(
    settings: Settings,
    user: Annotated[str, typer.Option(help="Who: a user name; it stands in every acknowledgement.")],
    role: Annotated[str, typer.Option(help="viewer, nurse, doctor or charge.")],
    wards: Annotated[str, typer.Option(help="Wards, with commas between; * for all.")],
    hours: Annotated[float, typer.Option(help="How long it is good for.")] = 8.0,
) -> None:
    """Prints a token for the board's sign-in page and for `nadi watch`, signed with this installation's secret.

    \b
    Examples:
      nadi token --user nurse-1 --role nurse --wards 4b
      nadi token --user registrar --role doctor --wards 4b,icu --hours 12
      NADI_TOKEN=$(nadi token --user screen-1 --role viewer --wards '*' --hours 720) nadi watch
    """
    if role not in ROLES:
        raise typer.BadParameter(f"{role!r}: there are {', '.join(ROLES)}", param_hint="--role")
    if not 0 < hours <= MAX_HOURS:
        raise typer.BadParameter(f"{hours:g}: above 0, at most {MAX_HOURS} (31 days)", param_hint="--hours")
    names = [w.strip() for w in wards.split(",") if w.strip()]
    if not names:
        raise typer.BadParameter("name a ward, or *", param_hint="--wards")
    typer.echo(_mint(settings, user, role, names, hours))


@with_settings
def watch(
    settings: Settings,
    ward: Annotated[str | None, typer.Option(help="Watch a ward.", show_default=False)] = None,
    patient: Annotated[str | None, typer.Option(help="Watch one patient.", show_default=False)] = None,
    values: Annotated[bool, typer.Option("--values", help="Values too, not alerts alone.")] = False,
    url: Annotated[str | None, typer.Option(help="The gateway.", show_default="ws://HOST:PORT/ws of the settings")] = None,
    token_file: Annotated[Path | None, typer.Option("--token-file", help="File with a token.", show_default=False)] = None,
    user: Annotated[str, typer.Option(help="Without a token: sign in as this viewer with the installation's own secret.")] = "watch",
    events: Annotated[int | None, typer.Option(min=1, help="End after so many alert events.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Each frame as it came, a line each.")] = False,
) -> None:
    """Prints what happens on a ward as it happens; comes back after a cut or a restart of the gateway and misses nothing.

    \b
    Examples:
      nadi watch --ward 4b
      nadi watch --patient p-07 --values
      nadi watch --ward 4b --json | jq -c 'select(.t == "ev") | .e'
    """
    from flows.cli.telling import Teller
    from flows.watching import Ended, frames

    if (ward is None) == (patient is None):
        raise Usage("nadi watch: say --ward or --patient, one of them")
    given = _token(token_file)
    wards = [ward] if ward else ["*"]
    token = given or _mint(settings, user, "viewer", wards, WATCHER_HOURS)
    where = url or f"ws://{settings.gateway.host}:{settings.gateway.port}/ws"
    subscription = {"ward": ward} if ward else {"patient": str(patient)}
    seen, teller = 0, Teller(values)
    try:
        for frame in frames(where, token, subscription, note):
            if as_json:
                typer.echo(json.dumps(frame, ensure_ascii=False, separators=(",", ":")))
            else:
                for line in teller.told(frame):
                    typer.echo(line)
            seen += frame.get("t") == "ev"
            if events is not None and seen >= events:
                return
    except Ended as error:
        raise Failed(str(error)) from None


def _token(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get("NADI_TOKEN") or None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"{file}: cannot read the token: {error}") from None


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.command("token", short_help="Print a token to sign in with.")(token)
    app.command("watch", short_help="Follow a ward as things happen.")(watch)
