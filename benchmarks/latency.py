"""Device -> websocket: ms from the device's stamp to the frame of a limit alert at 200 viewers in 20 wards, while readings flow.

Aims: p50 50 ms, p99 100 ms. A row says the CPU of each process; below 10 % idle it is marked `saturated` and holds no aim.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import psutil

from benchmarks.cost import flow
from benchmarks.measure import WARDS, cpu_s, finish, health, row, start, state_facts, wait_until
from gateway.auth import make_token
from schemas.topics import TOPICS
from sinks.log import open_log
from sinks.log.broker import LocalKafka
from sinks.log.broker_config import free_port

VIEWERS, ALERTS_PER_S = 200, 20
SECONDS = 30.0


def piped(*arguments: str) -> subprocess.Popen[bytes]:
    """A child whose last line is its result."""
    return subprocess.Popen([sys.executable, "-m", "benchmarks.child", *arguments], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)


def ready(address: str) -> bool:
    """The gateway has a key-frame of every shard."""
    try:
        return bool(json.loads(urllib.request.urlopen(f"http://{address}/health", timeout=2).read())["ready"])
    except (OSError, urllib.error.URLError, ValueError, KeyError):
        return False


def tokens(folder: Path) -> Path:
    """A token for each viewer, in a file of this user alone."""
    file = folder / "tokens.json"
    secret = (folder / "secret").read_text().strip()
    made = []
    for i in range(VIEWERS):
        ward = f"w{i % WARDS:02d}"
        made.append([ward, make_token(secret, user=f"viewer-{i}", role="viewer", wards=[ward], now_s=time.time())])
    file.touch(mode=0o600)
    file.write_text(json.dumps(made))
    return file


def run(people: int = 5000, rates: tuple[int, ...] = (1000, 20_000)) -> None:
    """One broker, one row a rate."""
    data = Path(tempfile.mkdtemp(prefix="nadi-bench-"))
    children: list[subprocess.Popen[bytes]] = []
    try:
        with LocalKafka() as kafka:
            log = open_log(kafka.url)
            log.create(TOPICS)
            state_facts(log, people)
            address = f"127.0.0.1:{free_port()}"
            children = [start(*flow("ingest", kafka.url, data)), start(*flow("monitor", kafka.url, data))]
            wait_until("shard time moves", lambda: health(data, "monitor").get("time_ms") is not None)
            children.append(start("flows", "gateway", "--log", kafka.url, "--data", str(data), "--port", address.split(":")[1]))
            wait_until("the gateway is ready", lambda: ready(address))
            for rate in rates:
                _one(kafka, data, address, children, people, rate)
            for child in reversed(children):
                finish(child)
            children = []
            log.close()
    finally:
        for child in children:
            child.kill()
        shutil.rmtree(data, ignore_errors=True)


def _one(kafka: LocalKafka, data: Path, address: str, children: list[subprocess.Popen[bytes]], people: int, rate: int) -> None:
    watching = piped("viewers", f"ws://{address}/ws", str(tokens(data)), str(SECONDS + 10))
    time.sleep(5)  # the viewers sign in before the load begins; nothing is asserted about it
    pids = {"ingest": children[0].pid, "monitor": children[1].pid, "gateway": children[2].pid, "broker": kafka.pid or 0}
    loading = piped("load", kafka.bootstrap, str(people), str(rate), str(SECONDS), str(ALERTS_PER_S))
    pids |= {"viewers": watching.pid, "load": loading.pid}
    before = {name: cpu_s(pid) for name, pid in pids.items()}
    idle = psutil.cpu_times().idle
    began = time.monotonic()
    time.sleep(SECONDS * 0.9)
    wall = time.monotonic() - began
    used = {name: round((cpu_s(pid) - before[name]) / wall, 2) for name, pid in pids.items()}
    idle_share = (psutil.cpu_times().idle - idle) / wall / (os.cpu_count() or 1)
    sent = json.loads(loading.communicate(timeout=120)[0].splitlines()[-1])
    got = np.array(json.loads(watching.communicate(timeout=120)[0].splitlines()[-1])["latencies_ms"])
    row(
        "latency",
        readings_per_s=rate,
        viewers=VIEWERS,
        alerts=sent["alerts"],
        frames=len(got),
        p50_ms=round(float(np.percentile(got, 50)), 1) if len(got) else None,
        p99_ms=round(float(np.percentile(got, 99)), 1) if len(got) else None,
        aim_ms=[50, 100],
        cores=used,
        idle=round(idle_share, 2),
        saturated=idle_share < 0.10,
    )
