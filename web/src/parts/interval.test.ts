import { expect, it } from "vitest";
import { difference, interval, studentT } from "./interval";

it("gives the mean and Student's interval of what repeats", () => {
  const result = interval([9, 10, 11])!;
  expect(result.mean).toBe(10);
  expect(result.half).toBeCloseTo(4.303 / Math.sqrt(3), 3);
  expect(interval([9])).toBeNull();
  expect(interval([])).toBeNull();
});

it("is never narrower than it may be between whole degrees of freedom", () => {
  expect(studentT(1.9)).toBe(12.706);
  expect(studentT(30)).toBe(2.042);
  expect(studentT(60)).toBeCloseTo(2.0003, 2);
  expect(studentT(1e9)).toBeCloseTo(1.96, 3);
});

it("gives Welch's interval of a difference", () => {
  // For two samples of equal spread and size it is Student's: 4 degrees of freedom.
  const result = difference([9, 10, 11], [12, 13, 14])!;
  expect(result.mean).toBe(3);
  expect(result.half).toBeCloseTo(2.776 * Math.sqrt(2 / 3), 2);
  expect(difference([1, 1], [2, 2])).toEqual({ mean: 1, half: 0, count: 4 });
  expect(difference([1], [2, 3])).toBeNull();
});
