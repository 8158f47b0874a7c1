"""What the words, codes and units of the recorded sets mean here: data for `replay_sets.py`.

What is not named is counted, never guessed.
"""

from __future__ import annotations

# set's code -> (LOINC as sent, device of the person, set's unit in lower case -> UCUM; a unit that is not named here goes as it is)
Mapping = dict[str, tuple[str, str, dict[str, str]]]
_PRESSURE = {"mmhg": "mm[Hg]"}
_FLOW = {"lpm": "L/min", "l/min": "L/min"}
_RATE = {"bpm": "/min", "insp/min": "/min"}  # the set's own words for beats and breaths a minute
_CELSIUS, _FAHRENHEIT = {"deg. c": "Cel", "?c": "Cel"}, {"deg. f": "[degF]", "?f": "[degF]"}
MIMIC: Mapping = {
    "heart_rate": ("8867-4", "chart", _RATE),
    "resp_rate": ("9279-1", "chart", _RATE),
    "spo2": ("59408-5", "chart", {"%": "%"}),
    "temp_c": ("8310-5", "chart", _CELSIUS),
    "temp_f": ("8310-5", "chart", _FAHRENHEIT),
    "sbp_art": ("8480-6", "line", _PRESSURE),
    "dbp_art": ("8462-4", "line", _PRESSURE),
    "map_art": ("8478-0", "line", _PRESSURE),
    "sbp_nibp": ("8480-6", "cuff", _PRESSURE),
    "dbp_nibp": ("8462-4", "cuff", _PRESSURE),
    "map_nibp": ("8478-0", "cuff", _PRESSURE),
    "fio2": ("3150-6", "chart", {}),
    "o2_flow": ("3151-8", "chart", _FLOW),
    "etco2": ("19889-5", "chart", _PRESSURE),
    "glucose_lab": ("2345-7", "lab", {}),
    "glucose_poc": ("41653-7", "meter", {}),
}
CINC: Mapping = {
    "HR": ("8867-4", "chart", {"": "/min"}),
    "RespRate": ("9279-1", "chart", {"": "/min"}),
    "Temp": ("8310-5", "chart", {"": "Cel"}),
    "SysABP": ("8480-6", "line", {"": "mm[Hg]"}),
    "DiasABP": ("8462-4", "line", {"": "mm[Hg]"}),
    "MAP": ("8478-0", "line", {"": "mm[Hg]"}),
    "NISysABP": ("8480-6", "cuff", {"": "mm[Hg]"}),
    "NIDiasABP": ("8462-4", "cuff", {"": "mm[Hg]"}),
    "NIMAP": ("8478-0", "cuff", {"": "mm[Hg]"}),
    "FiO2": ("3150-6", "chart", {"": "{fraction}"}),
    "Glucose": ("2345-7", "lab", {"": "mg/dL"}),
    "Weight": ("29463-7", "chart", {"": "kg"}),
}
"""Units as the set's own description names them; its SaO2 is a blood gas, no pulse oximeter, and is left out."""

CONSCIOUSNESS: dict[str, str] = {
    "alert": "A",
    "confused": "C",
    "arouse to voice": "V",
    "arouse to pain": "P",
    "unresponsive": "U",
}
"""Words that name one of A C V P U without a doubt. Sedated, sleeping, lethargic, stimulation and the like are counted, never guessed."""
OXYGEN_BY: frozenset[str] = frozenset(
    {
        "nasal cannula",
        "face tent",
        "aerosol-cool",
        "high flow neb",
        "non-rebreather",
        "medium conc mask",
        "venti mask",
    }
)
"""Devices that give oxygen by what they are; a tube, a T-piece or a pressure mask may carry air and is counted, never guessed."""
MIMIC_HIDDEN_AGE_YEARS = 300
"""The set moves the birth of people over 89 back by 300 years."""
OLDEST_YEARS = 90
CGM_FLOOR_MG_DL = 40.0
CGM_CEILINGS_MG_DL = (400.0, 500.0)
CGM_DIABETES = ("AZT1D", "Bris-T1D_Open", "HUPA-UCM", "ShanghaiT1DM", "ShanghaiT2DM")
