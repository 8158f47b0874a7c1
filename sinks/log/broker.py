"""A real Apache Kafka on this machine, without a container: one KRaft node on loopback, for development, demonstrations and tests.

`python -m sinks.log.broker [--dir DIR] [--port N]` runs it in the foreground. Its folder is temporary unless one is given.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from sinks.log.broker_config import PROPERTIES, cluster_id, free_port, setting
from sinks.log.broker_install import BrokerFailed, available, default_lib, install
from sinks.log.broker_java import QUICK, ClassArchive, spawn

__all__ = ["BrokerFailed", "LocalKafka", "available", "main"]

READY_S = 120.0
STOP_S = 20.0
ARCHIVE_S = 60.0
"""The first orderly end writes the archive of classes."""
HEAP_MB = 256
SESSION_MS = 6000
ATTEMPTS = 3


class LocalKafka:
    """`with LocalKafka() as kafka: open_log(kafka.url)`. The broker dies with the thread that started it, however that ends."""

    def __init__(
        self, folder: Path | None = None, port: int = 0, heap_mb: int = HEAP_MB, session_ms: int = SESSION_MS, quick: bool = False
    ) -> None:
        """`folder` None = temporary, removed by `close`; `port` 0 = a free one.

        `session_ms`: how long a broker that stands still is not taken for dead, and a start after `kill` waits. `quick`: for a short life.
        """
        self.temporary = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="nadi-kafka-")) if folder is None else folder.absolute()
        self.lib = default_lib().absolute()
        self.heap_mb = heap_mb
        self.session_ms = session_ms
        self._quick = QUICK if quick else ()
        self._archive = ClassArchive(self.lib)
        self._log_from = 0
        self.port = port
        self._port_wanted = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"kafka://{self.bootstrap}"

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def log_file(self) -> Path:
        return self.folder / "broker.log"

    def start(self) -> Self:
        """Installs, formats, starts, waits until the broker answers. A second start keeps folder and ports. Raises BrokerFailed."""
        if self._process is not None:
            return self
        if shutil.which("java") is None:
            msg = str(available(self.lib))
            raise BrokerFailed(msg)
        install(self.lib)
        for attempt in range(1, ATTEMPTS + 1):
            fresh = self._prepare()
            memory = ("-Xms64m", f"-Xmx{self.heap_mb}m")
            options = (*memory, *self._quick, *self._archive.use_or_write())
            self._process = spawn(self.lib, self.folder, options, ("kafka.Kafka", str(self._properties)))
            try:
                self._wait_ready()
            except BrokerFailed:
                self.kill()
                if not fresh or self._port_wanted or not self._port_taken() or attempt == ATTEMPTS:
                    raise
                self.port = 0  # another process took the free port first: choose again
                self._properties.unlink()
                shutil.rmtree(self.folder / "data")
            except BaseException:
                self.kill()
                raise
            else:
                return self
        return self

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Orderly; after `timeout_s` with force."""
        self._end(signal.SIGTERM, ARCHIVE_S if self._archive.wanted else timeout_s)

    def kill(self) -> None:
        """As `kill -9`."""
        self._end(signal.SIGKILL, STOP_S)

    def pause(self) -> None:
        """SIGSTOP: connections stay open and, once this returns, nothing answers."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def resume(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def wait(self, timeout_s: float | None = None) -> int | None:
        """The exit code of the broker, None if it still runs after `timeout_s`."""
        if self._process is None:
            return None
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """Stops the broker and removes its folder if that was temporary."""
        if self.temporary and not self._archive.wanted:
            self.kill()  # nothing of it is kept: no need for an orderly end
        else:
            self.stop()
        if self.temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _prepare(self) -> bool:
        """Configures and, where nothing is yet, formats the folder. True = it was formatted just now."""
        self._configure()
        self._log_from = self.log_file.stat().st_size if self.log_file.exists() else 0
        if (self.folder / "data" / "meta.properties").exists():
            return False
        self._format()
        return True

    def _configure(self) -> None:
        """Writes the properties once: a folder keeps its controller's port, which is part of what it was formatted with."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            controller = setting(self._properties, "controller.quorum.bootstrap.servers", "127.0.0.1:0")
            listeners = setting(self._properties, "advertised.listeners", "PLAINTEXT://127.0.0.1:0")
            self.port = self.port or int(listeners.rsplit(":", 1)[1]) or free_port()
            controller_port = int(controller.rsplit(":", 1)[1]) or free_port()
            values = {"port": self.port, "controller_port": controller_port, "folder": self.folder, "session_ms": self.session_ms}
            self._properties.write_text(PROPERTIES.format(**values).lstrip())
        except OSError as error:
            msg = f"the broker's folder {self.folder} cannot be used: {error.strerror}"
            raise BrokerFailed(msg) from error

    def _format(self) -> None:
        arguments = ("format", "--cluster-id", cluster_id(), "--config", str(self._properties), "--standalone")
        options = ("-Xmx128m", *QUICK, *self._archive.use())
        process = spawn(self.lib, self.folder, options, ("kafka.tools.StorageTool", *arguments))
        if process.wait(READY_S) != 0:
            msg = f"the broker's folder {self.folder} could not be formatted:\n{self._tail()}"
            raise BrokerFailed(msg)

    def _wait_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + READY_S
        admin = AdminClient(
            {"bootstrap.servers": self.bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 100, "reconnect.backoff.ms": 20}
        )
        mine = setting(self.folder / "data" / "meta.properties", "cluster.id", "")
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                answer = admin.describe_cluster(request_timeout=1.0).result(2.0)
            except (KafkaException, TimeoutError):
                continue
            if answer.cluster_id == mine:
                return
            msg = f"another Kafka (cluster {answer.cluster_id}) answers at {self.bootstrap}; choose another port"
            raise BrokerFailed(msg)
        if self._port_taken():
            msg = f"port {self.port} is taken by another program; choose another, or none for a free one"
            raise BrokerFailed(msg)
        state = "did not answer" if self._process.poll() is None else f"ended with {self._process.poll()}"
        msg = f"the broker {state}; the last lines of {self.log_file}:\n{self._tail()}"
        raise BrokerFailed(msg)

    def _said(self) -> list[str]:
        """The lines that the broker wrote since it was started."""
        try:
            return self.log_file.read_bytes()[self._log_from :].decode(errors="replace").splitlines()
        except OSError:
            return []

    def _port_taken(self) -> bool:
        return any("already in use" in line for line in self._said())

    def _tail(self) -> str:
        return "\n".join(self._said()[-8:])

    def _end(self, number: signal.Signals, timeout_s: float) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGCONT)  # a paused one could not answer
        process.send_signal(number)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._archive.keep()


def main(arguments: list[str] | None = None) -> int:
    """Runs a broker until Ctrl-C or SIGTERM. Prints its URL on one line."""
    parser = argparse.ArgumentParser(
        prog="python -m sinks.log.broker", description="A real Apache Kafka on this machine, on loopback only."
    )
    parser.add_argument("--dir", type=Path, help="keep the data in DIR (default: a temporary folder, removed at the end)")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--heap-mb", type=int, default=HEAP_MB, help=f"memory of the broker's heap (default {HEAP_MB})")
    options = parser.parse_args(arguments)
    asked_to_stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked_to_stop.set()

    reason = available()
    if reason is not None:
        print(f"Kafka cannot be started here: {reason}", file=sys.stderr)
        return 1
    kafka = LocalKafka(options.dir, options.port, options.heap_mb)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ask)
    try:
        kafka.start()
        with contextlib.suppress(BrokenPipeError):
            print(kafka.url, flush=True)
        while not asked_to_stop.wait(0.2):
            if kafka.wait(0.0) is not None:
                print(f"the broker ended by itself; see {kafka.log_file}", file=sys.stderr)
                return 1
    except BrokerFailed as error:
        print(f"Kafka did not start: {error}", file=sys.stderr)
        return 1
    finally:
        kafka.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
