// @ts-check
// The part of the fold that holds the ward: patients, alerts, trends. Whole per code, per device; newest number of an alert wins.

const HEADER = /** @type {const} */ (["ward", "bed", "initials", "age_years", "sex", "isolation", "spo2_scale_2", "diabetes"]);
const SERIES_MS = 2 * 3_600_000;
const COURSE = 100;
const REMEMBERED = 2000;

/**
 * @template T
 * @param {Record<string, T>} table
 * @param {string} key
 */
export function without(table, key) {
  if (!(key in table)) return table;
  const { [key]: _, ...rest } = table;
  return rest;
}

/** @param {string} patient @returns {Nadi.Patient} */
function nobody(patient) {
  return {
    patient, ward: "", bed: "", initials: "", age_years: null, sex: null, isolation: "", spo2_scale_2: false, diabetes: false, vitals: {}, score: null, devices: [], limits: {},
  };
}

/**
 * Puts a delta on top of a patient. A frame that names a ward carries the whole header and all devices.
 * @param {Nadi.Patient} known
 * @param {any} delta
 * @returns {Nadi.Patient}
 */
export function merged(known, delta) {
  const next = { ...known };
  if (delta.ward || delta.bed || delta.initials) {
    const plain = nobody(known.patient);
    for (const name of HEADER) /** @type {any} */ (next)[name] = delta[name] ?? plain[name];
    next.devices = delta.devices ?? [];
  } else if (delta.devices?.length) {
    const fresh = new Map(known.devices.map((d) => [d.device, d]));
    for (const device of delta.devices) fresh.set(device.device, device);
    next.devices = [...fresh.values()];
  }
  if (delta.vitals) next.vitals = { ...known.vitals, ...delta.vitals };
  if (delta.limits && Object.keys(delta.limits).length) next.limits = { ...known.limits, ...delta.limits };
  if (delta.score) next.score = delta.score;
  return next;
}

/**
 * `key`: everything that the subscription shows.
 * @param {Nadi.State} state
 * @param {any} f
 * @returns {Nadi.State}
 */
export function foldKey(state, f) {
  /** @type {Record<string, Nadi.Patient>} */
  const patients = {};
  /** @type {Record<string, Nadi.Alert>} */
  const alerts = {};
  const seqs = { ...state.seqs };
  for (const whole of f.patients ?? []) {
    patients[whole.patient] = merged(nobody(whole.patient), whole);
    for (const told of whole.alerts ?? []) {
      const known = state.alerts[told.alert];
      if ((seqs[told.alert] ?? -1) > told.seq) {
        if (known) alerts[told.alert] = known;
        continue;
      }
      alerts[told.alert] = complete(told);
      seqs[told.alert] = told.seq;
    }
  }
  const pos = f.pos ?? state.pos;
  return { ...state, patients, alerts, seqs, beds: f.beds ?? state.beds, trends: f.trends ?? {}, shard_ms: { ...f.shard_ms }, pos, key_pos: f.pos ?? null, left: {} };
}

/**
 * An AlertState with the fields that its encoding may leave out.
 * @param {any} told
 * @returns {Nadi.Alert}
 */
function complete(told) {
  const plain = {
    code: "", device: "", side: "", status: "active", onset_ms: 0, raised_ms: 0, cleared_ms: null, owner: null, owner_role: "", owned_ms: null, value: null, worst: null, seq: 0,
  };
  return { ...plain, ...told };
}

/**
 * `live`: deltas of patients.
 * @param {Nadi.State} state
 * @param {any} f
 * @returns {Nadi.State}
 */
export function foldLive(state, f) {
  let patients = { ...state.patients };
  let left = state.left;
  for (const delta of f.frames ?? []) {
    const known = patients[delta.patient];
    if (delta.admitted === false) {
      if (known) left = { ...left, [delta.patient]: { bed: known.bed, initials: known.initials } };
      patients = without(patients, delta.patient);
    } else if (known || delta.ward === state.ward) {
      patients[delta.patient] = merged(known ?? nobody(delta.patient), delta);
    }
  }
  const shard_ms = f.shard_ms ? { ...state.shard_ms, ...f.shard_ms } : state.shard_ms;
  return { ...state, patients, left, shard_ms };
}

/**
 * `trend`: medians of one minute.
 * @param {Nadi.State} state
 * @param {any} f
 * @returns {Nadi.State}
 */
export function foldTrend(state, f) {
  const trends = { ...state.trends };
  for (const [patient, loinc, median] of f.m ?? []) {
    const own = { ...trends[patient] };
    const series = (own[loinc] ?? []).filter(([m]) => m !== f.minute_ms && m > f.minute_ms - SERIES_MS);
    const at = series.findIndex(([m]) => m > f.minute_ms);
    series.splice(at < 0 ? series.length : at, 0, [f.minute_ms, median]);
    own[loinc] = series;
    trends[patient] = own;
  }
  return { ...state, trends };
}

/**
 * `ev`: one event of the record. The same event twice changes nothing. An older one completes the course; what lies before the
 * position of the key is in the key already, so it opens nothing.
 * @param {Nadi.State} state
 * @param {{s: number, o: number, e: Nadi.AlertEvent}} f
 * @returns {Nadi.State}
 */
export function foldEvent(state, f) {
  const next = { ...state, pos: moved(state.pos, f.s, f.o + 1) };
  const event = f.e;
  if (!event.alert || !event.state) {
    if (event.id in state.answered) return next;
    return { ...next, answered: bounded({ ...state.answered, [event.id]: true }) };
  }
  next.course = told(state.course, event);
  if (f.o < (state.key_pos?.offsets[f.s] ?? 0) && !(event.alert in state.alerts)) return next;
  if (event.seq <= (state.seqs[event.alert] ?? state.alerts[event.alert]?.seq ?? -1)) return next;
  next.seqs = bounded({ ...state.seqs, [event.alert]: event.seq });
  const now = complete(event.state);
  next.alerts = now.status === "closed" ? without(state.alerts, event.alert) : { ...state.alerts, [event.alert]: now };
  return next;
}

/**
 * @param {Record<string, Nadi.AlertEvent[]>} course
 * @param {Nadi.AlertEvent} event
 */
function told(course, event) {
  const alert = /** @type {string} */ (event.alert);
  const known = course[alert] ?? [];
  if (known.some((e) => e.id === event.id)) return course;
  const events = [...known, event].sort((a, b) => a.seq - b.seq).slice(-COURSE);
  return bounded({ ...course, [alert]: events });
}

/**
 * @template T
 * @param {Record<string, T>} table
 * @returns {Record<string, T>}
 */
function bounded(table) {
  const names = Object.keys(table);
  return names.length > REMEMBERED ? Object.fromEntries(Object.entries(table).slice(-REMEMBERED)) : table;
}

/**
 * @param {Nadi.Position | null} pos
 * @param {number} shard
 * @param {number} next
 */
function moved(pos, shard, next) {
  if (!pos || (pos.offsets[shard] ?? 0) >= next) return pos;
  const offsets = [...pos.offsets];
  offsets[shard] = next;
  return { ...pos, offsets };
}
