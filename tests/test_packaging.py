"""What is installed is what is here: one distribution of five packages, locked and hashed, with its licence and its data files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PACKAGES = ("flows", "operators", "sinks", "gateway", "schemas")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BY_ANOTHER_NAME = {"confluent-kafka": "confluent_kafka", "pyjwt": "jwt"}
THROUGH_UVICORN = {"httptools"}
"""Chosen by name in the gateway's protocol classes, whose base uvicorn imports it."""


def tracked() -> list[str]:
    return subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def locked(name: str) -> dict[str, str]:
    """Package -> version of a lock file, each with at least one hash."""
    text = (ROOT / name).read_text()
    pins = re.findall(r"^([a-z0-9-]+)(?:\[[a-z]+\])?==(\S+)(?: ; [^\\\n]+)? \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)), "a pin without a hash"
    return dict(pins)


@pytest.mark.parametrize(
    ("lock", "groups"), [("requirements.lock", ["build"]), ("requirements-dev.lock", ["build", "dev"])], ids=["run", "dev"]
)
def test_the_lock_is_in_step_with_what_is_asked_for(lock: str, groups: list[str]) -> None:
    pins = locked(lock)
    asked = PROJECT["project"]["dependencies"] + [r for g in groups for r in PROJECT["dependency-groups"][g]]
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(pins[requirement.name.lower()], prereleases=True), f"run `make lock`: {requirement}"


def test_both_locks_have_the_same_versions() -> None:
    run, dev = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: dev.get(name) for name in run} == run


def test_no_tracked_file_names_a_package_registry_s_host_or_a_path_of_this_machine() -> None:
    halves = (
        ("py", r"pi\.org"),
        ("python", "hosted"),
        ("registry.npm", "js"),
        ("deb.deb", "ian"),
        ("repo1?.mav", "en"),
        ("proxy.gol", "ang"),
    )
    hosts = re.compile("|".join(a + b for a, b in halves))
    paths = re.compile(r"(?:^|[^A-Za-z0-9_.-])/(?:wo" + r"rk|fa" + r"rm)/")
    found = []
    for name in tracked():
        path = ROOT / name
        if path.suffix in (".png", ".svg", ".ico") or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [name for pattern in (hosts, paths) if pattern.search(text)]
    assert found == []


def test_every_runtime_dependency_is_used() -> None:
    code = "\n".join((ROOT / name).read_text() for name in tracked() if name.startswith(PACKAGES) and name.endswith(".py"))
    unused = []
    for requirement in map(Requirement, PROJECT["project"]["dependencies"]):
        module = BY_ANOTHER_NAME.get(requirement.name, requirement.name)
        if requirement.name not in THROUGH_UVICORN and not re.search(rf"^\s*(?:import|from) {module}\b|\"{module}\"", code, re.MULTILINE):
            unused.append(requirement.name)
    assert unused == []


def test_the_licence_and_the_notices_are_here() -> None:
    licence = (ROOT / "LICENSE").read_text()
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    notice = (ROOT / "NOTICE").read_text()
    for words in ("Royal College of Physicians", "London: RCP, 2017", "loinc.org/license", "ucum.org"):
        assert words in notice


def test_every_make_target_that_is_told_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    told = re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text() + (ROOT / ".ci" / "run").read_text())
    for target in {*told, "demo", "test", "install", "kafka", "bench", "lint", "clean"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_a_pure_module_brings_no_engine_and_no_log_with_it() -> None:
    heavy = ("bytewax", "confluent_kafka", "starlette", "uvicorn", "polars", "sqlite3", "asyncio")
    code = f"import sys, operators.clinical.news2, schemas.timeline; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_help_comes_without_the_engine() -> None:
    code = "import sys, flows.cli.app; print([m for m in ('bytewax', 'polars', 'starlette', 'confluent_kafka') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.packaging
@pytest.mark.timeout(180)
def test_the_wheel_alone_is_whole_in_a_clean_environment(tmp_path: Path) -> None:
    build = "import sys, hatchling.build as b; print(b.build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("nadi-*.whl")
    inside = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in inside if ".dist-info" not in name}
    assert tops == set(PACKAGES), "tests and benchmarks are never packaged"
    shipped = [name for name in tracked() if name.startswith(PACKAGES) and (name.endswith(".py") or "/json/" in name or "/static/" in name)]
    assert [name for name in shipped if name not in inside] == []

    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, cwd=tmp_path)
    whose = "import importlib.metadata as m, json; print(json.dumps(m.packages_distributions()))"
    found = json.loads(subprocess.run([str(python), "-c", whose], cwd=tmp_path, check=True, capture_output=True, text=True).stdout)
    assert {package: found[package] for package in PACKAGES} == {package: ["nadi"] for package in PACKAGES}

    # The libraries of this environment, but Nadi's own packages from the wheel: a path entry reads no .pth of an editable install.
    import typer

    libraries = str(Path(typer.__file__).parents[1])
    environ = {**{n: v for n, v in os.environ.items() if not n.startswith("NADI_")}, "PYTHONPATH": libraries, "NADI_DATA": "data"}
    nadi = str(tmp_path / "venv" / "bin" / "nadi")
    for arguments in (["topics", "create"], ["doctor"]):
        subprocess.run([nadi, *arguments], cwd=tmp_path, env=environ, check=True, capture_output=True)
    where = subprocess.run(
        [str(python), "-c", "import flows; print(flows.__file__)"], cwd=tmp_path, env=environ, check=True, capture_output=True, text=True
    )
    assert str(tmp_path) in where.stdout
