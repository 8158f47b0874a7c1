"""`nadi alerts`: what is open, who has it, and why it rang."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer

from flows.cli.common import Failed, JsonOption, existing_log, note, print_json, span, table, utc, with_settings
from flows.cli.telling import label_of, number, what
from flows.settings import Settings
from schemas.events import AlertEvent, AlertState, Evidence
from sinks.log.api import Log

ANSWER_S = 10.0
alerts = typer.Typer(help="List, acknowledge, explain alerts.", no_args_is_help=True, rich_markup_mode=None)
AlertArgument = Annotated[str, typer.Argument(metavar="ALERT", help="The alert's id, or its first 6 digits or more.")]


@alerts.command("list")
@with_settings
def list_alerts(
    settings: Settings,
    everything: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    patient: Annotated[str | None, typer.Option(help="Only this patient.", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """Lists the alerts that are open: active, or over but not yet acknowledged (cleared).

    \b
    Examples:
      nadi alerts list
      nadi alerts list --all --patient p-07 --json
    """
    from flows.alertfold import by_urgency, events, fold

    log = existing_log(settings)
    try:
        states = fold(events(log))
    finally:
        log.close()
    chosen = [s for s in by_urgency(states.values()) if (everything or s.status != "closed") and patient in (None, s.patient)]
    if as_json:
        print_json(chosen)
        return
    rows = ((s.alert[:12], s.priority, s.patient, what(s), number(s.worst), s.status, s.owner, utc(s.raised_ms), s.device) for s in chosen)
    table(("alert", "priority", "patient", "what", "worst", "status", "owner", "raised", "device"), rows, "no open alerts")


@alerts.command("ack")
@with_settings
def acknowledge(
    settings: Settings,
    alert: AlertArgument,
    by: Annotated[str, typer.Option(help="Who has it: the person's user name.")],
    role: Annotated[str, typer.Option(help="nurse, doctor or charge.")] = "nurse",
) -> None:
    """Acknowledges an alert in a named person's name, and waits until monitor has answered.

    \b
    Examples:
      nadi alerts ack 3f9c2a1b --by nurse-1
      nadi alerts ack 3f9c2a1b --by doctor-2 --role doctor
    """
    from flows.alertfold import NotOne, events, fold, one

    if role not in ("nurse", "doctor", "charge"):
        raise typer.BadParameter(f"{role!r} may not acknowledge; nurse, doctor or charge", param_hint="--role")
    log = existing_log(settings)
    try:
        states = fold(events(log))
        try:
            state = states[one(states, alert)]
        except NotOne as error:
            raise Failed(str(error)) from None
        answer = _command(log, state, by, role)
    finally:
        log.close()
    if answer is None:
        raise Failed(f"the log has the command, but no answer came in {ANSWER_S:.0f} s: is monitor running? `nadi doctor` tells")
    if answer.transition == "refused":
        raise Failed(f"refused: {answer.evidence.reason if answer.evidence else 'no reason given'}")
    note(f"{answer.transition}: {what(state)} of {state.patient}, by {by}")


def _command(log: Log, state: AlertState, by: str, role: str) -> AlertEvent | None:
    """Appends the command; the event that answers it."""
    import msgspec

    from flows.alertfold import ALERT_TPS, event_of
    from flows.records import wait_for
    from schemas.facts import Command
    from sinks.log.api import Record

    command = Command(str(uuid.uuid4()), "acknowledge", state.patient, by, role, alert=state.alert, origin="cli")
    starts = log.ends(ALERT_TPS)
    writer = log.writer("alerts-ack")
    writer.append("alert-commands", 0, msgspec.json.encode(command), state.patient.encode())
    writer.flush()
    writer.close()

    def answers(record: Record) -> AlertEvent | None:
        event = event_of(record)
        return event if event is not None and event.command == command.id else None

    return wait_for(log, starts, answers, ANSWER_S)


@alerts.command("why")
@with_settings
def why(settings: Settings, alert: AlertArgument, as_json: JsonOption = False) -> None:
    """Tells all that happened to an alert, and what each judgement read.

    \b
    Examples:
      nadi alerts why 3f9c2a1b
      nadi alerts why 3f9c2a1b --json
    """
    from flows.alertfold import NotOne, events, one

    log = existing_log(settings)
    try:
        found = [placed for placed in events(log) if placed.event.alert]
    finally:
        log.close()
    try:
        wanted = one({str(p.event.alert) for p in found}, alert)
    except NotOne as error:
        raise Failed(str(error)) from None
    story = sorted((p for p in found if p.event.alert == wanted), key=lambda p: p.event.seq)
    if as_json:
        print_json([{"partition": p.partition, "offset": p.offset, "event": p.event} for p in story])
        return
    first = story[0].event
    if first.state is not None:
        typer.echo(f"{what(first.state)} of {first.patient}, rule {first.state.rule} version {first.state.rule_version}, alert {wanted}")
    for placed in story:
        for line in told(placed.event):
            typer.echo(line)


def told(event: AlertEvent) -> list[str]:
    """One event in lines for people."""
    state = event.state
    by = f" by {event.by}" if event.by else ""
    lines = ["", f"{utc(event.at_ms)}  {event.transition}{by}" + (f"  ({state.priority}, {state.status})" if state else "")]
    if event.evidence is not None:
        lines += [f"    {line}" for line in _evidence(event.evidence)]
    return [*lines, f"    cause: {event.cause}"]


def _evidence(evidence: Evidence) -> list[str]:
    lines = [_input(i) for i in evidence.inputs]
    if limit := evidence.limit:
        rest = ", ".join(f"{k} {v}" for k, v in limit.items() if k not in ("op", "limit", "unit") and v is not None)
        lines.append(
            f"limit: {limit.get('op')} {limit.get('limit')} {limit.get('unit', '')} ({rest}), {evidence.limit_source or 'default'}"
        )
    if score := evidence.score:
        lines.append("score: " + ", ".join(f"{k} {v}" for k, v in score.items()))
    if evidence.reason:
        lines.append(f"reason: {evidence.reason}" + (f" ({evidence.count})" if evidence.count is not None else ""))
    if evidence.quiet_if:
        lines.append(f"quiet if: {evidence.quiet_if}")
    return lines


def _input(read: dict[str, Any]) -> str:
    code = str(read.get("code", ""))
    age = read.get("age_ms")
    parts = [
        label_of(code),
        number(read.get("value"), code),
        str(read.get("unit") or ""),
        f"measured {utc(t)}" if isinstance(t := read.get("t_ms"), int) else "",
        f"{span(age)} old" if isinstance(age, int | float) else "",
        f"from {read['device']}" if read.get("device") else "",
        f"part {read['part']}" if read.get("part") is not None else "",
    ]
    return " ".join(p for p in parts if p)


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.add_typer(alerts, name="alerts")
