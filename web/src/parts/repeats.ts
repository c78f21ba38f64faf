// Repetitions of a run: the same work, measured more than once.

import { api } from "../api";
import type { Run, RunSummary } from "../types";

/** The server searches for this much of the prompt; the rest is compared here. */
const SEARCHED = 120;
const MOST = 200;

export function repeats(run: Run, other: RunSummary): boolean {
  return (
    other.status === "completed" &&
    other.prompt === run.prompt &&
    other.depth === run.depth &&
    other.model === run.model.name &&
    other.quantization === run.model.quantization &&
    other.output_tokens === run.totals.output_tokens &&
    other.verdict !== "not_comparable" &&
    other.method !== null &&
    run.totals.quality.method !== null &&
    (other.method === "estimated") === (run.totals.quality.method === "estimated")
  );
}

/** For each run, all runs in the history that did the same work, including itself. */
export function findRepeats(runs: Run[]): Promise<RunSummary[][]> {
  return Promise.all(
    runs.map(async (run) => {
      const query = {
        text: run.prompt.slice(0, SEARCHED),
        limit: MOST,
        ...(run.model.name ? { model: run.model.name } : {}),
      };
      const list = await api.runs(query);
      return list.runs.filter((other) => repeats(run, other));
    }),
  );
}
