// The state of the present run. Events are applied in place, without copying, and all lists are
// bounded; the views get immutable snapshots.

import { PowerLine } from "./live-power";
import { LiveRequestsRecord, type LiveRequests } from "./live-requests";
import { LiveTokens, type LiveToken, type TokenSums } from "./live-tokens";
import type { LiveEvent, PhaseName, PowerPoint, Run } from "./types";

export interface LiveCell {
  layer: number | null;
  component: string;
  energy_mj: number | null;
  duration_ms: number;
}

export interface LiveRail {
  name: string;
  points: readonly PowerPoint[];
}

export interface LiveWarning {
  message: string;
  hint: string | null;
}

/** The steps of a run's progress. */
export const STEPS = ["loading", "prefill", "decode"] as const;

export interface LiveRun {
  run_id: string;
  status: string; // waiting, loading, running, completed, …
  loading: number | null;
  phase: PhaseName | null;
  section: string | null;
  reached: number; // index of the latest step in STEPS
  tokens: readonly LiveToken[]; // the latest ones
  total_tokens: number;
  sums: TokenSums;
  power: readonly PowerPoint[]; // sum of the root domains
  rails: readonly LiveRail[]; // each domain, with the same limits
  rails_left_out: number;
  readings_a_point: number; // the most in one point of power and rails
  /**
   * Power is shown only from this time on, because this page was opened later; null: from the run's
   * beginning.
   */
  power_from_ms: number | null;
  power_mw: number | null;
  energy_mj: number | null;
  t_ms: number;
  cells: readonly LiveCell[];
  requests: LiveRequests | null; // of a program in which they are known
  warnings: readonly LiveWarning[];
  warnings_left_out: number;
  missed: number; // events, as far as the number is known
  stale: boolean; // events were missed, and the stored run was not loaded yet
  error: { message: string; hint: string | null } | null;
}

/** Statuses of a run that has not ended. */
export const UNDER_WAY = new Set(["waiting", "queued", "loading", "running"]);

export const MOST_WARNINGS = 50;
export const MOST_RAILS = 24;

const num = (value: unknown): number | null => (typeof value === "number" ? value : null);
const str = (value: unknown): string | null => (typeof value === "string" ? value : null);
const list = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value) ? (value as Record<string, unknown>[]) : [];

function stepOf(phase: string | null): number {
  return phase === "decode" || phase === "post_inference" ? 2 : 1;
}

export class LiveRunRecord {
  private status = "waiting";
  private loading: number | null = null;
  private phase: PhaseName | null = null;
  private section: string | null = null;
  private reached = 0;
  private tokens = new LiveTokens();
  private power = new PowerLine();
  private rails = new Map<string, PowerLine>();
  private readonly railsLeftOut = new Set<string>();
  private powerFrom: number | null = null;
  private powerMw: number | null = null;
  private energyMj: number | null = null;
  private t = 0;
  private cells: readonly LiveCell[] = [];
  private requests: LiveRequestsRecord | null = null;
  private warnings: readonly LiveWarning[] = [];
  private warningsLeftOut = 0;
  private missed = 0;
  private stale = false;
  private error: LiveRun["error"] = null;
  private drawn: LiveRun | null = null;

  /** `fromBegin`: this page was open before the run began. */
  constructor(
    readonly run_id: string,
    private fromBegin = false,
  ) {}

  get isUnderWay() {
    return UNDER_WAY.has(this.status);
  }

  /** Whether the server will have more data once the run has ended. */
  get isBehind() {
    return this.stale || this.tokens.unsettled > 0;
  }

  /** Applies an event of this run. */
  apply({ type, t_ms, data }: LiveEvent) {
    this.drawn = null;
    this.t = Math.max(this.t, t_ms);
    switch (type) {
      case "model_loading":
        this.status = "loading";
        this.loading = num(data.progress_ratio);
        this.fromBegin = true;
        break;
      case "run_started":
        this.begin();
        break;
      case "section_start":
        this.status = "running"; // also if its start was missed
        this.phase = str(data.phase) as PhaseName | null;
        this.section = str(data.section);
        this.reached = Math.max(this.reached, stepOf(this.phase));
        break;
      case "section_end":
        this.section = null;
        break;
      case "token_complete":
        this.reached = 2;
        this.tokens.set({
          index: num(data.index) ?? this.tokens.total,
          text: str(data.text) ?? "",
          phase: (str(data.phase) ?? "decode") as PhaseName,
          duration_ms: num(data.duration_ms) ?? 0,
          energy_mj: num(data.energy_mj),
          standard_error_mj: null,
          provisional: true,
        });
        break;
      case "power_sample":
        this.sample(t_ms, data);
        break;
      case "energy_settled":
        for (const entry of list(data.tokens)) {
          const token = this.tokens.at(num(entry.index) ?? -1);
          if (token) {
            this.tokens.set({
              ...token,
              energy_mj: num(entry.energy_mj),
              standard_error_mj: num(entry.standard_error_mj),
              provisional: false,
            });
          }
        }
        break;
      case "component_metrics":
        this.cells = list(data.entries)
          .filter((entry) => entry.phase === "decode")
          .map((entry) => ({
            layer: num(entry.layer),
            component: str(entry.component) ?? "",
            energy_mj: num(entry.energy_mj),
            duration_ms: num(entry.duration_ms) ?? 0,
          }));
        break;
      case "request_metrics":
        this.status = this.status === "waiting" ? "running" : this.status; // its start was missed
        (this.requests ??= new LiveRequestsRecord()).apply(data, t_ms);
        break;
      case "inference_complete":
        this.status = str(data.status) ?? "completed";
        this.energyMj = num(data.energy_mj) ?? this.energyMj;
        // Power is sampled a moment longer, so the last sample may be after the run's end.
        this.t = num(data.duration_ms) ?? this.t;
        this.section = null;
        this.requests?.end(this.t);
        break;
      case "warning":
        this.warn({ message: str(data.message) ?? "", hint: str(data.hint) });
        break;
      case "error":
        this.status = "failed";
        this.section = null;
        this.error = { message: str(data.message) ?? "", hint: str(data.hint) };
        break;
    }
  }

  /** Events were missed; the number is not always known. */
  markMissed(count: number | null) {
    this.drawn = null;
    this.missed += count ?? 0;
    this.stale = true;
    this.power.startGap();
    for (const line of this.rails.values()) {
      line.startGap();
    }
  }

  /** The server does not know the run any more. */
  markLost() {
    this.drawn = null;
    this.status = this.isUnderWay ? "lost" : this.status;
    this.stale = false;
  }

  /** The run has ended: replaces the state by the stored run. */
  replaceBy(kept: Run) {
    this.drawn = null;
    this.status = kept.status;
    this.loading = null;
    this.section = null;
    this.tokens = new LiveTokens();
    for (const token of kept.tokens) {
      this.tokens.set({
        index: token.index,
        text: token.text,
        phase: token.phase,
        duration_ms: token.duration_ms,
        energy_mj: token.energy_mj,
        standard_error_mj: token.quality.standard_error_mj,
        provisional: false,
      });
    }
    if (kept.tokens.length > 0) {
      this.reached = 2;
    }
    this.energyMj = kept.totals.energy_mj;
    this.t = kept.totals.duration_ms;
    this.cells = kept.components.filter((cell) => cell.phase === "decode");
    this.warnings = [];
    this.warningsLeftOut = 0;
    kept.warnings.forEach((warning) => this.warn({ message: warning.message, hint: warning.hint }));
    this.missed = 0;
    this.stale = false;
  }

  /** The same object until something changes. */
  get picture(): LiveRun {
    return (this.drawn ??= {
      run_id: this.run_id,
      status: this.status,
      loading: this.loading,
      phase: this.phase,
      section: this.section,
      reached: this.reached,
      tokens: this.tokens.latest,
      total_tokens: this.tokens.total,
      sums: { ...this.tokens.sums },
      power: this.power.points,
      rails: [...this.rails].map(([name, line]) => ({ name, points: line.points })),
      rails_left_out: this.railsLeftOut.size,
      readings_a_point: Math.max(
        this.power.merged,
        ...[...this.rails.values()].map((line) => line.merged),
      ),
      power_from_ms: this.powerFrom,
      power_mw: this.powerMw,
      energy_mj: this.energyMj,
      t_ms: this.t,
      cells: this.cells,
      requests: this.requests?.picture ?? null,
      warnings: this.warnings,
      warnings_left_out: this.warningsLeftOut,
      missed: this.missed,
      stale: this.stale,
      error: this.error,
    });
  }

  private begin() {
    this.status = "running";
    this.loading = null;
    this.reached = 1;
    this.fromBegin = true;
    this.t = 0;
    this.missed = 0; // those were before it
    this.stale = false;
  }

  private sample(at: number, data: Record<string, unknown>) {
    this.powerMw = num(data.power_mw);
    this.energyMj = num(data.energy_mj) ?? this.energyMj;
    this.power.add(at, this.powerMw);
    for (const rail of list(data.rails)) {
      const name = str(rail.name);
      if (name !== null) {
        this.railOf(name)?.add(at, num(rail.power_mw));
      }
    }
    if (!this.fromBegin && this.powerFrom === null) {
      const first = [this.power, ...this.rails.values()].flatMap((line) => line.points[0]?.[0] ?? []);
      this.powerFrom = first.length > 0 ? Math.min(...first) : null;
    }
  }

  private railOf(name: string): PowerLine | null {
    const known = this.rails.get(name);
    if (known) {
      return known;
    }
    if (this.rails.size >= MOST_RAILS) {
      if (this.railsLeftOut.size < MOST_RAILS) {
        this.railsLeftOut.add(name);
      }
      return null;
    }
    const line = new PowerLine();
    this.rails.set(name, line);
    return line;
  }

  private warn(warning: LiveWarning) {
    if (this.warnings.length < MOST_WARNINGS) {
      this.warnings = [...this.warnings, warning];
    } else {
      ++this.warningsLeftOut;
    }
  }
}
