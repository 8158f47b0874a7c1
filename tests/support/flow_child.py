"""A flow as a process of its own: `python -m tests.support.flow_child ingest '{"log_url": ...}'`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from flows.ingest import run_ingest
from flows.monitor import run_monitor


def main() -> int:
    name, arguments = sys.argv[1], json.loads(sys.argv[2])
    for folder in ("recovery_dir", "status_dir"):
        if arguments.get(folder) is not None:
            arguments[folder] = Path(arguments[folder])
    return run_ingest(**arguments) if name == "ingest" else run_monitor(**arguments)


if __name__ == "__main__":
    sys.exit(main())
