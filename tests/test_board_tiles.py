"""Each tile state that exists, seen on the real board: edge, header, value, footer, and what a screen reader hears."""

from __future__ import annotations

import msgspec
import pytest
from playwright.sync_api import expect

from schemas.events import DeviceState, Evidence, PatientFrame, Score, Vital
from tests.support.board import Open, Ward
from tests.support.browser import Board
from tests.support.scene import limit_evidence
from tests.support.scene_beds import DBP, GLU, HR, RR, SBP, SPO2, TEMP

pytest_plugins = ["tests.support.board_fixtures"]
pytestmark = pytest.mark.browser
DASHES = "– –"
MIND = "mind"


@pytest.fixture
def board(still: Board) -> Board:
    return still


def looks(board: Board, bed: str) -> tuple[str | None, str | None]:
    """(look, state) of a tile."""
    tile = board.tile(bed).locator(".tile")
    return tile.get_attribute("data-look"), tile.get_attribute("data-state")


def value(board: Board, bed: str, code: str) -> str:
    return str(board.cell(bed, code).locator(".number").inner_text())


def foot(board: Board, bed: str) -> str:
    return " ".join(str(board.tile(bed).locator(".tile-foot").inner_text()).split())


def test_normal_is_grey_with_values_units_and_ages(board: Board) -> None:
    assert looks(board, "01") == ("plain", "quiet")
    assert [value(board, "01", code) for code in (HR, SPO2, RR, SBP, TEMP, MIND)] == ["76", "98", "15", "124/78", "36.8", "A · Air"]
    units = [board.cell("01", code).locator(".unit").inner_text() for code in (HR, SPO2, RR, SBP, TEMP)]
    assert units == ["/min", "%", "/min", "mmHg", "°C"]
    ages = [board.cell("01", code).locator(".age").inner_text() for code in (HR, SBP, TEMP, MIND)]
    assert ages == ["", "22 m", "1 h", "40 m"]
    assert board.cell("01", HR).locator(".points").inner_text() == ""
    expect(board.tile("01").locator(".badge")).to_have_text("NEWS20")
    expect(board.tile("01").locator(".tile-foot .right")).to_have_text("1 s")
    assert "Last obs 17:29" in foot(board, "01")
    colours = (
        board.tile("01")
        .locator(".tile")
        .evaluate(
            "tile => [tile, ...tile.querySelectorAll('*')].map(n => getComputedStyle(n).backgroundColor)"
            ".filter(c => { const [r, g, b, a] = c.match(/[\\d.]+/g).map(Number); return a !== 0 && Math.max(r, g, b) - Math.min(r, g, b) > 16; })"
        )
    )
    assert colours == []


def test_the_order_of_beds_is_the_wards_own_and_an_empty_bed_keeps_its_place(board: Board) -> None:
    beds = board.page.locator("nadi-tile .tile-head .bed").all_inner_texts()
    assert beds == [f"{n:02d}" for n in range(1, 17)]
    assert looks(board, "09") == ("empty", "empty")
    expect(board.tile("09").locator(".tile-empty")).to_be_visible()
    expect(board.tile("09").locator(".cell").first).to_be_hidden()


def test_subscores_and_arrows_show_a_watched_patient(board: Board) -> None:
    assert looks(board, "13") == ("plain", "quiet")
    assert board.cell("13", HR).locator(".points").inner_text() == "1"
    assert board.cell("13", RR).locator(".points").inner_text() == "2"
    expect(board.cell("07", HR).locator(".icon-rising")).to_be_visible()
    expect(board.cell("01", HR).locator(".value .icon")).to_be_hidden()


def test_critical_unowned(board: Board) -> None:
    assert looks(board, "07") == ("crit", "unowned")
    assert foot(board, "07").startswith("CRITICAL NEWS2 9")
    assert "No owner yet" in foot(board, "07")
    expect(board.tile("07").locator(".tile-foot .icon-critical")).to_be_visible()
    head = board.tile("07").locator(".tile-head")
    assert head.evaluate("n => getComputedStyle(n).backgroundColor") == "rgb(181, 0, 26)"
    assert board.tile("07").locator(".tile-head .bed").evaluate("n => getComputedStyle(n).animationName") == "flash"
    assert board.cell("07", HR).locator(".points").evaluate("n => getComputedStyle(n).backgroundColor") == "rgb(255, 206, 134)"
    assert board.tile("07").locator(".badge").get_attribute("data-high") == ""


def test_warning_unowned_fills_its_culprit(board: Board) -> None:
    assert looks(board, "14") == ("warn", "unowned")
    assert foot(board, "14").startswith("WARNING BP 92/54")
    assert board.cell("14", SBP).get_attribute("data-mark") == "warn fill"
    assert board.cell("14", HR).get_attribute("data-mark") is None
    expect(board.tile("14").locator(".tile-foot .icon-warning")).to_be_visible()


def test_warning_owned_is_a_bar_an_outline_and_a_name(board: Board) -> None:
    assert looks(board, "08") == ("warn", "owned")
    assert board.cell("08", HR).get_attribute("data-mark") == "warn outline"
    assert foot(board, "08").startswith("WARNING HR 128 > 120")
    expect(board.tile("08").locator(".tile-foot .owner")).to_have_text("N.A.")
    assert board.tile("08").locator(".tile-head").evaluate("n => getComputedStyle(n).backgroundColor") == "rgba(0, 0, 0, 0)"
    assert board.tile("08").locator(".tile").evaluate("n => getComputedStyle(n).borderTopWidth") == "5px"


def test_latched_has_stripes_and_the_worst_value(board: Board) -> None:
    assert looks(board, "11") == ("warn", "latched")
    assert foot(board, "11") == "SpO₂ 86 17:28–17:33 · Recovered, not acknowledged"
    assert "repeating-linear-gradient" in board.tile("11").locator(".tile-head").evaluate("n => getComputedStyle(n).backgroundImage")
    expect(board.tile("11").locator(".tile-foot .icon-latched")).to_be_visible()


def test_probe_off_takes_the_number_and_its_points_away(board: Board) -> None:
    assert looks(board, "05") == ("tech", "unowned")
    assert value(board, "05", SPO2) == DASHES
    assert board.cell("05", SPO2).locator(".last").inner_text() == "last 96 % at 17:47"
    assert value(board, "05", HR) == "101"
    assert foot(board, "05").startswith("DEVICE SpO₂ probe off")
    badge = board.tile("05").locator(".badge")
    assert "".join(badge.inner_text().split()) == "NEWS2⩾26of7"
    assert badge.get_attribute("title") == "Missing: SpO₂"
    assert badge.get_attribute("data-dashed") == ""


def test_silence_takes_every_live_number_and_leaves_spot_values_with_their_age(board: Board) -> None:
    assert looks(board, "10") == ("tech", "unowned")
    assert [value(board, "10", code) for code in (HR, SPO2, RR)] == [DASHES] * 3
    assert board.cell("10", HR).locator(".last").inner_text() == "last 91 at 17:37"
    assert value(board, "10", SBP) == "128/72"
    assert board.cell("10", SBP).locator(".age").inner_text() == "34 m"
    assert foot(board, "10") == "DEVICE No data 14 min K.L."
    assert board.tile("10").locator(".badge").get_attribute("title") == "Missing: respiration rate, SpO₂, heart rate"


def test_waiting_for_first_data_is_dashes_on_hatching(board: Board) -> None:
    assert looks(board, "16") == ("tech", "unowned")
    for code in (HR, SPO2, RR):
        assert value(board, "16", code) == DASHES
        expect(board.cell("16", code).locator(".spark-gap")).to_be_visible()
    assert foot(board, "16").startswith("DEVICE Waiting for first data 4 min")


def test_scale_2_and_isolation_are_tags(board: Board) -> None:
    expect(board.tile("04").locator(".tag-s2")).to_have_text("S2")
    assert value(board, "04", MIND) == "A · 2 L/min"
    expect(board.tile("06").locator(".tag-isolation")).to_have_text("A")
    assert board.tile("06").locator(".tag-isolation").get_attribute("title") == "Isolation airborne"


def test_glucose_takes_the_last_cell(board: Board) -> None:
    assert value(board, "15", GLU) == "6.2"
    assert board.cell("15", GLU).locator(".age").inner_text() == "3 m"


def test_sparklines_are_drawn_from_the_medians(board: Board) -> None:
    line = board.cell("01", HR).locator(".spark-line").get_attribute("d")
    assert line is not None
    assert line.count("L") > 100
    assert board.cell("01", HR).locator(".spark-out").get_attribute("d") == ""
    assert board.cell("08", HR).locator(".spark-out").get_attribute("d") != ""  # above its limit since 20 minutes
    assert board.cell("01", HR).locator(".spark-gap").count() == 0


def test_a_tile_is_a_link_in_a_list_whose_name_is_built_when_it_gets_the_focus(board: Board) -> None:
    tile = board.tile("07").locator("a.tile")
    tile.focus()
    name = str(tile.get_attribute("aria-label"))
    assert name.startswith("Bed 07, S.R., CRITICAL NEWS2 9, ")
    for part in ("No owner yet", "NEWS2 9", "HR 118 /min", "BP 98/54 mmHg 4 m old", "SpO₂ 94 %"):
        assert part in name
    board.tile("10").locator("a.tile").focus()
    assert "HR – /min last 91 at 17:37" in str(board.tile("10").locator("a.tile").get_attribute("aria-label"))
    assert board.page.locator("ul.beds > li").count() == 16


def test_heights_are_the_same_in_all_states(board: Board) -> None:
    boxes = board.page.locator("nadi-tile").evaluate_all("tiles => tiles.map(t => Math.round(t.getBoundingClientRect().height))")
    assert set(boxes) == {237}
    bodies = board.page.locator('nadi-tile .tile:not([data-state="empty"]) .tile-body').evaluate_all(
        "all => all.map(b => { const tile = b.closest('nadi-tile').getBoundingClientRect(); const own = b.getBoundingClientRect();"
        " return `${Math.round(own.top - tile.top)} ${Math.round(own.height)}`; })"
    )
    assert set(bodies) == {"37 169"}


def test_nothing_is_clipped(board: Board) -> None:
    """No text of a tile or card is wider than its place, except notes that may yield."""
    wide = board.page.evaluate(
        "[...document.querySelectorAll('nadi-tile .number, nadi-tile .label, nadi-tile .word, nadi-tile .what, nadi-tile .badge, .card .word, .card .title, .act, .pill')]"
        ".filter(n => n.offsetParent && n.scrollWidth > n.clientWidth + 1 && getComputedStyle(n).display !== 'inline').map(n => n.className + ' ' + n.textContent)"
    )
    assert wide == []
    outside = board.page.evaluate(
        "[...document.querySelectorAll('nadi-tile .cell')].flatMap(c => { const box = c.getBoundingClientRect();"
        " return [...c.querySelectorAll('.number, .label, .age, .points, .last')].filter(n => n.textContent && n.getBoundingClientRect().right > box.right + 1)"
        ".map(n => n.className + ' ' + n.textContent); })"
    )
    assert outside == []


def test_states_that_come_one_after_the_other(ward: Ward, screen: Open) -> None:
    """Not judged, a score that cannot be, owned CRITICAL, two alerts of one bed: the one that needs a person leads."""
    board = screen(ward.gateway.http)
    scene = ward.scene
    scene.alert("01", 5, Evidence(reason="late"), kind="not_judged", priority="technical", device="mon-01")
    expect(board.tile("01").locator(".what")).to_have_text("Not judged: clock or link")
    assert looks(board, "01") == ("tech", "unowned")

    frame = msgspec.structs.replace(scene.patients["p-02"], age_years=None, score=Score(none="age unknown"))
    scene.admit(frame)
    scene.delta(frame)
    expect(board.tile("02").locator(".badge-part")).to_have_text("no score: age unknown")
    expect(board.tile("02").locator(".who")).to_have_text("F")

    low = scene.alert(
        "12",
        3,
        limit_evidence(SPO2, "<", 80, 78, "default"),
        kind="limit",
        priority="high",
        code=SPO2,
        side="low",
        device="mon-12",
        value=78,
    )
    expect(board.tile("12").locator(".word")).to_have_text("CRITICAL")
    assert board.cell("12", SPO2).get_attribute("data-mark") == "crit fill"
    now = scene.now()
    owned = scene.next(low, "acknowledged", now, "n-02", owner="n-02", owner_role="nurse", owned_ms=now)
    expect(board.tile("12").locator(".owner")).to_have_text("K.L.")
    assert looks(board, "12") == ("crit", "owned")
    scene.alert(
        "12",
        1,
        limit_evidence(HR, "<=", 40, 40, "default"),
        kind="limit",
        priority="medium",
        code=HR,
        side="low",
        device="mon-12",
        value=40,
    )
    expect(board.tile("12").locator(".word")).to_have_text("WARNING")
    expect(board.tile("12").locator(".more")).to_have_text("+1")
    scene.next(owned, "worsened", scene.now(), owner=None, owner_role="", owned_ms=None)
    expect(board.tile("12").locator(".word")).to_have_text("CRITICAL")
    assert looks(board, "12") == ("crit", "unowned")


def test_values_move_and_go(ward: Ward, screen: Open) -> None:
    """A delta changes a number; a row without value takes it away at once; an admission fills a bed, a discharge empties it."""
    board = screen(ward.gateway.http)
    scene, now = ward.scene, ward.scene.now()
    scene.patients["p-01"].vitals[HR] = [Vital("mon-01", "monitor", now, now, 141, interval_ms=5000)]
    scene.delta(PatientFrame("p-01", vitals={HR: scene.patients["p-01"].vitals[HR]}))
    expect(board.cell("01", HR).locator(".number")).to_have_text("141")
    gone = Vital("mon-01", "monitor", now + 1, now + 1, None, "zero", 1, 5000, 141, now)
    scene.patients["p-01"].vitals[HR] = [gone]
    scene.delta(PatientFrame("p-01", vitals={HR: [gone]}))
    expect(board.cell("01", HR).locator(".number")).to_have_text(DASHES)
    assert board.cell("01", HR).get_attribute("data-state") == "absent"

    fresh = PatientFrame(
        "p-99", True, "4b", "09", "QQ", 50, "F", devices=[DeviceState("mon-99", "monitor", 5000, now)], score=Score(missing=["pulse"])
    )
    scene.admit(fresh)
    scene.delta(fresh)
    expect(board.tile("09").locator(".initials")).to_have_text("Q.Q.")
    assert [value(board, "09", code) for code in (HR, SBP, DBP) if board.cell("09", code).count()] == [DASHES, DASHES]
    del scene.patients["p-99"]
    scene.delta(PatientFrame("p-99", admitted=False))
    expect(board.tile("09").locator(".tile-empty")).to_be_visible()
