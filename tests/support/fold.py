"""Runs the board's own modules in a page: helpers that make the frames of the protocol, and the way to call them."""

from __future__ import annotations

from typing import Any

from tests.support.browser import Board

HELPERS = """
const { empty, fold, serverNow } = await load("fold");
const FRAME = (f, mono = 0) => ({ k: "frame", f, mono, wall: mono });
const all = (state, events) => events.reduce(fold, state);
const alert = (seq, more = {}) => ({ alert: "a1", patient: "p-1", kind: "limit", rule: "limit", rule_version: 1, priority: "medium", code: "8867-4",
  side: "high", status: "active", onset_ms: 1, raised_ms: 1, value: 130, worst: 130, seq, ...more });
const ev = (o, id, transition, state, more = {}) => FRAME({ t: "ev", s: 0, o, e: { id, transition, patient: "p-1", at_ms: o, cause: id, seq: state ? state.seq : 0,
  alert: state?.alert, state, ...more } });
const key = (more = {}) => FRAME({ t: "key", ward: "4b", now_ms: 1000, shard_ms: { 0: 900 }, recovered: null, pos: { incarnation: "i", offsets: [10, 0] },
  patients: [{ patient: "p-1", ward: "4b", bed: "01", initials: "AB", vitals: {}, alerts: [] }], trends: {}, ...more });
const start = () => all(empty(), [{ k: "ward", ward: "4b" }, FRAME({ t: "welcome", user: "n-01", role: "nurse", wards: ["4b"], tz: "Asia/Kuala_Lumpur", now_ms: 0 }), key()]);
"""


def run(page: Board, code: str, argument: Any = None) -> Any:
    """Evaluates a function body with the helpers at hand."""
    return page.run(HELPERS + code, argument)
