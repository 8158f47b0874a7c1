"""`nadi up`, put together: topics, the processes and their environment, and the words to the person in front of it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.request import Request, urlopen

from flows import demo
from flows.children import Child
from flows.running import gateway_config
from flows.settings import ENVIRONMENT, Settings, SettingsError
from flows.supervisor import Supervisor, only_one
from flows.watching import Ended, frames

READY_EVERY_S = 0.1
Say = Callable[[str], None]


def environment(settings: Settings) -> dict[str, str]:
    """The settings as variables: each child reads the same, whatever file and options the supervisor had."""
    said: dict[str, str] = {}
    for name, key in ENVIRONMENT.items():
        value: object = settings
        for part in key.split("."):
            value = getattr(value, part)
        said[name] = str(value).lower() if isinstance(value, bool) else str(value)
    said["NADI_DATA"], said["NADI_LOG"] = str(settings.folder), settings.log_url
    if settings.source != "defaults":
        said["NADI_CONFIG"] = str(Path(settings.source).absolute())
    return said


def children(settings: Settings, people: int = demo.PEOPLE) -> list[Child]:
    """The processes in the order of their start."""
    environ = environment(settings)
    found = [
        Child("ingest", ["flow", "ingest"], environ=environ),
        Child("monitor", ["flow", "monitor"], environ=environ),
        Child("gateway", ["gateway"], environ=environ),
    ]
    if settings.demo:
        arguments = ["sim", "--story", demo.STORY, "--people", str(people), "--ward", demo.WARD]
        found.append(Child("sim", arguments, environ=environ, may_end=True))
    return found


def free_port(host: str, port: int) -> int:
    """`port`, or a free one for 0. Raises SettingsError when something else listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            msg = f"cannot listen on {host}:{port} ({error.strerror}): stop what does, or say another --port (0 takes a free one)"
            raise SettingsError(msg) from None
        return int(probe.getsockname()[1])


def create_topics(settings: Settings) -> list[str]:
    """Makes the topics that are missing. Raises LogError."""
    from schemas.topics import TOPICS
    from sinks.log import open_log

    log = open_log(settings.log_url)
    try:
        return log.create(TOPICS)
    finally:
        log.close()


def run(
    settings: Settings,
    environ: Mapping[str, str],
    say: Say,
    stats: Callable[[Sequence[Child]], None] | None = None,
    people: int = demo.PEOPLE,
) -> int:
    """Starts everything and stays until a signal ends it; returns the exit status. `settings` have their port.

    Raises SettingsError, ConfigError, LogError, AlreadyUp.
    """
    began_s = time.monotonic()
    demo.needs_own_log(settings)
    with only_one(settings.folder):
        demo.mark(settings)
        gateway_config(settings, environ)  # makes the secret before two processes want it; refuses before anything starts
        create_topics(settings)
        settings.script_file.unlink(missing_ok=True)  # of an earlier run: the board would tell an old story
        supervisor = Supervisor(children(settings, people), say, stats)
        news = threading.Thread(target=_greet, args=(settings, say, began_s), name="greeting", daemon=True)
        news.start()
        return supervisor.run()


def address(settings: Settings) -> str:
    """Where the board is."""
    host = settings.gateway.host
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{settings.gateway.port}"


def _greet(settings: Settings, say: Say, began_s: float) -> None:
    """Says where the board is once it answers, in the demo also when the first tile lives."""
    where = address(settings)
    since_ms = now_ms()
    while not _answers(f"{where}/api/site") or (settings.demo and not settings.script_file.exists()):
        time.sleep(READY_EVERY_S)
    say(f"board: {where}")
    if not settings.demo:
        say("sign in with a token: nadi token --user YOU --role nurse --wards '*'")
        return
    say("sign in as: " + ", ".join(f"{u.user} ({u.role})" for u in demo.USERS))
    try:
        for _ in _tiles(where, since_ms):
            say(f"first live tile after {time.monotonic() - began_s:.1f} s")
            break
    except (Ended, OSError, ValueError) as error:
        say(f"no live tile: {error}; `nadi doctor` tells why")
    say(f"in another terminal: nadi watch --ward {demo.WARD}; nadi alerts list; nadi doctor. Ctrl-C ends all")


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _tiles(where: str, since_ms: int) -> Iterator[str]:
    """Patients of the demo's ward who have a value of this run, as their frames come in."""
    asked = Request(
        f"{where}/demo-token",
        data=json.dumps({"user": demo.USERS[-1].user}).encode(),
        headers={"content-type": "application/json", "origin": where},
    )
    with urlopen(asked, timeout=5) as answer:
        token = str(json.load(answer)["token"])
    for frame in frames(f"ws{where.removeprefix('http')}/ws", token, {"ward": demo.WARD}, lambda _: None):
        for patient in [*frame.get("patients", []), *frame.get("frames", [])]:
            slots = [slot for found in (patient.get("vitals") or {}).values() for slot in found]
            if any(slot.get("value") is not None and slot.get("received_ms", 0) >= since_ms for slot in slots):
                yield str(patient["patient"])


def now_ms() -> int:
    """This machine's time, ms since 1970 UTC."""
    return time.time_ns() // 1_000_000
