"""One patient as the gateway holds it: the merged frame and open alerts; JSON made once a change."""

from __future__ import annotations

import msgspec

from schemas.events import AlertState, PatientFrame

HEADER = ("ward", "bed", "initials", "age_years", "sex", "isolation", "spo2_scale_2", "diabetes")
"""Who it is: these fields come together, or not at all."""


def is_whole(frame: PatientFrame) -> bool:
    """True for a frame that tells everything of a patient but limits and alerts.

    A delta has values and maybe a new score, but does not say who it is.
    """
    return bool(frame.ward or frame.bed or frame.initials or frame.devices)


def merge(into: PatientFrame, delta: PatientFrame) -> None:
    """Puts a delta on top, in place: a field that is present is whole (vitals and limits: per code).

    Lists are never changed in place, so `into` may share them with others.
    """
    into.admitted = delta.admitted
    into.vitals.update(delta.vitals)
    into.limits.update(delta.limits)
    if is_whole(delta):
        for name in HEADER:
            setattr(into, name, getattr(delta, name))
        into.devices = delta.devices
    into.score = delta.score if delta.score is not None else into.score


def copy(frame: PatientFrame) -> PatientFrame:
    """A frame that `merge` may write to without touching the other; without alerts."""
    return msgspec.structs.replace(frame, vitals=dict(frame.vitals), limits=dict(frame.limits), alerts=[])


def encode(frame: PatientFrame, alerts: list[AlertState] | None = None) -> bytes:
    """JSON in which a field that is present is whole: what fell back to its default is said too, unlike in the log's own JSON."""
    fields: dict[str, object] = {"patient": frame.patient, "admitted": frame.admitted}
    if is_whole(frame):
        fields.update((name, getattr(frame, name)) for name in HEADER)
        fields["score"] = frame.score
        fields["devices"] = frame.devices
    elif frame.score is not None:
        fields["score"] = frame.score
    if frame.vitals:
        fields["vitals"] = frame.vitals
    if frame.limits:
        fields["limits"] = frame.limits
    if alerts is not None:
        fields["alerts"] = alerts
    return msgspec.json.encode(fields)


class Patient:
    """The newest state of one patient. `alerts` (active and latched) is kept by the fold, which calls `touch`."""

    __slots__ = ("_json", "alerts", "frame", "shard")

    def __init__(self, shard: int, frame: PatientFrame, alerts: dict[str, AlertState]) -> None:
        self.shard = shard
        self.frame = frame
        self.alerts = alerts
        self._json: bytes | None = None

    @property
    def ward(self) -> str:
        """Where the patient is."""
        return self.frame.ward

    def touch(self) -> None:
        """What the JSON was made from has changed."""
        self._json = None

    def json(self) -> bytes:
        """The whole frame with its alerts, oldest onset first."""
        if self._json is None:
            alerts = sorted(self.alerts.values(), key=lambda a: (a.onset_ms, a.alert))
            self._json = encode(self.frame, alerts)
        return self._json
