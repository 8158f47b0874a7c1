"""Log lines about failures: the kind of the error and its place, never its text, which may hold what a client or a record said."""

from __future__ import annotations

import logging
from pathlib import Path


def report(logger: logging.Logger, what: str, error: BaseException) -> None:
    """`what: ValueError at fold.py:120`."""
    place, trace = "", error.__traceback__
    while trace is not None:
        place, trace = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}", trace.tb_next
    logger.log(logging.ERROR, "%s: %s%s", what, type(error).__name__, place)
