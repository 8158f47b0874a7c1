// @ts-check
// What the board knows of each vital: label, unit as shown, decimals, fixed axis of the sparkline, slope that earns an arrow.

export const HR = "8867-4";
export const RR = "9279-1";
export const SPO2 = "59408-5";
export const SBP = "8480-6";
export const DBP = "8462-4";
export const TEMP = "8310-5";
export const GLU = "2339-0";
export const CGM = "99504-3";
export const ACVPU = "67775-7";
export const OXYGEN = "107117-4";
export const FLOW = "3151-8";
export const FIO2 = "3150-6";

/**
 * `arrow`: [small, large] change over `over_ms` [PROPOSAL]; `axis`: [low, high]; `range`: what the form takes.
 * @typedef {{label: string, unit: string, ucum: string, decimals: number, axis: [number, number], arrow: [number, number], over_ms: number,
 *            part: string, range: [number, number]}} Vital
 */
const QUARTER_MS = 15 * 60_000;

/** @type {Record<string, Vital>} */
export const VITALS = {
  [HR]: { label: "HR", unit: "/min", ucum: "/min", decimals: 0, axis: [40, 145], arrow: [8, 20], over_ms: QUARTER_MS, part: "pulse", range: [1, 350] },
  [SPO2]: { label: "SpO₂", unit: "%", ucum: "%", decimals: 0, axis: [82, 100], arrow: [1, 2], over_ms: QUARTER_MS, part: "spo2", range: [1, 100] },
  [RR]: { label: "RR", unit: "/min", ucum: "/min", decimals: 0, axis: [6, 34], arrow: [3, 6], over_ms: QUARTER_MS, part: "respiration_rate", range: [1, 170] },
  [SBP]: { label: "BP", unit: "mmHg", ucum: "mm[Hg]", decimals: 0, axis: [70, 180], arrow: [10, 25], over_ms: QUARTER_MS, part: "systolic", range: [1, 400] },
  [DBP]: { label: "DBP", unit: "mmHg", ucum: "mm[Hg]", decimals: 0, axis: [30, 120], arrow: [10, 25], over_ms: QUARTER_MS, part: "", range: [1, 300] },
  [TEMP]: { label: "Temp", unit: "°C", ucum: "Cel", decimals: 1, axis: [35, 40], arrow: [0.5, 1], over_ms: 8 * QUARTER_MS, part: "temperature", range: [14.2, 47] },
  [GLU]: { label: "Glu", unit: "mmol/L", ucum: "mmol/L", decimals: 1, axis: [2, 14], arrow: [0.9, 1.65], over_ms: QUARTER_MS, part: "", range: [0.55, 111] },
  [CGM]: { label: "Glu", unit: "mmol/L", ucum: "mmol/L", decimals: 1, axis: [2, 14], arrow: [0.9, 1.65], over_ms: QUARTER_MS, part: "", range: [2.1, 22.3] },
  [FLOW]: { label: "O₂ flow", unit: "L/min", ucum: "L/min", decimals: 0, axis: [0, 15], arrow: [99, 99], over_ms: QUARTER_MS, part: "oxygen", range: [0, 80] },
  [FIO2]: { label: "FiO₂", unit: "%", ucum: "%", decimals: 0, axis: [21, 100], arrow: [99, 99], over_ms: QUARTER_MS, part: "oxygen", range: [15, 100] },
};

export const ACVPU_TEXT = ["A", "C", "V", "P", "U"];

/** Parts of NEWS2 in the order of its chart, the codes that feed each, and how old each may be (ms). */
export const PARTS = ["respiration_rate", "spo2", "oxygen", "systolic", "pulse", "consciousness", "temperature"];
/** @type {Record<string, string[]>} */
export const PART_CODES = {
  respiration_rate: [RR], spo2: [SPO2], oxygen: [OXYGEN, FLOW, FIO2], systolic: [SBP], pulse: [HR], consciousness: [ACVPU], temperature: [TEMP],
};
/** @type {Record<string, number>} */
export const PART_AGE_MS = { systolic: 3_600_000, oxygen: 43_200_000, consciousness: 43_200_000 };
export const SPOT_AGE_MS = 21_600_000;

/**
 * The unit as people read it; "" for coded values.
 * @param {string} code
 * @returns {string}
 */
export function unitOf(code) {
  return VITALS[code]?.unit ?? "";
}

/**
 * @param {string} code
 * @returns {string}
 */
export function labelOf(code) {
  if (code === ACVPU) return "ACVPU";
  if (code === OXYGEN) return "O₂";
  return VITALS[code]?.label ?? code;
}

/**
 * A number of a vital as text: decimals of its kind, coded values as their letter.
 * @param {string} code
 * @param {number} value
 * @returns {string}
 */
export function numberOf(code, value) {
  if (code === ACVPU) return ACVPU_TEXT[value] ?? "?";
  if (code === OXYGEN) return value ? "O₂" : "Air";
  const decimals = VITALS[code]?.decimals ?? 1;
  const scale = 10 ** decimals;
  return (Math.floor(value * scale + 0.5 + 1e-9) / scale).toFixed(decimals); // half-up, as the score rounds
}
