"""Live time: what a reader may state as T (`semantics.md` 1), and how far it is certain to have read. Pure: the clock is an argument.

The end of a partition is never guessed from silence: with a stopped broker a consumer sees neither an error nor an event, and every device
would look silent. So T comes only from the log's own answer: no answer, no time entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sinks.log.api import TP, Batch

SLACK_MS = 200
"""A record stamped by the log before A may become readable a little after an answer asked at A."""
ASK_EVERY_MS = 500
ASK_AGAIN_MS = 5_000
"""An answer that did not come by then is asked for anew."""


class LiveClock:
    """Fed with what was asked, answered and read; says when to ask and what T is."""

    def __init__(self, tps: Sequence[TP], control: Sequence[TP] = ()) -> None:
        self._tps, self._control = list(tps), list(control)
        self._appended: dict[TP, int] = {}
        self._asked_ms: int | None = None
        self._next_ask_ms = 0
        self._polls = 0
        self._polls_when_asked = 0
        self._for_time = False
        self._answer: tuple[int, Mapping[TP, int]] | None = None
        self._wanted_ends: Mapping[TP, int] | None = None
        self._polls_wanted = 0
        self.drained = 0
        """Control topics were read to ends asked after this many polls."""

    @property
    def polls(self) -> int:
        """How many polls were read: the number that `drained` is compared with."""
        return self._polls

    @property
    def unanswered(self) -> bool:
        """Ends were asked for and the answer has not come."""
        return self._asked_ms is not None

    def read(self, batch: Batch) -> None:
        """After each poll, also an empty one."""
        self._polls += 1
        if len(batch):
            self._appended.update(_last_appended(batch))

    def wants_to_ask(self, now_ms: int, hurry: bool) -> bool:
        """Twice a second; at once if somebody waits for the control topics; never while an answer is under way."""
        if self._asked_ms is not None:
            return abs(now_ms - self._asked_ms) >= ASK_AGAIN_MS
        in_hurry = hurry and self._wanted_ends is None and self.drained < self._polls
        return in_hurry or self._time_is_due(now_ms)

    def _time_is_due(self, now_ms: int) -> bool:
        """Also when this machine's clock was set back."""
        return not self._next_ask_ms - ASK_AGAIN_MS <= now_ms < self._next_ask_ms

    def asked(self, now_ms: int) -> None:
        """Ends were asked for just after poll number `polls`."""
        self._asked_ms, self._polls_when_asked = now_ms, self._polls
        self._for_time = self._for_time or self._time_is_due(now_ms)
        if self._for_time:
            self._next_ask_ms = now_ms + ASK_EVERY_MS

    def answered(self, asked_ms: int, ends: Mapping[TP, int]) -> None:
        """`asked_ms`: of the log's asking clock. The answer to an older asking, given up as lost, proves less and is left alone."""
        if self._asked_ms is None or asked_ms < self._asked_ms:
            return
        self._asked_ms = None
        if self._for_time:
            self._answer, self._for_time = (asked_ms, ends), False
        self._wanted_ends, self._polls_wanted = ends, self._polls_when_asked

    def drain(self, positions: Mapping[TP, int]) -> int:
        """`drained`, moved on if the control topics have been read to the newest ends known of them."""
        if self._wanted_ends is not None and all(positions[tp] >= self._wanted_ends[tp] for tp in self._control):
            self.drained, self._wanted_ends = self._polls_wanted, None
        return self.drained

    def take_t_ms(self, positions: Mapping[TP, int]) -> int | None:
        """T for an answer, once: all that is given out after this was appended after T.

        None without an answer, or if a partition proves nothing.
        """
        if self._answer is None:
            return None
        (asked_ms, ends), self._answer = self._answer, None
        least: int | None = None
        for tp in self._tps:
            if positions[tp] >= ends[tp]:
                at = asked_ms - SLACK_MS
            elif tp in self._appended:
                at = self._appended[tp] - 1  # the next record may carry the same stamp: a produce batch shares one
            else:
                return None
            least = at if least is None else min(least, at)
        return least


def _last_appended(batch: Batch) -> dict[TP, int]:
    """Append time of the last record of each partition: later entries of a key replace earlier ones, at the speed of C."""
    last = dict(zip(zip(batch.topics, batch.partitions, strict=True), batch.append_ms, strict=True))
    return {TP(*place): at for place, at in last.items()}
