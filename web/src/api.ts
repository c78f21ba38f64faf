// Requests to the server, and its error answers.

import { token } from "./token";
import type {
  Experiment,
  ExperimentSummary,
  GenerateRequest,
  Health,
  LayerOperation,
  Matrix,
  ModelEntry,
  PowerStatus,
  PowerTimeline,
  Run,
  RunList,
  Trend,
} from "./types";

/** The server's error: what was wrong, and what to do. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
    readonly hint: string | null,
  ) {
    super(message);
  }
}

async function request<T>(path: string, options: RequestInit = {}): Promise<T> {
  const headers = new Headers(options.headers);
  const secret = token();
  if (secret && !/^[\x21-\x7e]+$/.test(secret)) {
    throw new ApiError(
      "The token contains characters that no token has.",
      401,
      "permission_denied",
      "Copy it as enprof serve printed it.",
    );
  }
  if (secret) {
    headers.set("Authorization", `Bearer ${secret}`);
  }
  let response: Response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch {
    throw new ApiError("The server does not answer.", 0, "unavailable", "Is enprof serve running?");
  }
  if (!response.ok) {
    const problem = await response.json().catch(() => null);
    throw new ApiError(
      problem?.message ?? `The server answered with ${response.status}.`,
      response.status,
      problem?.code ?? "internal",
      problem?.hint ?? null,
    );
  }
  try {
    return (await response.json()) as T;
  } catch {
    throw new ApiError("The server's answer was cut off.", 0, "unavailable", "Did enprof serve end?");
  }
}

const id = encodeURIComponent;

/** The parameters that name an experiment, whatever its name is made of. */
const named = (experiment: string, estimates: boolean) =>
  new URLSearchParams({ experiment, ...(estimates ? { estimates: "yes" } : {}) });

export interface ListQuery {
  model?: string;
  tag?: string;
  experiment?: string;
  date_from?: string;
  date_to?: string;
  text?: string;
  capture?: string;
  sort_by?: string;
  order?: string;
  limit?: number;
  offset?: number;
}

export const api = {
  models: (signal?: AbortSignal) =>
    request<{ models: ModelEntry[] }>("/api/models", { signal: signal ?? null }),
  power: () => request<PowerStatus>("/api/power/status"),
  health: () => request<Health>("/api/health"),
  runs: (query: ListQuery) => {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== "") {
        parameters.set(name, String(value));
      }
    }
    return request<RunList>(`/api/profiling/runs?${parameters}`);
  },
  run: (run: string) => request<Run>(`/api/profiling/run/${id(run)}`),
  timeline: (run: string, points = 1200) =>
    request<PowerTimeline>(`/api/profiling/run/${id(run)}/power?points=${points}`),
  /** Of a phase, or of one output token (only for deep runs). */
  matrix: (run: string, metric: string, phase: string, token: number | null) => {
    const parameters = new URLSearchParams({ metric });
    if (token === null) {
      if (phase) {
        parameters.set("phase", phase);
      }
    } else {
      parameters.set("from", String(token));
      parameters.set("to", String(token));
    }
    return request<Matrix>(`/api/profiling/run/${id(run)}/matrix?${parameters}`);
  },
  generate: (order: GenerateRequest) =>
    request<{ run_id: string; position: number }>("/api/profiling/generate", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(order),
    }),
  operations: (run: string, token: number | null = null) =>
    request<{ operations: LayerOperation[] }>(
      `/api/profiling/run/${id(run)}/operations${token === null ? "" : `?from=${token}&to=${token}`}`,
    ),
  tag: (run: string, tags: string[]) =>
    request<{ tags: string[] }>(`/api/profiling/run/${id(run)}`, {
      method: "PATCH",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ tags }),
    }),
  experiments: () => request<{ experiments: ExperimentSummary[] }>("/api/experiments"),
  experiment: (name: string, estimates: boolean) =>
    request<Experiment>(`/api/experiments/analyses?${named(name, estimates)}`),
  trend: (name: string, estimates: boolean) =>
    request<Trend>(`/api/experiments/trend?${named(name, estimates)}`),
  experimentPageUrl: (name: string, estimates: boolean) => {
    const parameters = named(name, estimates);
    const secret = token();
    if (secret) {
      parameters.set("token", secret);
    }
    return `/api/experiments/report?${parameters}`;
  },
  compare: (runs: string[]) =>
    request<{ runs: Run[] }>("/api/profiling/compare", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ run_ids: runs }),
    }),
  remove: (run: string) =>
    request<{ run_id: string }>(`/api/profiling/run/${id(run)}`, { method: "DELETE" }),
  exportUrl: (run: string, format: "json" | "csv") => {
    const secret = token();
    const suffix = secret ? `&token=${id(secret)}` : "";
    return `/api/profiling/export/${id(run)}?format=${format}${suffix}`;
  },
};
