"""A pure core inside Bytewax: one fold a key. Its snapshot is a plain value, and all it emits is a list of appends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from bytewax.operators import StatefulBatchLogic

from schemas.records import Append

V_contra = TypeVar("V_contra", contravariant=True)
W = TypeVar("W")


class Core(Protocol[V_contra]):
    """What a fold must offer."""

    def apply(self, value: V_contra) -> list[Append]: ...
    def snapshot(self) -> dict[str, Any]: ...


@dataclass
class Progress:
    """What source and folds of one process tell each other. Nothing of it is state: it is known again after the first poll."""

    applied: int = 0
    """How many items the folds have applied."""
    times_ms: dict[int, int] = field(default_factory=dict)
    """Shard -> its time."""
    ended: set[int] = field(default_factory=set)
    """Shards whose writers have all ended."""


class Fold(StatefulBatchLogic[W, list[Append], dict[str, Any]], Generic[W]):
    """`join`: what was given out since the last call -> what the core applies. `after`: called when it did, and once at the start."""

    def __init__(self, core: Core[Any], join: Callable[[list[W]], Sequence[Any]], progress: Progress, after: Callable[[], None]) -> None:
        self._core, self._join, self._progress, self._after = core, join, progress, after
        after()

    def on_batch(self, values: list[W]) -> tuple[list[list[Append]], bool]:
        out: list[Append] = []
        for value in self._join(values):
            out += self._core.apply(value)
        self._progress.applied += len(values)
        self._after()
        return ([out] if out else []), False

    def on_notify(self) -> tuple[list[list[Append]], bool]:
        return [], False

    def on_eof(self) -> tuple[list[list[Append]], bool]:
        """The fold lives on in its snapshot."""
        return [], False

    def notify_at(self) -> None:
        """Folds know no clock: time is an entry on the timeline."""
        return

    def snapshot(self) -> dict[str, Any]:
        return self._core.snapshot()
