// The live stream: connects, resumes after a break where it was, and keeps the state of the run
// under way for the views.

import { token } from "./token";
import { ApiError, api } from "./api";
import type { LiveEvent, PhaseName, Run } from "./types";

export interface LiveToken {
  index: number;
  text: string;
  phase: PhaseName;
  duration_ms: number;
  energy_mj: number | null;
  standard_error_mj: number | null;
  provisional: boolean;
}

export interface LiveCell {
  layer: number | null;
  component: string;
  energy_mj: number | null;
  duration_ms: number;
}

export interface LiveRun {
  run_id: string;
  status: string; // waiting, loading, running, completed, …
  loading: number | null;
  phase: PhaseName | null;
  section: string | null;
  tokens: LiveToken[];
  power: [number, number][]; // of the roots together: t_ms, power_mw
  rails: Record<string, [number, number][]>; // likewise, of each domain
  power_mw: number | null;
  energy_mj: number | null;
  t_ms: number;
  cells: LiveCell[];
  warnings: string[];
  missed: number; // events, as far as their number is known
  stale: boolean; // something was missed, and what the server keeps of the run not taken yet
  error: { message: string; hint: string | null } | null;
}

export type Connection = "connecting" | "open" | "lost";

export interface LiveState {
  connection: Connection;
  retry_s: number | null;
  run: LiveRun | null;
}

export function newRun(run_id: string): LiveRun {
  return {
    run_id,
    status: "waiting",
    loading: null,
    phase: null,
    section: null,
    tokens: [],
    power: [],
    rails: {},
    power_mw: null,
    energy_mj: null,
    t_ms: 0,
    cells: [],
    warnings: [],
    missed: 0,
    stale: false,
    error: null,
  };
}

/** Statuses of a run that is not over. */
export const UNDER_WAY = new Set(["waiting", "queued", "loading", "running"]);

const num = (value: unknown): number | null => (typeof value === "number" ? value : null);
const str = (value: unknown): string | null => (typeof value === "string" ? value : null);

/** Applies one event to the run it belongs to; an event of another run makes that the one shown. */
export function apply(run: LiveRun | null, event: LiveEvent): LiveRun | null {
  if (event.type === "gap") {
    return run
      ? { ...run, missed: run.missed + (num(event.data.missed) ?? 0), stale: true }
      : run;
  }
  let next = run && run.run_id === event.run_id ? { ...run } : newRun(event.run_id);
  const data = event.data;
  next.t_ms = Math.max(next.t_ms, event.t_ms);
  switch (event.type) {
    case "model_loading":
      next.status = "loading";
      next.loading = num(data.progress_ratio);
      break;
    case "run_started":
      next = { ...newRun(event.run_id), status: "running" };
      break;
    case "section_start":
      next.status = "running"; // also where its start was missed
      next.phase = str(data.phase) as PhaseName | null;
      next.section = str(data.section);
      break;
    case "section_end":
      next.section = null;
      break;
    case "token_complete": {
      const token: LiveToken = {
        index: num(data.index) ?? next.tokens.length,
        text: str(data.text) ?? "",
        phase: (str(data.phase) ?? "decode") as PhaseName,
        duration_ms: num(data.duration_ms) ?? 0,
        energy_mj: num(data.energy_mj),
        standard_error_mj: null,
        provisional: true,
      };
      next.tokens = [...next.tokens];
      next.tokens[token.index] = token;
      break;
    }
    case "power_sample": {
      next.power_mw = num(data.power_mw);
      next.energy_mj = num(data.energy_mj) ?? next.energy_mj;
      if (next.power_mw !== null) {
        next.power = [...next.power, [event.t_ms, next.power_mw]];
      }
      if (Array.isArray(data.rails)) {
        next.rails = { ...next.rails };
        for (const rail of data.rails as Record<string, unknown>[]) {
          const name = str(rail.name);
          const power = num(rail.power_mw);
          if (name !== null && power !== null) {
            next.rails[name] = [...(next.rails[name] ?? []), [event.t_ms, power]];
          }
        }
      }
      break;
    }
    case "energy_settled": {
      const settled = Array.isArray(data.tokens) ? (data.tokens as Record<string, unknown>[]) : [];
      next.tokens = [...next.tokens];
      for (const entry of settled) {
        const index = num(entry.index);
        const token = index === null ? undefined : next.tokens[index];
        if (index !== null && token) {
          next.tokens[index] = {
            ...token,
            energy_mj: num(entry.energy_mj),
            standard_error_mj: num(entry.standard_error_mj),
            provisional: false,
          };
        }
      }
      break;
    }
    case "component_metrics": {
      const entries = Array.isArray(data.entries)
        ? (data.entries as Record<string, unknown>[])
        : [];
      next.cells = entries
        .filter((entry) => entry.phase === "decode")
        .map((entry) => ({
          layer: num(entry.layer),
          component: str(entry.component) ?? "",
          energy_mj: num(entry.energy_mj),
          duration_ms: num(entry.duration_ms) ?? 0,
        }));
      break;
    }
    case "inference_complete":
      next.status = str(data.status) ?? "completed";
      next.energy_mj = num(data.energy_mj) ?? next.energy_mj;
      // Power is sampled on for a moment: the last sample may be of after the run.
      next.t_ms = num(data.duration_ms) ?? next.t_ms;
      next.section = null;
      break;
    case "warning":
      next.warnings = [...next.warnings, str(data.message) ?? ""];
      break;
    case "error":
      next.status = "failed";
      next.error = { message: str(data.message) ?? "", hint: str(data.hint) };
      break;
  }
  return next;
}

/** The state of a run that is over, from what the server has kept of it. */
export function settled(run: LiveRun, kept: Run): LiveRun {
  return {
    ...run,
    status: kept.status,
    loading: null,
    section: null,
    tokens: kept.tokens.map((token) => ({
      index: token.index,
      text: token.text,
      phase: token.phase,
      duration_ms: token.duration_ms,
      energy_mj: token.energy_mj,
      standard_error_mj: token.quality.standard_error_mj,
      provisional: false,
    })),
    energy_mj: kept.totals.energy_mj,
    t_ms: kept.totals.duration_ms,
    cells: kept.components.filter((cell) => cell.phase === "decode"),
    warnings: kept.warnings.map((warning) => warning.message),
    missed: 0,
    stale: false,
  };
}

const ASK_AGAIN_MS = 1000;
/** How often the views are told, at most. */
const SHOW_MS = 80;
const FIRST_RETRY_S = 0.5;
const LONGEST_RETRY_S = 15;

/** One connection for the page. */
export class LiveConnection {
  private state: LiveState = { connection: "connecting", retry_s: null, run: null };
  private readonly listeners = new Set<() => void>();
  private socket: WebSocket | null = null;
  // After 0 comes all that is kept. So nothing is lost either where a connection breaks before its
  // first event.
  private since = 0;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private gap: LiveEvent | null = null; // the last one, until another run is heard of
  private asking: ReturnType<typeof setTimeout> | null = null;
  private showing: ReturnType<typeof setTimeout> | null = null;

  constructor() {
    // From the oldest event that the server still has, so that a reload shows the whole run.
    this.connect();
  }

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  snapshot = () => this.state;

  /** Shows a run that was just asked for, unless something was heard of it already. */
  expect(run_id: string) {
    if (this.state.run?.run_id !== run_id) {
      this.update({ run: newRun(run_id) });
    }
  }

  retryNow() {
    if (this.timer !== null) {
      clearTimeout(this.timer);
      this.connect();
    }
  }

  private connect() {
    this.timer = null;
    this.update({ connection: "connecting", retry_s: null });
    const parameters = new URLSearchParams({ since: String(this.since) });
    const secret = token();
    if (secret) {
      parameters.set("token", secret);
    }
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws/profiling?${parameters}`);
    this.socket = socket;
    socket.onopen = () => {
      this.failures = 0;
      this.update({ connection: "open", retry_s: null });
      void this.catchUp();
    };
    socket.onmessage = (message) => this.take(JSON.parse(String(message.data)) as LiveEvent[]);
    socket.onclose = () => {
      if (this.socket === socket) {
        this.scheduleRetry();
      }
    };
  }

  private scheduleRetry() {
    const limit = Math.min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** this.failures);
    this.failures += 1;
    const wait = limit * (0.5 + Math.random() / 2); // not all pages at once
    this.update({ connection: "lost", retry_s: wait });
    this.timer = setTimeout(() => this.connect(), wait * 1000);
  }

  private take(events: LiveEvent[]) {
    let run = this.state.run;
    let behind = false;
    for (const event of events) {
      this.since = event.seq; // goes back where another server tells of the gap and its clock did
      const before = run;
      run = apply(run, event);
      if (event.type === "gap") {
        behind = true;
        this.gap = event;
      } else if (run && run.run_id !== before?.run_id) {
        // Only what came after its start is missed by a run.
        const whole = event.type === "run_started" || event.type === "model_loading";
        run = this.gap && !whole ? apply(run, this.gap)! : run;
        this.gap = null;
      }
      behind ||= event.type === "inference_complete" && (run?.stale ?? false);
    }
    this.state = { ...this.state, run };
    // As fast as eyes follow: a frame a token would keep a slow machine busy with drawing.
    this.showing ??= setTimeout(() => {
      this.showing = null;
      this.update({});
    }, SHOW_MS);
    if (behind) {
      void this.catchUp();
    }
  }

  /**
   * Asks the server for a run of which this page may have missed something: what is over is shown as
   * it was kept. A run that the server does not know ended with the server before it, and one that
   * was under way there is kept as interrupted.
   */
  private async catchUp() {
    const run = this.state.run;
    if (!run || (!UNDER_WAY.has(run.status) && !run.stale)) {
      return;
    }
    const found = await api.run(run.run_id).then(
      (kept) => {
        if (kept.totals && !UNDER_WAY.has(kept.status)) {
          return settled(run, kept);
        }
        if (!UNDER_WAY.has(run.status)) {
          this.askAgain(); // it is over, and being saved
        }
        return null;
      },
      (error: unknown) => {
        if (error instanceof ApiError && error.status === 404) {
          return { ...run, status: UNDER_WAY.has(run.status) ? "lost" : run.status, stale: false };
        }
        if (this.state.connection === "open") {
          this.askAgain(); // a new connection asks by itself
        }
        return null;
      },
    );
    if (found && this.state.run?.run_id === run.run_id) {
      this.update({ run: found });
    }
  }

  private askAgain() {
    this.asking ??= setTimeout(() => {
      this.asking = null;
      void this.catchUp();
    }, ASK_AGAIN_MS);
  }

  private update(change: Partial<LiveState>) {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) {
      listener();
    }
  }
}
