"""Children of the benchmarks: `python -m benchmarks.child floor|load|viewers ...`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.measure import VITALS, Devices, names
from schemas.readings import Message


def floor(bootstrap: str, count: int) -> None:
    """Consume and decode into columns, nothing else: the floor of pure Python."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    settings = {
        "bootstrap.servers": bootstrap,
        "group.id": "floor",
        "enable.auto.commit": False,
        "fetch.queue.backoff.ms": 2,
        "queued.max.messages.kbytes": 65536,
    }
    consumer = Consumer(settings)
    consumer.assign([TopicPartition("device-readings", p, OFFSET_BEGINNING) for p in range(4)])
    decode = msgspec.json.Decoder(Message).decode
    seen = 0
    while seen < count:
        messages = consumer.consume(5000, 0.05)
        decoded = [decode(m.value() or b"") for m in messages]
        n = len(decoded)
        np.fromiter([m.value or 0.0 for m in decoded], np.float64, n)
        np.fromiter([m.t for m in decoded], np.int64, n)
        seen += n
    consumer.close()


def load(bootstrap: str, people: int, per_s: int, seconds: float, alerts_per_s: int) -> None:
    """Readings at a steady rate, one a message; every so often one patient's SpO2 falls to 75 %, which raises at once."""
    producer = Devices(bootstrap, linger_ms=2)
    devices = [f"m-{name}".encode() for name in names(people)]
    made = np.random.default_rng(3)
    low_until = dict[int, float]()
    began, sent, alerts = time.time(), 0, 0
    while (now := time.time()) < began + seconds:
        t_ms = int(now * 1000)
        while alerts < (now - began) * alerts_per_s:
            i = (alerts * 37) % people
            low_until[i] = now + 2
            alerts += 1
            producer.say(devices[i], "59408-5", 75.0, "%", t_ms)
        due = int((now - began) * per_s) - sent
        for k in range(sent, sent + due):
            i, (loinc, mean, sd, unit) = k % people, VITALS[(k // people) % len(VITALS)]
            if loinc == "59408-5" and low_until.get(i, 0) > now:
                continue
            value = min(100.0, float(round(mean + sd * made.standard_normal())))
            producer.say(devices[i], loinc, max(value, 92.0) if unit == "%" else value, unit, t_ms)
        sent += due
        producer.poll()
        time.sleep(0.004)
    producer.flush()
    print(json.dumps({"sent": sent, "alerts": alerts}), flush=True)


def viewers(address: str, tokens_file: str, seconds: float) -> None:
    """200 viewers: how long from the device's stamp to the frame of each raised limit alert, ms."""
    latencies = asyncio.run(_view(address, json.loads(Path(tokens_file).read_text()), seconds))
    print(json.dumps({"latencies_ms": latencies}), flush=True)


async def _view(address: str, tokens: list[tuple[str, str]], seconds: float) -> list[float]:
    from websockets.asyncio.client import connect

    latencies: list[float] = []

    async def one(ward: str, token: str) -> None:
        async with connect(address, max_size=None, compression=None) as socket:
            await socket.send(json.dumps({"t": "auth", "token": token}))
            await socket.send(json.dumps({"t": "sub", "ward": ward}))
            while True:
                frame = await socket.recv(decode=False)
                now_ms = time.time() * 1000
                if b'"raised"' not in frame[:200] or b'"t":"ev"' not in frame[:40]:
                    continue
                event = json.loads(frame)["e"]
                if event["state"]["rule"] == "limit" and event["cause"].startswith("reading:"):
                    latencies.append(now_ms - int(event["cause"].split(":")[3]))

    tasks = [asyncio.create_task(one(ward, token)) for ward, token in tokens]
    done, _pending = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()
    for task in tasks:
        task.cancel()
    return latencies


def main() -> None:
    """Runs one child."""
    kind, *rest = sys.argv[1:]
    if kind == "floor":
        floor(rest[0], int(rest[1]))
    elif kind == "load":
        load(rest[0], int(rest[1]), int(rest[2]), float(rest[3]), int(rest[4]))
    elif kind == "viewers":
        viewers(rest[0], rest[1], float(rest[2]))


if __name__ == "__main__":
    main()
