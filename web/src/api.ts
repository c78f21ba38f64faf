// Requests to the server, and what it says when it refuses.

import type {
  GenerateRequest,
  Health,
  Matrix,
  ModelEntry,
  PowerStatus,
  PowerTimeline,
  Run,
  RunList,
} from "./types";

/** What the server said was wrong, and what to do. */
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

// A server that is open to the network wants its token: it comes once in the page's address and is
// kept for this tab, out of sight.
const TOKEN = "enprof-token";
const given = new URLSearchParams(location.search).get("token");
if (given) {
  sessionStorage.setItem(TOKEN, given);
  history.replaceState(null, "", location.pathname + location.hash);
}
export const token = () => sessionStorage.getItem(TOKEN);

async function request<T>(path: string, options: RequestInit = {}): Promise<T> {
  const headers = new Headers(options.headers);
  const secret = token();
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
  return (await response.json()) as T;
}

const id = encodeURIComponent;

export interface ListQuery {
  model?: string;
  tag?: string;
  experiment?: string;
  text?: string;
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
  matrix: (run: string, metric: string, phase: string, from?: number, to?: number) => {
    const parameters = new URLSearchParams({ metric, phase });
    if (from !== undefined && to !== undefined) {
      parameters.set("from", String(from));
      parameters.set("to", String(to));
    }
    return request<Matrix>(`/api/profiling/run/${id(run)}/matrix?${parameters}`);
  },
  generate: (order: GenerateRequest) =>
    request<{ run_id: string; position: number }>("/api/profiling/generate", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(order),
    }),
  remove: (run: string) =>
    request<{ run_id: string }>(`/api/profiling/run/${id(run)}`, { method: "DELETE" }),
  exportUrl: (run: string, format: "json" | "csv") => {
    const secret = token();
    const suffix = secret ? `&token=${id(secret)}` : "";
    return `/api/profiling/export/${id(run)}?format=${format}${suffix}`;
  },
};
