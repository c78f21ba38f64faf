import { describe, expect, it, vi } from "vitest";

vi.mock("../chart", () => ({ Chart: () => null, axis: () => ({}), legend: () => ({}), tooltip: () => ({}) }));
const { axisText, colourIndices, drawable } = await import("./analysis-chart");

const axis = { title: null, unit: null, is_logarithmic: true };
const point = (x: number, y: number) => ({ x, y, x_half_interval: null, y_half_interval: null, label: null });

describe("a chart of an analysis", () => {
  it("gives a curve the colour of the points that it was fitted to", () => {
    expect(colourIndices([{ kind: "points" }, { kind: "line" }, { kind: "points" }, { kind: "line" }])).toEqual([
      0, 0, 1, 1,
    ]);
    expect(colourIndices([{ kind: "bars" }, { kind: "bars" }])).toEqual([0, 1]);
    expect(colourIndices([{ kind: "line" }])).toEqual([0]);
  });
  it("leaves out what a logarithmic axis has no place for", () => {
    const series = { name: "a", kind: "points" as const, points: [point(1, 2), point(0, 2), point(3, -1)] };
    const chart = { title: "t", x: axis, y: axis, categories: [], series: [series] };
    expect(drawable(chart, series)).toEqual([point(1, 2)]);
  });
  it("writes numbers with the unit's prefix", () => {
    expect(axisText(0.0025, { unit: "J" })).toBe("2.50 mJ");
    expect(axisText(512, { unit: null })).toBe("512");
    expect(axisText(7_240_000, { unit: null })).toBe("7.24 M");
  });
});
