"""`make bench`, or `python -m benchmarks [cost] [latency] [restart] [answer] [poison]`: rows as JSON, kept in benchmarks/results/."""

from __future__ import annotations

import os
import subprocess
import sys

from sinks.log.broker import available

LONG_TESTS = {"answer": "tests/test_kill_runs.py", "poison": "tests/test_ingest_poison.py", "laws": "tests/test_laws_monitor.py"}
"""Tests that run longer with NADI_LONG and NADI_LAWS: the same questions, more of them."""


LONGER = {"NADI_LONG": "1", "NADI_LAWS": "20"}


def main() -> int:
    """Runs what was asked for, everything without arguments. 1 = something failed."""
    wanted = sys.argv[1:] or ["cost", "latency", "restart", *LONG_TESTS]
    unknown = set(wanted) - {"cost", "latency", "restart", *LONG_TESTS}
    if unknown:
        print(f"benchmarks: no such benchmark: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    if (why := available()) and set(wanted) & {"cost", "latency", "restart"}:
        print(f"benchmarks: a real broker is needed: {why}", file=sys.stderr)
        return 1
    failed = 0
    for name in wanted:
        if name in LONG_TESTS:
            command = [sys.executable, "-m", "pytest", "-q", "-x", LONG_TESTS[name]]
            failed |= subprocess.run(command, env={**os.environ, **LONGER}, check=False).returncode
            continue
        module = __import__(f"benchmarks.{name}", fromlist=["run"])
        module.run()
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
