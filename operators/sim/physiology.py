"""True physiology of many people at once, seeded: what the body does, before any device looks at it.

x = person's mean + day rhythm + slow part (hours) + fast part (minutes), the parts Ornstein-Uhlenbeck processes correlated between
vitals; a course (`stories.py`) shifts the mean; low oxygen drives heart and breathing; glucose runs through gut and insulin compartments.
Numbers: `ways-in.md` 7, fitted on recorded people (CinC 2009, CinC 2019, MIMIC-III demo), wards gentler than intensive care.
Story sizes need a clinician's sign-off. Shapes: (people, 7) in the order of `VITALS`; units /min, /min, %, mm[Hg], mm[Hg], Cel, mmol/L.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from operators.sim.stories import SHIFTS, STORY_NAMES, Person

Array = NDArray[np.floating]
VITALS: tuple[str, ...] = ("8867-4", "9279-1", "59408-5", "8480-6", "8462-4", "8310-5", "99504-3")
HR, RR, SPO2, SBP, DBP, TEMP, GLUCOSE = range(7)

MEAN = np.array([80, 17, 96.9, 125, 68, 36.9, 5.3])
BETWEEN_SD = np.array([11, 2.2, 1.1, 15, 8.5, 0.30, 0.35])
MEAN_LOW, MEAN_HIGH = np.array([58, 13.5, 95.5, 104, 50, 36.2, 4.6]), np.array([102, 20, 99, 165, 95, 37.5, 6.2])
"""No one is ill before their course begins."""
SLOW_SD, SLOW_TAU_S = np.array([5.5, 1.7, 0.75, 9, 5.5, 0.26, 0]), 3600 * np.array([8, 5.1, 5.1, 4.9, 5, 5.4, 4])
FAST_SD, FAST_TAU_S = np.array([3.0, 1.6, 0.50, 4.5, 3.0, 0.03, 0]), np.array([130, 65, 280, 380, 380, 900, 600.0])
DAY_AMPLITUDE, DAY_PEAK_H = np.array([4.0, 0.8, -0.2, 5, 4, 0.30, 0]), np.array([15.8, 17.7, 4, 14, 14.5, 18.5, 0])
CORRELATIONS = (
    (HR, RR, 0.35),
    (HR, SPO2, -0.2),
    (HR, TEMP, 0.35),
    (RR, SPO2, -0.25),
    (HR, SBP, 0.15),
    (RR, TEMP, 0.15),
    (SBP, DBP, 0.6),
)
CHEMOREFLEX_BELOW_PERCENT, CHEMOREFLEX_HR, CHEMOREFLEX_RR = 92.0, 1.2, 0.6
"""Below this saturation each missing percent adds so many beats and breaths a minute; not under opioids."""
MEALS_H_G = ((7.5, 45.0), (10.3, 15.0), (13.0, 65.0), (16.5, 15.0), (19.8, 65.0))
GUT_MIN, INSULIN_MIN, INSULIN_DIABETES_MIN = 40.0, 47.0, 62.0
DOSE_ERROR_SD, GLUCOSE_FLOOR, GLUCOSE_CEILING = 0.13, 1.6, 33.0


def _mixing() -> Array:
    """Cholesky factor: independent noise times its transpose has the correlations above."""
    matrix = np.eye(len(VITALS))
    for a, b, r in CORRELATIONS:
        matrix[a, b] = matrix[b, a] = r
    return np.linalg.cholesky(matrix)


class Body:
    """People of a ward from `start_h` (hour of their local day) on. `spread` scales how far people differ from the mean."""

    def __init__(self, people: Sequence[Person], seed: int, dt_s: float, start_h: float = 9.0, spread: float = 1.0) -> None:
        n = self.n = len(people)
        self.dt_s, self.at_s, self.start_h = dt_s, 0.0, start_h
        self.random = np.random.Generator(np.random.SFC64(seed))
        self.mixing = _mixing().T
        self.diabetic = np.array([p.diabetes for p in people])
        self._courses(people)
        age = np.array([p.age_years or 60 for p in people], float) - 60
        self.mean = MEAN + spread * self._noise() * BETWEEN_SD
        self.mean[:, SBP] += 0.35 * age
        self.mean[:, HR] -= 0.1 * age
        np.clip(self.mean, MEAN_LOW, MEAN_HIGH, out=self.mean)
        self.mean[:, SPO2] = np.where([p.spo2_scale_2 for p in people], 90.0, self.mean[:, SPO2])
        self.mean[:, GLUCOSE] = np.where(self.diabetic, self.random.normal(7.4, 1.4 * spread, n).clip(5.6, 13), self.mean[:, GLUCOSE])
        self.vary = np.exp(self.random.normal(0, 0.25 * spread, (n, 1)))
        self.slow, self.fast = spread * self._noise() * SLOW_SD, self._noise() * FAST_SD
        self.keep_slow, self.keep_fast = np.exp(-dt_s / SLOW_TAU_S), np.exp(-dt_s / FAST_TAU_S)
        self.add_slow = spread * SLOW_SD * np.sqrt(1 - self.keep_slow**2)
        self.add_fast = FAST_SD * np.sqrt(1 - self.keep_fast**2)
        self.phase_h = self.random.normal(0, 0.8, n)
        self._metabolism()

    def _noise(self) -> Array:
        return self.random.standard_normal((self.n, len(VITALS))) @ self.mixing

    def _courses(self, people: Sequence[Person]) -> None:
        """What happens to whom, as columns: story, onset, time constant, end."""
        courses = [p.course for p in people]
        self.shift = np.array([SHIFTS[c.story] for c in courses], float).reshape(self.n, len(VITALS))
        self.onset_s = np.array([c.onset_s for c in courses], float)
        self.until_s = np.array([c.until_s for c in courses], float)
        self.tau_s = np.array([c.tau_s for c in courses], float)
        self.story = np.array([STORY_NAMES.index(c.story) for c in courses])

    def _metabolism(self) -> None:
        """Gut and insulin, two compartments each; meals jittered a person."""
        n, draw = self.n, self.random
        meals = np.array(MEALS_H_G)
        self.meal_h = meals[:, 0] + draw.normal(0, 0.3, (n, len(meals)))
        self.meal_g = meals[:, 1] * np.exp(draw.normal(0, 0.25, (n, len(meals))))
        self.gut, self.insulin = np.zeros((2, n)), np.zeros((2, n))
        self.glucose, self.wander = self.mean[:, GLUCOSE].copy(), np.zeros(n)
        self.carbohydrate = np.exp(draw.normal(0, 0.35, n)) * np.where(self.diabetic, 0.26, 0.34)
        self.keto = self.story == STORY_NAMES.index("dka")

    def strength(self) -> Array:
        """(people,) how far the course has come, 0..1: rises with its time constant from onset, falls with it after its end."""
        at = self.at_s
        with np.errstate(invalid="ignore"):
            risen = 1 - np.exp(-np.clip(np.minimum(at, self.until_s) - self.onset_s, 0, None) / self.tau_s)
            fallen = np.exp(-np.clip(at - self.until_s, 0, None) / self.tau_s)
        grown: Array = np.where(at >= self.onset_s, risen * fallen, 0.0)
        return grown

    def step(self) -> Array:
        """Advances by `dt_s`; (people, 7) true values."""
        self.at_s += self.dt_s
        self.slow = self.slow * self.keep_slow + self.add_slow * self._noise()
        self.fast = self.fast * self.keep_fast + self.add_fast * self._noise()
        strength = self.strength()
        hour = self.start_h + self.at_s / 3600 - self.phase_h[:, None]
        day = DAY_AMPLITUDE * np.cos(2 * np.pi * (hour - DAY_PEAK_H) / 24)
        x: Array = self.mean + day + self.vary * (self.slow + self.fast) + self.shift * strength[:, None]
        self._special(x, strength)
        lack = np.maximum(0, CHEMOREFLEX_BELOW_PERCENT - x[:, SPO2])
        lack[x[:, SPO2] > self.mean[:, SPO2] - 3] = 0  # who always lives at 90 % is used to it
        x[:, HR] += CHEMOREFLEX_HR * lack
        x[:, RR] += np.where(self.story == STORY_NAMES.index("opioid"), 0, CHEMOREFLEX_RR * lack)
        x[:, SPO2] = 100 - np.log1p(np.exp(np.clip(100 - x[:, SPO2], -20, 60)))
        self._eat(strength)
        x[:, GLUCOSE] = self.glucose
        return x

    def _special(self, x: Array, strength: Array) -> None:
        """Shapes that no shift tells: bleeding is compensated first, fibrillation is irregular."""
        bleeding = (self.story == STORY_NAMES.index("haemorrhage")) & (strength > 0)
        x[:, SBP] += np.where(bleeding, 26 * np.exp(-(((strength - 0.35) / 0.25) ** 2)), 0)
        irregular = (self.story == STORY_NAMES.index("af")) & (strength > 0.5)
        x[:, HR] += np.where(irregular, self.random.normal(0, 7, self.n), 0)

    def _eat(self, strength: Array) -> None:
        """One step of glucose: meals and their insulin, a slow wander, and the course's own pull (low glucose, ketoacidosis)."""
        n, minutes, draw = self.n, self.dt_s / 60, self.random
        hour = (self.start_h + self.at_s / 3600) % 24
        eaten = (self.meal_g * (np.abs(hour - self.meal_h) < self.dt_s / 7200)).sum(1)
        if eaten.any():
            self.gut[0] += eaten
            matched = np.where(self.diabetic, 0.93 * np.exp(draw.normal(0, DOSE_ERROR_SD, n)), 1.0)
            self.insulin[0] += eaten * matched * ~self.keto
        from_gut = self.gut / GUT_MIN
        from_insulin = self.insulin / np.where(self.diabetic, INSULIN_DIABETES_MIN, INSULIN_MIN)
        self.gut += np.stack([-from_gut[0], from_gut[0] - from_gut[1]]) * minutes
        self.insulin += np.stack([-from_insulin[0], from_insulin[0] - from_insulin[1]]) * minutes
        rooted = np.sqrt(minutes)
        wander = np.where(self.diabetic, 0.009, 0.006) * rooted * draw.standard_normal(n)
        self.wander += -self.wander / 35 * minutes + wander
        effect = from_gut[1] - from_insulin[1] * np.clip(self.glucose / 4.5 - 0.35, 0, 1)
        target = self.mean[:, GLUCOSE] + self.shift[:, GLUCOSE] * strength
        back_min = np.where(self.diabetic, 190.0, 90.0)
        back_min = np.where(strength > 0.02, np.minimum(back_min, self.tau_s / 60), back_min)
        pull = (target - self.glucose) * (1 - np.exp(-minutes / np.maximum(back_min, 1e-3)))
        self.glucose += (effect * self.carbohydrate + self.wander * 0.55) * minutes + pull + 0.012 * rooted * draw.standard_normal(n)
        self.glucose = np.clip(self.glucose, GLUCOSE_FLOOR, GLUCOSE_CEILING)
