// Whether runs can be compared, by their verdicts.

import type { VerdictReason } from "../types";

/** Reasons that say nothing against times and speeds. */
const ABOUT_ENERGY = new Set([
  "estimate",
  "no_energy",
  "low_coverage",
  "too_short",
  "baseline_above_run",
]);

/** Why no ratio of a figure of these runs means anything; null if one may be computed. */
export function refusal(
  ofPower: boolean,
  runs: { verdict_reasons: VerdictReason[] }[],
): string | null {
  const found = runs
    .flatMap((run) => run.verdict_reasons)
    .find(
      (reason) =>
        reason.level === "not_comparable" && (ofPower || !ABOUT_ENERGY.has(reason.code)),
    );
  return found?.message ?? null;
}
