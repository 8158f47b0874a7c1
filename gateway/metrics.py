"""Counters of the gateway in Prometheus' text form. No label names a person, a ward or a patient."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Metrics:
    """What has happened since the start."""

    deliveries: int = 0
    conflated: int = 0
    slow_closes: int = 0
    resume_hits: int = 0
    resume_misses: int = 0
    unreadable: int = 0
    commands_taken: int = 0
    commands_refused: int = 0
    loop_lag_s: float = 0.0
    closed: dict[int, int] = field(default_factory=dict)
    """Close code -> connections that we closed with it."""
    refused_tokens: dict[str, int] = field(default_factory=dict)
    """Reason -> tokens refused."""

    def resumed(self, hit: bool) -> None:
        """A subscription came with a position."""
        self.resume_hits += hit
        self.resume_misses += not hit

    def was_closed(self, code: int) -> None:
        """The gateway closed a connection."""
        self.closed[code] = self.closed.get(code, 0) + 1

    def token_refused(self, reason: str) -> None:
        """A token was not taken."""
        self.refused_tokens[reason] = self.refused_tokens.get(reason, 0) + 1


def _line(name: str, kind: str, text: str, values: dict[str, float]) -> str:
    rows = "".join(f"nadi_gateway_{name}{labels} {value:g}\n" for labels, value in values.items())
    return f"# HELP nadi_gateway_{name} {text}\n# TYPE nadi_gateway_{name} {kind}\n{rows}"


def render(
    metrics: Metrics, *, clients: int, buffered_bytes: int, lag: int, shard_age_ms: int | None, ready: bool, repeats: int, history: int
) -> str:
    """The whole page."""
    resumes: dict[str, float] = {'{result="hit"}': metrics.resume_hits, '{result="miss"}': metrics.resume_misses}
    commands: dict[str, float] = {'{outcome="taken"}': metrics.commands_taken, '{outcome="refused"}': metrics.commands_refused}
    skipped: dict[str, float] = {'{why="repeat"}': repeats, '{why="history"}': history, '{why="unreadable"}': metrics.unreadable}
    lines = [
        _line("clients", "gauge", "Signed-in websocket clients.", {"": clients}),
        _line("deliveries_total", "counter", "Frames handed to clients.", {"": metrics.deliveries}),
        _line("buffered_bytes", "gauge", "Bytes that clients have not taken.", {"": buffered_bytes}),
        _line("conflated_total", "counter", "Values replaced by newer ones before a slow client took them.", {"": metrics.conflated}),
        _line("slow_closes_total", "counter", "Clients closed for not reading.", {"": metrics.slow_closes}),
        _line("resumes_total", "counter", "Subscriptions that came with a position.", resumes),
        _line("commands_total", "counter", "Commands by outcome at the gateway.", commands),
        _line("skipped_records_total", "counter", "Records of the log that said nothing new.", skipped),
        _line("event_loop_lag_seconds", "gauge", "How late the last timer came.", {"": metrics.loop_lag_s}),
        _line("consumer_lag_records", "gauge", "Records of the log not read yet.", {"": lag}),
        _line("ready", "gauge", "1 when /health answers 200.", {"": int(ready)}),
        _line("closes_total", "counter", "Connections closed by the gateway.", {f'{{code="{c}"}}': n for c, n in metrics.closed.items()}),
        _line("refused_tokens_total", "counter", "Tokens not taken.", {f'{{reason="{r}"}}': n for r, n in metrics.refused_tokens.items()}),
    ]
    if shard_age_ms is not None:
        lines.append(_line("shard_age_seconds", "gauge", "Age of the oldest shard time.", {"": shard_age_ms / 1000}))
    return "".join(lines)
