// @ts-check
// Every word that a person reads or hears, in one place. {0} {1} are values. Guidance is a PROPOSAL that needs a clinician's sign-off.

/** @type {Record<string, string>} */
const EN = {
  nadi: "Nadi", ward: "Ward", ward_n: "Ward {0}", bed: "Bed", bed_n: "Bed {0}", beds: "Beds", alerts: "Alerts", trust: "Trust", pages: "Pages",
  empty_bed: "Empty bed", no_bed: "no bed", severe_first: "most severe first", to_beds: "Skip to beds", to_alerts: "Skip to alerts",
  // severity, always as shape + colour + word
  high: "CRITICAL", medium: "WARNING", technical: "DEVICE",
  n_high: "{0} critical", n_medium_1: "1 warning", n_medium: "{0} warnings", n_technical_1: "1 device alert", n_technical: "{0} device alerts",
  unowned: "{0} unowned",
  // connection
  connecting: "Connecting…", live: "Live", lag_s: "{0} s", behind: "{0} s behind", lost: "NOT LIVE: connection lost {0} ago",
  lost_pill: "NOT LIVE: connection lost {0} ago", lost_from: "Values here are from {0}. Go by the bedside monitors.",
  lost_never: "No values have been received. Go by the bedside monitors.",
  resumed: "Live again. Gap {0} is marked.",
  resumed_lost: "Live again. Changes in {0} could not all be recovered; what you see now is the newest state.",
  draining: "Server restarting; moving to another…", clock_off: "This computer's clock is {0} {1}", fast: "fast", slow: "slow",
  close: "Close", no_patients: "No patients on Ward {0}. Beds appear when a device is bound.",
  // tile
  no_data: "No data {0}", waiting: "Waiting for first data {0}", waiting_short: "Waiting for first data", not_sending: "Monitor not sending",
  lead_off: "{0} lead off", probe_off: "{0} probe off", no_signal: "{0} no signal", motion: "{0} disturbed by movement", bad_value: "{0} not usable",
  calibrating: "{0} calibrating", not_judged: "Not judged: clock or link",
  last_at: "last {0} at {1}", no_value_yet: "no value yet", dashes: "– –", dash: "–", obs_last: "Last obs {0}", no_obs: "No observations yet",
  recovered: "Recovered, not acknowledged", news2: "NEWS2", of_7: "{0} of 7", missing: "Missing: {0}", no_score: "no score: {0}",
  at_least: "⩾{0}", s2: "S2", s2_title: "SpO₂ scale 2: target 88–92 %", isolation: "Isolation {0}", airborne: "airborne", droplet: "droplet",
  acvpu: "ACVPU", and_o2: "· O₂", air: "Air", oxygen: "O₂", flow: "{0} L/min", fio2: "{0} %",
  no_owner: "No owner yet", owner: "Owner {0}", gone: "Closed",
  // rail
  have: "I have it", seen: "Seen", why: "Why?", sending: "Sending…", undo: "Undo {0}", give_back: "Give back", new_1: "1 new", new_n: "{0} new",
  limit: "limit {0}", lower_bound: "{0} of 7 parts", since: "since {0}", more_below: "{0} more below",
  refused: "Not done: {0}", refused_not_allowed: "you may look, not act, on this ward", refused_owned_by_other: "{0} has it since {1}",
  refused_already_owned: "you have it already", refused_not_owner: "you do not have it", refused_unknown_alert: "the alert has ended",
  refused_bad_shape: "a value was not understood", refused_rate: "too many at once; try again", refused_unknown_patient: "no such patient here",
  refused_log_unavailable: "the record cannot be written now; try again", refused_busy: "the record is busy; try again",
  no_answer: "No answer yet. It will be sent again when the connection is back.", retry: "Send again",
  // why
  why_title: "Why? {0}", rule: "Rule", version: "version {0}", inputs: "What was judged", limit_is: "Limit", whose: "Whose limit",
  quiet_if: "Quiet if", course: "Course", not_seen: "The judgement was made before this page opened; its inputs are not held here.",
  from_patient: "this patient's own, set by {0}", from_site: "the site's", from_default: "default; a proposal that needs sign-off", clears: "clears at {0} for {1}",
  after: "after {0}", points: "{0} points", age: "age {0}", device: "Device", worst: "Worst {0}", raised_value: "Raised at {0}", expected: "a message each {0}",
  t_raised: "raised", t_worsened: "became worse", t_cleared: "condition ended", t_acknowledged: "{0} has it", t_unacknowledged: "{0} gave it back",
  t_closed: "closed", t_seen: "seen by {0}",
  rule_limit: "Limit of one vital sign", rule_news2: "NEWS2 (Royal College of Physicians, 2017)", rule_signal_lost: "Signal lost", rule_silent: "Device silent",
  rule_not_judged: "Not judged: clock or link",
  news_limit: "5 or more, or a single 3: WARNING · 7 or more: CRITICAL",
  // bed panel and observation form
  values: "Values now", vital: "Vital", value: "Value", unit: "Unit", old: "Age", record: "Record observations", consciousness: "Consciousness", oxygen_given: "Oxygen",
  acvpu_A: "Alert", acvpu_C: "New confusion", acvpu_V: "Voice", acvpu_P: "Pain", acvpu_U: "Unresponsive", not_entered: "not entered",
  minutes_ago: "Minutes ago", send: "Record", recorded: "Recorded {0}", nothing_entered: "Enter at least one value.", out_of_range: "{0} must be between {1} and {2}",
  bp_pair: "Enter both blood pressures.", bp_order: "Systolic must be above diastolic.",
  view_only: "Your role may look, not record.",
  // person, help, sign-in
  theme: "Theme", theme_auto: "Like this computer", theme_light: "Light", theme_dark: "Dark", sign_out: "Sign out", help: "Help", keys: "Keys",
  keys_on: "Keyboard shortcuts on", k_next: "next / previous alert", k_have: "I have it (the alert in focus)", k_why: "Why? (the alert in focus)",
  k_undo: "undo or give back what you took last", k_bed: "then two digits: go to a bed", k_arrows: "move over beds", k_enter: "open the bed",
  k_observe: "record observations of the bed in focus", k_esc: "close, back", k_help: "this page",
  secondary: "This board is a secondary display: the bedside monitor stays primary.",
  units_help: "HR, RR per minute · SpO₂ % · BP mmHg · Temp °C · Glu mmol/L",
  sign_in: "Sign in", sign_in_why: "Nadi board", token: "Token", token_hint: "Made with: nadi token --user … --role … --wards …", demo_as: "Demo: sign in as",
  signed_out: "Signed out", out_4401: "Your sign-in has expired.", out_4500: "That token is not valid.", out_4503: "You may not see this ward.",
  out_4501: "The server did not understand this page. Load it again.", out_4504: "You are signed in on too many screens.", out_left: "Nothing of the ward is kept on this computer.",
  role_wards: "{0} · {1}", all_wards: "all wards", site_unreachable: "The server does not answer. Trying again…", demo: "What happens here",
  // announcements
  say_critical_1: "Critical: bed {0}, {1}", say_critical: "{0} new critical: beds {1}", say_warning_1: "Warning: bed {0}, {1}", say_warning: "{0} new warnings: beds {1}",
  say_device_1: "Device: bed {0}, {1}", say_device: "{0} new device alerts: beds {1}", say_owned: "Bed {0}: {1} has it", say_lost: "Not live. Go by the bedside monitors.",
  say_live: "Live again",
  side_low: "low", side_high: "high",
  // tile name for screen readers
  t_bed: "Bed {0}", t_news: "NEWS2 {0}", t_news_low: "NEWS2 at least {0}, {1} of 7, missing {2}", t_no_owner: "no owner", t_old: "{0} old",
  // guidance [PROPOSAL]
  g_news2_high: "Tell the medical team now (registrar or above). Emergency assessment; think sepsis.",
  g_news2_medium: "Urgent review by a doctor or senior nurse. Observations at least hourly.",
  "g_8480-6_low": "Repeat BP within 5 min; tell the doctor if still low.", "g_8480-6_high": "Repeat BP within 5 min; tell the doctor if still high.",
  "g_59408-5_low": "Check the probe and the airway; give oxygen as prescribed; tell the doctor.",
  "g_8867-4_low": "Check pulse and consciousness; 12-lead ECG; tell the doctor.", "g_8867-4_high": "Check pulse and BP; 12-lead ECG; tell the doctor.",
  "g_9279-1_low": "Check airway and consciousness; think of opioids; tell the doctor.", "g_9279-1_high": "Count breaths for one minute; check SpO₂; tell the doctor.",
  "g_8310-5_low": "Measure again; warm the patient; tell the doctor.", "g_8310-5_high": "Measure again; look for infection; tell the doctor.",
  "g_2339-0_low": "Follow the ward hypoglycaemia protocol; measure again in 15 min.", "g_99504-3_low": "Fingerstick now; follow the ward hypoglycaemia protocol.",
  "g_2339-0_high": "Measure again; check ketones; tell the doctor.", "g_99504-3_high": "Fingerstick now; check ketones; tell the doctor.",
  g_signal_lost: "Look at the patient, then at the sensor.", g_silent: "Look at the patient, then at device and network.", g_not_judged: "Check the device's clock and network. Go by the bedside monitor.",
  // parts of NEWS2
  p_respiration_rate: "RR", p_spo2: "SpO₂", p_oxygen: "O₂", p_systolic: "BP", p_pulse: "HR", p_consciousness: "ACVPU", p_temperature: "T",
  m_respiration_rate: "respiration rate", m_spo2: "SpO₂", m_oxygen: "air or oxygen", m_systolic: "blood pressure", m_pulse: "heart rate", m_consciousness: "consciousness", m_temperature: "temperature",
  // why a row has no value
  "a_lead-off": "lead off", a_motion: "movement", "a_no-signal": "no signal", a_calibrating: "calibrating", "a_not-performed": "not performed", a_error: "error",
  "a_not-a-number": "not a number", a_impossible: "impossible value", a_zero: "zero", "a_unit-suspect": "unit in doubt", "a_unit-unknown": "unit unknown", a_unknown: "unknown",
};

/**
 * A text of the catalogue with its values put in. A key that is not there shows itself: a test fails on it.
 * @param {string} key
 * @param {...(string | number)} values
 * @returns {string}
 */
export function t(key, ...values) {
  const text = EN[key] ?? `[${key}]`;
  return values.length ? text.replace(/\{(\d)\}/g, (_, n) => String(values[Number(n)] ?? "")) : text;
}

/**
 * @param {string} key
 * @returns {boolean}
 */
export function has(key) {
  return key in EN;
}

/** @returns {string[]} */
export function keys() {
  return Object.keys(EN);
}
