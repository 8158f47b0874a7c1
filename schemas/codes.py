"""LOINC codes and UCUM units as data: canonical unit per code, exact conversions, synonyms, plausible ranges.

Sources: codes and units `clinical.md` 6.6 (FHIR R4B vital signs), ranges `clinical.md` 8.2 [PROPOSAL, needs sign-off],
synonyms of real data: MIMIC-III demo, CinC 2012, Synthea. An unknown unit is never guessed: the row goes on without value.
107117-4 (oxygen support) is taken from one public implementation guide and needs verification before clinical use.
"""

from __future__ import annotations

from typing import NamedTuple

GLUCOSE_MG_PER_MMOL = 18.016  # molar mass of glucose 180.16 g/mol, per dL


class Code(NamedTuple):
    """One vital. `low`..`high`: outside is impossible; `suspect_low`..`suspect_high`: outside is kept and flagged."""

    loinc: str
    name: str
    label: str
    unit: str
    low: float
    high: float
    suspect_low: float
    suspect_high: float
    zero_is_no_signal: bool = False

    @property
    def number(self) -> int:
        """LOINC before the hyphen, the `code` column of the timeline."""
        return int(self.loinc.split("-")[0])


CODES: tuple[Code, ...] = (
    Code("8867-4", "heart_rate", "HR", "/min", 0, 350, 20, 300, True),
    Code("9279-1", "respiration_rate", "RR", "/min", 0, 170, 3, 80, True),
    Code("59408-5", "spo2", "SpO₂", "%", 0, 100, 50, 100, True),
    Code("8480-6", "systolic", "SBP", "mm[Hg]", 0, 400, 40, 280, True),
    Code("8462-4", "diastolic", "DBP", "mm[Hg]", 0, 300, 20, 180, True),
    Code("8478-0", "mean_pressure", "MAP", "mm[Hg]", 0, 330, 25, 220, True),
    Code("8310-5", "temperature", "Temp", "Cel", 14.2, 47, 25, 43),
    Code("2339-0", "glucose", "Glu", "mmol/L", 0.55, 111, 1.1, 38.9),
    Code("99504-3", "glucose_cgm", "Glu", "mmol/L", 2.1, 28.0, 2.1, 28.0),  # sensors end at 400 or at 500 mg/dL (27.8)
    Code("3150-6", "fio2", "FiO₂", "%", 15, 100, 21, 100),
    Code("3151-8", "oxygen_flow", "O₂ flow", "L/min", 0, 80, 0, 70),
    Code("19889-5", "etco2", "EtCO₂", "mm[Hg]", 0, 150, 5, 100),
    Code("29463-7", "weight", "Weight", "kg", 0.2, 500, 0.5, 350),
    Code("8302-2", "height", "Height", "cm", 20, 260, 30, 230),
    Code("67775-7", "consciousness", "ACVPU", "{acvpu}", 0, 4, 0, 4),
    Code("107117-4", "oxygen_given", "O₂", "{oxygen}", 0, 1, 0, 1),
)

BY_LOINC: dict[str, Code] = {c.loinc: c for c in CODES}
BY_NUMBER: dict[int, Code] = {c.number: c for c in CODES}
BY_NAME: dict[str, Code] = {c.name: c for c in CODES}

SYNONYMS: dict[str, str] = {
    "2708-6": "59408-5",
    "8889-8": "8867-4",
    "8331-1": "8310-5",
    "15074-8": "2339-0",
    "41653-7": "2339-0",
    "14743-9": "2339-0",
    "2345-7": "2339-0",
    "14749-6": "2339-0",
    "105272-9": "99504-3",
}
"""Other LOINC codes of the same vital -> the code used on the timeline (`ways-in.md` 1)."""

CONVERSIONS: dict[str, dict[str, tuple[float, float]]] = {
    "/min": {"{beats}/min": (1, 0), "{breaths}/min": (1, 0), "1/min": (1, 0)},
    "%": {"{fraction}": (100, 0)},
    "mm[Hg]": {"kPa": (7.50062, 0), "mmHg": (1, 0)},
    "Cel": {"[degF]": (5 / 9, -160 / 9), "K": (1, -273.15)},
    "mmol/L": {"mg/dL": (1 / GLUCOSE_MG_PER_MMOL, 0)},
    "L/min": {"L/s": (60, 0), "mL/min": (0.001, 0)},
    "kg": {"g": (0.001, 0), "[lb_av]": (0.45359237, 0)},
    "cm": {"m": (100, 0), "[in_i]": (2.54, 0)},
    "{acvpu}": {},
    "{oxygen}": {},
}
"""canonical unit -> accepted unit -> (factor, addend): canonical = value * factor + addend."""

ACVPU: tuple[str, ...] = ("A", "C", "V", "P", "U")
"""Consciousness as the small integers 0..4 of the column `value`."""
OXYGEN: tuple[str, ...] = ("air", "oxygen")
"""Oxygen given as 0 or 1."""
CODED: dict[str, tuple[str, ...]] = {"67775-7": ACVPU, "107117-4": OXYGEN}

# Flags of a row (column `flags`, u4). Bits 8..15 hold the index into ABSENT of a row without value.
NO_VALUE, SUSPECT, BELOW, ABOVE, NO_CLOCK, CONVERTED, FUTURE, LATE = 1, 2, 4, 8, 16, 32, 64, 128
BEAT = 1 << 16  # no reading, the link lives
OBSERVED = 1 << 17  # entered by a person through `observe`
REPLAYED = 1 << 18  # came back through `dead-letter replay`
ABSENT_SHIFT = 8

ABSENT: tuple[str, ...] = (
    "unknown",
    "lead-off",
    "motion",
    "no-signal",
    "calibrating",
    "not-performed",
    "error",
    "not-a-number",
    "impossible",
    "zero",
    "unit-suspect",
    "unit-unknown",
)
"""Why a row has no value: FHIR data-absent-reason words and Nadi's own."""


def absent_reason(flags: int) -> str | None:
    """The reason of a row without value, None for a row with one."""
    return ABSENT[(flags >> ABSENT_SHIFT) & 0xFF] if flags & NO_VALUE else None
