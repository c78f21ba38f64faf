import { expect, it } from "vitest";
import type { Run, RunSummary } from "../types";
import { repeats } from "./repeats";

const run = {
  depth: "module",
  prompt: "p",
  model: { name: "m", quantization: "Q8_0" },
  totals: { output_tokens: 8, quality: { method: "measured" } },
} as Run;
const other = {
  depth: "module",
  prompt: "p",
  model: "m",
  quantization: "Q8_0",
  output_tokens: 8,
  method: "attributed",
  status: "completed",
} as RunSummary;

it("takes only the same work, measured alike, for a repetition", () => {
  expect(repeats(run, other)).toBe(true);
  expect(repeats(run, { ...other, prompt: "P" })).toBe(false);
  expect(repeats(run, { ...other, depth: "deep" })).toBe(false);
  expect(repeats(run, { ...other, output_tokens: 9 })).toBe(false);
  expect(repeats(run, { ...other, status: "cancelled" })).toBe(false);
  expect(repeats(run, { ...other, quantization: "Q4_0" })).toBe(false);
  // An estimate does not repeat a measurement.
  expect(repeats(run, { ...other, method: "estimated" })).toBe(false);
});
