import { expect, test } from "vitest";
import type { VerdictLevel } from "../types";
import { refusal } from "./comparable";

const run = (...reasons: [VerdictLevel, string][]) => ({
  verdict_reasons: reasons.map(([level, code]) => ({ level, code, message: `because of ${code}` })),
});

test("runs that may be quoted, or with caution, are compared", () => {
  expect(refusal(true, [run(), run(["with_caution", "no_baseline"])])).toBeNull();
});

test("one run that is not comparable refuses every ratio, and says why", () => {
  const runs = [run(), run(["with_caution", "no_baseline"], ["not_comparable", "foreign_load"])];
  expect(refusal(true, runs)).toBe("because of foreign_load");
  expect(refusal(false, runs)).toBe("because of foreign_load");
});

test("times of an estimate are measured: only its energies are refused", () => {
  const runs = [run(["not_comparable", "estimate"]), run()];
  expect(refusal(true, runs)).toBe("because of estimate");
  expect(refusal(false, runs)).toBeNull();
});
