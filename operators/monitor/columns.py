"""A growable table of NumPy columns: the dense part of a shard's state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEVER = np.iinfo(np.int64).max
"""A deadline that is not set."""
LONG_AGO = -(1 << 60)
"""A time before every time; far from overflow when a window is taken off."""


class Table:
    """`n` rows of the columns that a subclass names in SPEC: name -> (dtype, value of a fresh row, inner shape).

    Columns are attributes; each has capacity for more rows than `n`, and fresh values beyond `n`.
    """

    SPEC: Mapping[str, tuple[str, Any, tuple[int, ...]]] = {}

    def __init__(self, capacity: int = 64) -> None:
        self.n = 0
        self.capacity = capacity
        for name, (dtype, fill, inner) in self.SPEC.items():
            setattr(self, name, np.full((capacity, *inner), fill, dtype))

    def add(self) -> int:
        """Index of a fresh row."""
        if self.n == self.capacity:
            self.capacity *= 2
            for name, (dtype, fill, _inner) in self.SPEC.items():
                old: NDArray[Any] = getattr(self, name)
                new = np.full((self.capacity, *old.shape[1:]), fill, dtype)
                new[: self.n] = old[: self.n]
                setattr(self, name, new)
        self.n += 1
        return self.n - 1

    def reset(self, index: int, *keep: str) -> None:
        """Fresh values in one row, except for the columns to keep."""
        for name, (_dtype, fill, _inner) in self.SPEC.items():
            if name not in keep:
                getattr(self, name)[index] = fill

    def dump(self) -> dict[str, Any]:
        """Copies of the used rows."""
        return {"n": self.n, **{name: getattr(self, name)[: self.n].copy() for name in self.SPEC}}

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Takes what `dump` gave."""
        self.n = int(dumped["n"])
        self.capacity = max(64, 1 << (self.n + self.n // 4).bit_length())
        for name, (dtype, fill, inner) in self.SPEC.items():
            stored = dumped[name]
            column = np.full((self.capacity, *(stored.shape[1:] if self.n else inner)), fill, dtype)
            column[: self.n] = stored
            setattr(self, name, column)
