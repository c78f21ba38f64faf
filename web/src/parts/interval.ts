// What repeated runs say together.

import type { Run } from "../types";

/** Student's t, 97.5 %, for 1, 2 and 3 degrees of freedom: two to four runs. */
const T = [12.706, 4.303, 3.182];

/** Mean energy per output token and its 95 % interval, where all runs repeat one another. */
export function interval(runs: Run[]): { mean: number; low: number; high: number } | null {
  const first = runs[0];
  if (!first || runs.length < 2) {
    return null;
  }
  const same = runs.every(
    (run) =>
      run.model.name === first.model.name &&
      run.prompt === first.prompt &&
      run.totals.output_tokens === first.totals.output_tokens,
  );
  const values = runs
    .map((run) => run.totals.energy_per_output_token_mj)
    .filter((value): value is number => value !== null);
  const t = T[values.length - 2];
  if (!same || values.length !== runs.length || t === undefined) {
    return null;
  }
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance =
    values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  const half = t * Math.sqrt(variance / values.length);
  return { mean, low: mean - half, high: mean + half };
}
