import { expect, it } from "vitest";
import type { Run } from "../types";
import { interval } from "./interval";

const run = (energy: number | null, prompt = "p") =>
  ({
    prompt,
    model: { name: "m" },
    totals: { output_tokens: 8, energy_per_output_token_mj: energy },
  }) as unknown as Run;

it("gives the mean and Student's interval of runs that repeat", () => {
  const result = interval([run(9), run(10), run(11)])!;
  expect(result.mean).toBe(10);
  expect(result.high - result.mean).toBeCloseTo(4.303 / Math.sqrt(3), 3);
  expect(result.mean - result.low).toBeCloseTo(4.303 / Math.sqrt(3), 3);
});

it("says nothing where runs differ or are not measured", () => {
  expect(interval([run(9), run(10, "q")])).toBeNull();
  expect(interval([run(9), run(null)])).toBeNull();
  expect(interval([run(9)])).toBeNull();
});
