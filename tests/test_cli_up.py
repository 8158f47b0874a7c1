"""`nadi up` as a person has it: a live demo, its alerts by the command line, children that die, and ends that leave no process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from flows.children import back_off_s, status_text
from flows.watching import frames
from tests.support.cli import DEADLINE_S, Nadi, child_environment, runner, start, until

pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("up")]


class Up:
    """A running `nadi up --demo`."""

    def __init__(self, data: Path, out: Path, *arguments: str, **environ: str) -> None:
        self.data, self.out = data, out
        self.environ = child_environment(NADI_DATA=str(data), NADI_PORT="0", **environ)
        self.process = start("up", "--demo", *arguments, out=out, environ=self.environ)

    def words(self) -> str:
        return self.out.read_text()

    def said(self, pattern: str) -> re.Match[str]:
        """Waits until it has said this."""

        def look() -> re.Match[str] | None:
            assert self.process.poll() is None or re.search(pattern, self.words()), self.words()
            return re.search(pattern, self.words())

        return until(look, f"{pattern!r} in what nadi up says")

    def pids(self) -> dict[str, int]:
        """Command of each child -> its process."""
        return {" ".join(p.cmdline()[3:5]): p.pid for p in psutil.Process(self.process.pid).children()}

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status after a signal to it alone."""
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One demo for the tests that look at a running one."""
    folder = tmp_path_factory.mktemp("demo")
    up = Up(folder / "data", folder / "out", "--stats")
    yield up
    if up.process.poll() is None:
        up.end()


def address(up: Up) -> str:
    return up.said(r"board: (http://\S+)")[1]


@pytest.fixture
def nadi(demo: Up, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Nadi:
    """Commands beside the running demo, as in another terminal."""
    return runner(capsys, monkeypatch, demo.data)


def test_the_demo_lives_and_says_how_to_see_it(demo: Up) -> None:
    address(demo)
    seconds = float(demo.said(r"first live tile after ([\d.]+) s")[1])
    assert 0 < seconds < 60
    assert "nurse-1 (nurse)" in demo.words()


def test_the_board_is_told_what_will_happen(demo: Up) -> None:
    with urlopen(f"{address(demo)}/api/site", timeout=10) as answer:
        site = json.load(answer)
    assert [u["user"] for u in site["users"]][:1] == ["nurse-1"]
    assert len(site["script"]) >= 4
    assert abs(site["start_ms"] - time.time() * 1000) < 600_000


def test_the_stats_show_every_process(demo: Up) -> None:
    demo.said(r"all\t\t0\t\t\d+\tpeak \d+ MB")
    demo.said(r"monitor\t\d+\t0\t\d+\t\d+\trunning, epoch [\d.]+ s, time [\d.]+ s")
    demo.said(r"gateway\t\d+\t0\t\d+\t\d+\tok")


def test_the_doctor_finds_a_running_demo_well(demo: Up, nadi: Nadi) -> None:
    demo.said("first live tile")

    def well() -> bool:
        return all(f["level"] == "ok" for f in json.loads(nadi("doctor", "--json").out))

    until(well, "a demo in which doctor finds nothing")


def test_a_viewer_sees_the_ward_from_a_key_on(demo: Up, nadi: Nadi) -> None:
    where = address(demo).replace("http", "ws") + "/ws"
    token = nadi("token", "--user", "v", "--role", "viewer", "--wards", "4b").out.strip()
    kinds = []
    for frame in frames(where, token, {"ward": "4b"}, lambda _: None, once=True):
        kinds.append(frame["t"])
        if frame["t"] == "live" and frame["frames"]:
            break
    assert kinds[:2] == ["welcome", "key"]


def test_an_alert_rings_is_explained_and_acknowledged_by_a_named_person(demo: Up, nadi: Nadi) -> None:
    rang = until(lambda: [a for a in json.loads(nadi("alerts", "list", "--json").out) if a["status"] == "active"], "an alert", 120)
    alert = rang[0]["alert"]
    why = nadi("alerts", "why", alert[:8]).out
    assert alert in why
    assert "raised" in why
    assert "cause: " in why
    assert nadi("alerts", "ack", alert[:8], "--by", "nurse-1").status == 0
    mine = next(a for a in json.loads(nadi("alerts", "list", "--all", "--json").out) if a["alert"] == alert)
    assert mine["owner"] == "nurse-1"
    again = nadi("alerts", "ack", alert, "--by", "nurse-2")
    assert (again.status, again.err) == (1, "nadi: refused: owned_by_other\n")
    told = json.loads(nadi("alerts", "why", alert, "--json").out)
    assert [t["event"]["seq"] for t in told] == sorted(t["event"]["seq"] for t in told)
    assert "acknowledged" in [t["event"]["transition"] for t in told]
    assert (
        next(line for line in nadi("alerts", "list", "--all").out.splitlines() if line.startswith(alert[:12])).split("\t")[6] == "nurse-1"
    )


def test_an_id_that_names_no_alert_is_said(demo: Up, nadi: Nadi) -> None:
    demo.said("first live tile")
    assert "no alert has the id 'ffffffffff'" in nadi("alerts", "why", "ffffffffff").err
    assert "is too short" in nadi("alerts", "ack", "ab", "--by", "x").err


def test_a_viewer_without_rights_is_told(demo: Up, nadi: Nadi, monkeypatch: pytest.MonkeyPatch) -> None:
    where = address(demo).replace("http", "ws") + "/ws"
    monkeypatch.setenv("NADI_TOKEN", "not.a.token")
    status, _, err = nadi("watch", "--ward", "4b", "--url", where)
    assert (status, "4500" in err) == (1, True)


def test_a_second_one_on_the_same_folder_is_refused(demo: Up, tmp_path: Path) -> None:
    demo.said("first live tile")
    second = start("up", "--demo", out=tmp_path / "out", environ=demo.environ)
    assert second.wait(30) == 1
    assert f"already up on {demo.data} (process {demo.process.pid})" in (tmp_path / "out").read_text()


def test_a_child_that_is_killed_is_started_again_and_counted(demo: Up) -> None:
    demo.said("first live tile")
    killed = demo.pids()["flow monitor"]
    os.kill(killed, signal.SIGKILL)
    demo.said(r"monitor ended \(killed by SIGKILL\); restart 1 in 0.5 s")
    until(lambda: demo.pids().get("flow monitor", killed) != killed, "another monitor")
    demo.said(r"monitor\t\d+\t1\t\d+\t\d+\trunning")


def test_a_child_that_someone_stops_is_started_again_too(demo: Up) -> None:
    demo.said("first live tile")
    os.kill(demo.pids()["gateway"], signal.SIGTERM)
    demo.said(r"gateway ended \(status 0\); restart 1 in 0.5 s")
    until(lambda: "gateway" in demo.pids(), "another gateway")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_all(tmp_path: Path, number: signal.Signals) -> None:
    up = Up(tmp_path / "data", tmp_path / "out")
    up.said("first live tile")
    children = [psutil.Process(pid) for pid in up.pids().values()]
    assert len(children) == 4
    assert up.end(number) == 0
    assert not [c for c in children if c.is_running()]
    assert up.words().endswith("nadi: ending sim, gateway, monitor, ingest\n")


def test_none_survives_a_kill_of_the_supervisor(tmp_path: Path) -> None:
    up = Up(tmp_path / "data", tmp_path / "out")
    up.said("first live tile")
    children = [psutil.Process(pid) for pid in up.pids().values()]
    up.end(signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert [c for c in alive if c.status() != psutil.STATUS_ZOMBIE] == []
    warm = Up(tmp_path / "data", tmp_path / "out2")
    warm.said("first live tile")
    assert warm.end() == 0


def test_a_child_whose_parent_is_gone_does_not_start(tmp_path: Path) -> None:
    orphan = start("topics", "list", out=tmp_path / "out", environ=child_environment(NADI_SUPERVISOR="1", NADI_DATA=str(tmp_path)))
    assert orphan.wait(DEADLINE_S) == 1
    assert "which started this one, is gone" in (tmp_path / "out").read_text()


def test_a_folder_of_another_log_ends_all_with_its_reason(tmp_path: Path) -> None:
    up = Up(tmp_path / "data", tmp_path / "out")
    up.said("first live tile")
    assert up.end() == 0
    for file in (tmp_path / "data" / "log").glob("timeline.sqlite3*"):
        file.unlink()
    again = Up(tmp_path / "data", tmp_path / "out2")
    assert again.process.wait(DEADLINE_S) == 1
    assert "must not start (see above): ending all" in again.words()
    assert "belongs to another log" in again.words()


def test_simulated_and_real_patients_do_not_mix(tmp_path: Path) -> None:
    (tmp_path / "data" / "log").mkdir(parents=True)
    up = Up(tmp_path / "data", tmp_path / "out")
    assert up.process.wait(DEADLINE_S) == 2
    assert "holds an installation that is no demo" in up.words()
    (tmp_path / "data" / "demo").write_text("")
    real = start("up", out=tmp_path / "out2", environ=up.environ)
    assert real.wait(DEADLINE_S) == 2
    assert "holds the simulated patients of a demo" in (tmp_path / "out2").read_text()


def test_a_port_that_is_taken_is_said_before_anything_starts(demo: Up, tmp_path: Path) -> None:
    port = address(demo).rsplit(":", 1)[1]
    up = Up(tmp_path / "data", tmp_path / "out", "--port", port)
    assert up.process.wait(DEADLINE_S) == 2
    assert f"cannot listen on 127.0.0.1:{port}" in up.words()
    assert not (tmp_path / "data" / "log").exists()


def test_the_demo_ends_well(demo: Up) -> None:
    """Last in this file: the shared demo has gone through all of the above."""
    assert demo.end(signal.SIGINT) == 0
    assert not subprocess.run(["pgrep", "-f", str(demo.data)], capture_output=True, check=False).stdout


def test_the_pauses_grow_to_half_a_minute() -> None:
    assert [back_off_s(n) for n in (0, 1, 2, 5, 6, 7, 500)] == [0.5, 1, 2, 16, 30, 30, 30]
    assert [status_text(s) for s in (0, 1, -9, -200)] == ["status 0", "status 1", "killed by SIGKILL", "killed by signal 200"]
