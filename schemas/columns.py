"""The columns of `readings`: a NumPy structured array, fixed width, little-endian (`semantics.md` 10).

| column | dtype | meaning |
|---|---|---|
| patient, device | u8 | keys of the pseudonyms (`identity.key64`) |
| t, received | i8 | ms since 1970 UTC: when measured, when the log took the source record |
| value | f8 | in the canonical UCUM unit of the code; NaN with flag NO_VALUE |
| code | u4 | LOINC before the hyphen; 0 = a beat |
| flags | u4 | `codes.py` |
| partition | u4 | source topic number << 16 | partition |
| index | u2 | place in the source message |
| offset | u8 | of the source record |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import polars as pl

ROW = np.dtype(
    [
        ("patient", "<u8"),
        ("device", "<u8"),
        ("t", "<i8"),
        ("received", "<i8"),
        ("value", "<f8"),
        ("code", "<u4"),
        ("flags", "<u4"),
        ("partition", "<u4"),
        ("index", "<u2"),
        ("offset", "<u8"),
    ]
)
Rows = NDArray[np.void]
MAX_ROWS_A_RECORD = 8000  # 8000 * 62 B = 496 kB: below 512 KiB

SOURCE_TOPICS: tuple[str, ...] = ("device-readings", "alert-commands")
"""Numbers of the topics that rows come from, in the high half of `partition`."""


def source_partition(topic: str, partition: int) -> int:
    """The `partition` column: which topic and partition a row came from."""
    return SOURCE_TOPICS.index(topic) << 16 | partition


def empty(n: int = 0) -> Rows:
    """n rows of zeros."""
    return np.zeros(n, ROW)


def to_polars(rows: Rows) -> pl.DataFrame:
    """The rows as a polars frame: one column each, times as UTC timestamps beside the ms."""
    import polars as pl

    frame = pl.DataFrame({name: np.ascontiguousarray(rows[name]) for name in ROW.names or ()})
    return frame.with_columns(
        pl.from_epoch("t", time_unit="ms").dt.replace_time_zone("UTC").alias("t_utc"),
        pl.from_epoch("received", time_unit="ms").dt.replace_time_zone("UTC").alias("received_utc"),
    )
