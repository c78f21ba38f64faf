// Runs that repeat one another: the same work, measured more than once.

import { api } from "../api";
import type { Run, RunSummary } from "../types";

/** The server looks for a part of the prompt; the rest is compared here. */
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
    other.method !== null &&
    run.totals.quality.method !== null &&
    (other.method === "estimated") === (run.totals.quality.method === "estimated")
  );
}

/** For each run, all in the history that did the same, itself among them. */
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
