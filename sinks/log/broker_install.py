"""Brings Apache Kafka onto this machine: its Maven artifacts (44 MB), once, into a cache folder."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
MAIN_JAR = "kafka_2.13-4.3.1.jar"
INSTALL_S = 600
GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


class BrokerFailed(RuntimeError):
    """The broker cannot be installed or started; the message says why and what to do."""


def default_lib() -> Path:
    """`.kafka/lib` of the project; of an installed package, the user's cache."""
    project = Path(__file__).resolve().parents[2]
    return project / ".kafka" / "lib" if (project / "pyproject.toml").exists() else Path.home() / ".cache" / "nadi" / "kafka" / "lib"


def available(lib: Path | None = None) -> str | None:
    """None if a broker can be started here (installs it if need be), else why not."""
    if shutil.which("java") is None:
        return "no `java` on the path: Apache Kafka needs Java 17 or newer (for example the package openjdk-17-jre-headless)"
    try:
        install(lib or default_lib())
    except BrokerFailed as error:
        return str(error)
    return None


def install(lib: Path) -> None:
    """Does nothing when the jars are there. Processes that install at the same time wait for one another."""
    if (lib / MAIN_JAR).exists():
        return
    mvn = shutil.which("mvn")
    if mvn is None:
        msg = f"no Apache Kafka in {lib}, and no `mvn` on the path to bring it: install Maven, or copy the jars there"
        raise BrokerFailed(msg)
    try:
        lib.parent.mkdir(parents=True, exist_ok=True)
        with (lib.parent / "install.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (lib / MAIN_JAR).exists():
                download(mvn, lib)
    except OSError as error:
        msg = f"the folder {lib.parent} cannot be used for Apache Kafka's jars: {error.strerror}"
        raise BrokerFailed(msg) from error


def download(mvn: str, lib: Path) -> None:
    """Into a folder beside, renamed when whole: a killed download leaves nothing that looks complete."""
    part = lib.with_name(f"{lib.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    command = [mvn, "-B", "-q", "-f", str(POM), GOAL, f"-DoutputDirectory={part.absolute()}", "-DincludeScope=runtime"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except subprocess.TimeoutExpired as error:
        msg = f"Maven did not bring Apache Kafka within {INSTALL_S} s; is the network there?"
        raise BrokerFailed(msg) from error
    if run.returncode != 0 or not (part / MAIN_JAR).exists():
        said = [line for line in (run.stdout + run.stderr).splitlines() if "ERROR" in line]
        msg = f"Maven could not bring Apache Kafka: {said[0][:300] if said else f'it ended with {run.returncode}'}"
        raise BrokerFailed(msg)
    shutil.rmtree(lib, ignore_errors=True)
    part.rename(lib)
