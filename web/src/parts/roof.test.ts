import { expect, it } from "vitest";
import type { OperationFigure } from "../types";
import { costs, decades, isPower, roofAt, roofOf } from "./roof";

const operation = (flops: number | null, bytes: number, energy_mj: number | null, error: number | null = null) =>
  ({ flops, bytes, energy_mj, quality: { standard_error_mj: error } }) as OperationFigure;

it("divides energy by work, and leaves out what is not known", () => {
  const [cost, ...others] = costs([
    operation(2e9, 1e9, 10, 1),
    operation(null, 1e9, 10),
    operation(1e9, 1e9, null),
    operation(1e9, 1e9, -1),
  ]);
  expect(others).toEqual([]);
  expect(cost).toMatchObject({ intensity: 2, pj_per_flop: 5, error: 0.5, pj_per_byte: 10 });
});

it("takes the least that is certain for the roof", () => {
  const roof = roofOf(
    costs([operation(1e9, 1e9, 100, 10), operation(1e9, 1e7, 50), operation(1e9, 1e9, 1, 1)]),
  )!;
  expect(roof).toEqual({ pj_per_flop: 50, pj_per_byte: 100 });
  expect(roofAt(roof, 0.5)).toBe(200);
  expect(roofAt(roof, 100)).toBe(50);
  expect(roofOf([])).toBeNull();
});

it("has at least one figure on its axis", () => {
  expect(decades(2, 5)).toEqual([1, 10]);
  expect(decades(0.05, 300)).toEqual([0.05, 300]);
  expect(decades(0.5, 5)).toEqual([0.5, 5]);
  expect(isPower(0.001) && isPower(10 ** 3) && !isPower(0.5)).toBe(true);
});
