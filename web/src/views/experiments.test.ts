import { describe, expect, it, vi } from "vitest";
import type { Trend, TrendEntry } from "../types";

vi.mock("../parts/analysis-chart", () => ({ AnalysisChart: () => null }));
vi.stubGlobal("location", { hash: "" });
const { trendChart } = await import("./experiments");

const DAY_MS = 86_400_000;
const entry = (day: number, mj: number | null, commit: string | null = null) =>
  ({
    experiment: `nightly-${day}`, started_at_ms: day * DAY_MS, commit,
    energy_per_output_token_mj: mj, energy_per_output_token_half_interval_mj: mj === null ? null : 1,
  }) as TrendEntry;
const trend = (...points: { point: string; entries: TrendEntry[] }[]): Trend => ({
  experiment: "nightly-2", points, runs_on_other_machines: 0, is_cut: false,
});

describe("the trend of an experiment", () => {
  it("has a series for each point, by days, with the commit or the experiment as its name", () => {
    const chart = trendChart(trend({ point: "a", entries: [entry(10, 500, "abc123"), entry(12, 450)] }));
    expect(chart?.series[0]?.points).toMatchObject([
      { x: 0, y: 0.5, y_half_interval: 0.001, label: "abc123" },
      { x: 2, y: 0.45, label: "nightly-12" },
    ]);
  });
  it("leaves out what was not measured, and is none with a single measurement", () => {
    expect(trendChart(trend({ point: "a", entries: [entry(1, 500), entry(2, null)] }))).toBeNull();
    expect(trendChart(trend())).toBeNull();
    const chart = trendChart(
      trend({ point: "a", entries: [entry(1, null)] }, { point: "b", entries: [entry(1, 1), entry(2, 2)] }),
    );
    expect(chart?.series.map((series) => series.name)).toEqual(["b"]);
  });
});
