import { describe, expect, it } from "vitest";
import { countsOf, rowsOf } from "./in-flight";

const between = (begin: number, end: number) => ({ begin, end });

describe("rows of requests", () => {
  it("uses a row again when it is free", () => {
    expect(rowsOf([between(0, 10), between(5, 20), between(10, 15), between(12, 13)])).toEqual([0, 1, 0, 2]);
  });
  it("has none for none", () => {
    expect(rowsOf([])).toEqual([]);
  });
});

describe("requests in flight", () => {
  it("counts those that overlap", () => {
    expect(countsOf([between(0, 10), between(5, 20)])).toEqual([
      { at: 0, count: 1 },
      { at: 5, count: 2 },
      { at: 10, count: 1 },
      { at: 20, count: 0 },
    ]);
  });
  it("does not count one that ends with one that begins then", () => {
    expect(countsOf([between(0, 10), between(10, 20)])).toEqual([
      { at: 0, count: 1 },
      { at: 10, count: 1 },
      { at: 20, count: 0 },
    ]);
  });
});
