// Shapes of the protocol `nadi.v1` (schemas/events.py) and of the board's state. For the type checker alone: never loaded by a browser.
declare namespace Nadi {
  interface Vital {
    device: string; device_class: string; t_ms: number; received_ms: number; value?: number | null; absent?: string | null; flags?: number;
    interval_ms?: number; last_value?: number; last_t_ms?: number;
  }
  interface Score {
    at_ms?: number; total?: number | null; lower_bound?: number; parts?: Record<string, number | null>; missing?: string[]; none?: string;
  }
  interface Device { device: string; device_class: string; interval_ms: number; bound_ms: number; last_ms?: number; silent_since_ms?: number }
  interface Alert {
    alert: string; patient: string; kind: string; rule: string; rule_version: number; priority: "high" | "medium" | "technical"; code: string; device: string;
    side: string; status: "active" | "cleared" | "closed"; onset_ms: number; raised_ms: number; cleared_ms: number | null; owner: string | null;
    owner_role: string; owned_ms: number | null; value: number | null; worst: number | null; seq: number;
  }
  interface Input {
    code?: string; value?: number | null; unit?: string; t_ms?: number; age_ms?: number; device?: string; part?: string; points?: number | null; absent?: string;
    interval_ms?: number;
  }
  interface Evidence {
    inputs?: Input[]; limit?: Record<string, any> | null; limit_source?: string; score?: Record<string, any> | null; reason?: string; count?: number; quiet_if?: string;
  }
  interface AlertEvent {
    id: string; transition: string; patient: string; at_ms: number; cause: string; seq: number; alert?: string; state?: Alert; evidence?: Evidence; by?: string;
    command?: string;
  }
  interface Patient {
    patient: string; admitted?: boolean; ward: string; bed: string; initials: string; age_years: number | null; sex: string | null; isolation: string;
    spo2_scale_2: boolean; diabetes: boolean; vitals: Record<string, Vital[]>; score: Score | null; devices: Device[]; limits: Record<string, (number | null)[]>;
  }
  type Series = [number, number][];
  interface Position { incarnation: string; offsets: number[] }
  interface Me { user: string; role: string; wards: string[]; ini: string }
  interface User { user: string; role: string; wards: string[]; initials?: string }
  interface Site { tz: string; demo: boolean; users?: User[]; version?: string; script?: { at_s: number; text: string }[]; start_ms?: number }
  interface Command {
    id: string; kind: string; patient: string; alert?: string; at_ms?: number | null; readings?: { code: string; value?: number; unit?: string; coded?: string }[];
    sent_mono: number; taken: boolean;
  }
  interface Outcome { id: string; kind: string; patient: string; alert?: string; done: boolean; reason: string; mono: number; owner?: string | null; owned_ms?: number | null }
  interface Link {
    phase: "idle" | "opening" | "open" | "live" | "closed" | "out"; code: number; ever: boolean; heard_mono: number; cut_mono: number | null; draining: boolean;
    skews: number[]; wall: number; lag_ms: number; resumed: null | { from_ms: number; to_ms: number; full: boolean; mono: number };
  }
  interface State {
    site: Site | null; me: Me | null; tz: string; ward: string; beds: string[] | null; patients: Record<string, Patient>; left: Record<string, { bed: string; initials: string }>;
    alerts: Record<string, Alert>; seqs: Record<string, number>; answered: Record<string, true>; course: Record<string, AlertEvent[]>;
    trends: Record<string, Record<string, Series>>; shard_ms: Record<string, number>; pos: Position | null; key_pos: Position | null; link: Link; commands: Record<string, Command>;
    outcomes: Record<string, Outcome>; gaps: [number, number][];
  }
}
