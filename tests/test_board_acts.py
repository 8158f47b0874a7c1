"""What a person does on the board, from the press to the event that is back from the log: never optimistic, always undoable, always told."""

from __future__ import annotations

import re
import uuid

import pytest
from playwright.sync_api import expect

from schemas.facts import Command
from tests.support.board import Open, Ward, Wire
from tests.support.browser import Board
from tests.support.scene_beds import ACVPU, DBP, FLOW, HR, OXYGEN, SBP, SPO2, TEMP

pytest_plugins = ["tests.support.board_fixtures"]
pytestmark = pytest.mark.browser


def asked(board: Board, ward: Ward, n: int = 1) -> Command:
    """Waits for the n-th command on the log."""
    board.until(lambda: len(ward.commands()) >= n, f"command {n}")
    assert len(ward.commands()) == n
    return ward.commands()[n - 1]


def alert_of(ward: Ward, bed: str) -> str:
    return ward.scene.raised[bed].alert or ""


def press(board: Board, alert: str, label: str) -> None:
    """Presses the button of a card, which must say `label`."""
    button = board.card(alert).locator(".act")
    expect(button).to_have_text(label)
    button.click()


def test_i_have_it_from_press_to_event(ward: Ward, screen: Open) -> None:
    board, other = screen(ward.gateway.http), screen(ward.gateway.http, "n-02")
    alert = alert_of(ward, "07")
    press(board, alert, "I have it")
    card = board.card(alert)
    expect(card.locator(".act")).to_have_text("Sending…")
    command = asked(board, ward)
    assert (command.kind, command.alert, command.patient, command.by, command.role, command.origin) == (
        "acknowledge",
        alert,
        "p-07",
        "n-01",
        "nurse",
        "board",
    )
    # The log has it, nothing came back: nobody has the alert, and a second press sends nothing.
    board.until(lambda: board.page.evaluate("Object.values(document.querySelector('nadi-app').state.commands)[0].taken"), "taken")
    expect(card.locator(".act")).to_have_text("Sending…")
    expect(card.locator(".owner-row .owner")).to_have_text("No owner yet")
    expect(board.page.locator(".unowned").first).to_have_text("4 unowned")
    card.locator(".act").click(force=True)
    assert len(ward.commands()) == 1
    ward.answer(command)
    expect(card.locator(".owner-row .owner")).to_have_text("N.A.")
    expect(board.page.locator(".unowned").first).to_have_text("3 unowned")
    expect(board.tile("07").locator(".owner")).to_have_text("N.A.")
    expect(other.card(alert).locator(".owner-row .owner")).to_have_text("N.A.")
    expect(other.card(alert).locator(".act")).to_be_hidden()


def test_undo_within_ten_seconds_then_give_back(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http)
    alert = alert_of(ward, "14")
    press(board, alert, "I have it")
    ward.answer(asked(board, ward))
    undo = board.card(alert).locator(".act")
    expect(undo).to_have_text(re.compile(r"^Undo 0:\d\d$"))
    board.page.keyboard.press("u")
    command = asked(board, ward, 2)
    assert (command.kind, command.alert) == ("unacknowledge", alert)
    ward.answer(command)
    expect(board.card(alert).locator(".owner-row .owner")).to_have_text("No owner yet")
    press(board, alert, "I have it")
    ward.answer(asked(board, ward, 3))
    expect(undo).to_have_text(re.compile("^Undo"))
    board.page.mouse.move(300, 300)
    board.page.evaluate("document.activeElement.blur()")
    expect(board.card(alert)).to_have_attribute("data-size", "line", timeout=15_000)  # ten seconds later
    expect(undo).to_be_hidden()
    board.card(alert).locator(".why").click()
    board.page.locator(".panel .plain", has_text="Give back").click()
    command = asked(board, ward, 4)
    assert command.kind == "unacknowledge"
    ward.answer(command)
    expect(board.card(alert).locator(".owner-row .owner")).to_have_text("No owner yet")


def test_two_press_at_once_one_owner_the_other_is_told_by_whom(ward: Ward, screen: Open) -> None:
    first, second = screen(ward.gateway.http), screen(ward.gateway.http, "n-02")
    alert = alert_of(ward, "07")
    press(first, alert, "I have it")
    won = asked(first, ward)
    press(second, alert, "I have it")
    lost = asked(second, ward, 2)
    ward.answer(won)
    ward.answer(lost)
    for board in (first, second):
        expect(board.card(alert).locator(".owner-row .owner")).to_have_text("N.A.")
    expect(second.card(alert).locator(".card-note")).to_have_text(re.compile(r"^Not done: N\.A\. has it since 17:5\d:\d\d$"))
    expect(first.card(alert).locator(".card-note")).to_be_hidden()


def test_seen_closes_a_recovered_alert(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http)
    alert = alert_of(ward, "11")
    press(board, alert, "Seen")
    ward.answer(asked(board, ward))
    board.page.mouse.move(300, 300)
    expect(board.tile("11").locator(".tile")).to_have_attribute("data-state", "quiet")
    board.page.evaluate("document.activeElement.blur()")
    expect(board.card(alert)).to_have_count(0)
    expect(board.page.locator(".count-warn b")).to_have_text("2")


def test_a_command_in_the_gap_is_sent_again_under_its_id(ward: Ward, wire: Wire, screen: Open) -> None:
    board = screen(wire.http)
    alert = alert_of(ward, "07")
    wire.hold()
    press(board, alert, "I have it")
    expect(board.card(alert).locator(".act")).to_have_text("Sending…")
    wire.cut()
    board.link("lost")
    wire.mend()
    board.link("live")
    command = asked(board, ward)
    expect(board.card(alert).locator(".act")).to_have_text("Sending…")
    ward.answer(command)
    expect(board.card(alert).locator(".owner-row .owner")).to_have_text("N.A.")


def test_a_viewer_looks_and_cannot_act(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http, "v-01", "viewer")
    expect(board.card(alert_of(ward, "07"))).to_be_visible()
    assert board.page.locator(".card .act:visible").count() == 0
    board.tile("07").locator(".tile").click()
    expect(board.page.locator(".record .dim")).to_have_text("Your role may look, not record.")
    expect(board.page.locator(".observe")).to_be_hidden()
    forged = "({ id }) => document.querySelector('nadi-app').line.send({ t: 'cmd', id, kind: 'acknowledge', patient: 'p-07', alert: 'a'.repeat(32) })"
    board.page.evaluate(forged, {"id": str(uuid.UUID(int=7))})
    board.until(lambda: ward.gateway.metric("commands_refused") >= 1, "the refusal")
    assert ward.commands() == []


def test_why_tells_rule_inputs_limit_whose_quiet_if_and_course(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http)
    board.card(alert_of(ward, "07")).locator(".why").click()
    panel = board.page.locator(".panel")
    expect(panel.locator(".panel-title")).to_be_focused()
    text = panel.inner_text()
    for part in (
        "CRITICAL NEWS2 9",
        "NEWS2 (Royal College of Physicians, 2017), version 1",
        "24 /min",
        "98 mmHg",
        "39.2 °C",
        "2 points",
        "age 1 s",
        "below 5 with no single 3",
        "7 or more: CRITICAL",
        "raised: 9",
    ):
        assert part in text
    assert panel.locator(".inputs tr").count() == 7
    board.page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(board.card(alert_of(ward, "07")).locator(".why")).to_be_focused()
    board.card(alert_of(ward, "08")).locator(".why").click()
    text = panel.inner_text()
    for part in (
        "> 120 /min after 15 s",
        "this patient's own, set by d-02",
        "clears at 125 /min for 30 s",
        "not > 120 within 15 s",
        "N.A. has it",
    ):
        assert part in text
    now = ward.scene.now()
    ward.scene.next(ward.scene.raised["08"], "worsened", now, priority="high", owner=None, value=140, worst=140)
    expect(panel).to_contain_text("became worse: 140")
    expect(panel.locator(".why-head .word")).to_have_text("CRITICAL")


def test_why_of_an_alert_raised_before_this_page_says_what_it_does_not_hold(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http)
    board.page.evaluate("const app = document.querySelector('nadi-app'); app.state = { ...app.state, course: {} };")
    board.card(alert_of(ward, "14")).locator(".why").click()
    expect(board.page.locator(".panel")).to_contain_text("The judgement was made before this page opened")
    expect(board.page.locator(".panel")).to_contain_text("Raised at 92 mmHg")


def fill(board: Board, values: dict[str, str]) -> None:
    for code, text in values.items():
        board.page.locator(f"#observe-{code}").fill(text)


def test_the_form_records_consciousness_oxygen_and_manual_readings(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http)
    board.tile("07").locator(".tile").focus()
    board.page.keyboard.press("o")
    expect(board.page.locator(".panel-title")).to_have_text("Bed 07 S.R. 67 M")
    expect(board.page.locator(f"#observe-{ACVPU}-none")).to_be_focused()
    board.page.locator(f"#observe-{ACVPU}-V").check()
    fill(board, {SBP: "101", DBP: "58", TEMP: "38,9", FLOW: "4"})
    board.page.locator("#observe-minutes").fill("5")
    record = board.page.locator(".observe .act")
    record.click()
    expect(record).to_have_text("Sending…")
    expect(board.page.locator(".form-status")).to_have_text("Sending…")
    command = asked(board, ward)
    assert (command.kind, command.patient, command.by) == ("observe", "p-07", "n-01")
    said = [(r.code, r.coded if r.coded is not None else (r.value, r.unit)) for r in command.readings]
    assert said == [
        (ACVPU, "V"),
        (OXYGEN, "oxygen"),
        (SBP, (101, "mm[Hg]")),
        (DBP, (58, "mm[Hg]")),
        (TEMP, (38.9, "Cel")),
        (FLOW, (4, "L/min")),
    ]
    assert command.at_ms is not None
    assert abs(ward.scene.now() - 300_000 - command.at_ms) < 60_000
    ward.answer(command)
    expect(board.page.locator(".form-status")).to_have_text(re.compile(r"^Recorded 17:5\d:\d\d$"))
    expect(board.page.locator(f"#observe-{SBP}")).to_have_value("")
    expect(record).to_have_text("Record")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "Enter at least one value."),
        ({SPO2: "101"}, "SpO₂ must be between 1 and 100"),
        ({HR: "abc"}, "HR must be between 1 and 350"),
        ({SBP: "120"}, "Enter both blood pressures."),
        ({SBP: "80", DBP: "90"}, "Systolic must be above diastolic."),
    ],
)
def test_the_form_says_what_is_wrong_and_sends_nothing(shown: Ward, still: Board, values: dict[str, str], told: str) -> None:
    board = still
    board.page.keyboard.press("Escape")
    board.tile("01").locator(".tile").click()
    fill(board, values)
    board.page.locator(".observe .act").click()
    expect(board.page.locator(".form-status")).to_have_text(told)
    if values:
        assert board.page.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true"
    assert shown.commands() == []


def test_a_refused_observation_keeps_what_was_entered(ward: Ward, screen: Open) -> None:
    board = screen(ward.gateway.http)
    board.tile("01").locator(".tile").click()
    fill(board, {TEMP: "37.5"})
    board.page.locator(".observe .act").click()
    ward.refuse(asked(board, ward), "unknown_patient")
    expect(board.page.locator(".form-status")).to_have_text("Not done: no such patient here")
    expect(board.page.locator(f"#observe-{TEMP}")).to_have_value("37.5")
