// Draws a chart of an analysis: points with intervals, curves with bands, stacked bars.

import { useMemo } from "react";
import { Chart, axis, legend, tooltip, type Line, type Palette } from "../chart";
import { short, si } from "../format";
import type { AnalysisAxis, AnalysisChart as ChartData, AnalysisSeries } from "../types";
import { errorBar } from "./error-bar";

const MARKS = ["circle", "rect", "triangle", "diamond"];

/** A number of an axis. */
export const axisText = (value: number, { unit }: { unit: string | null }, count = 3) =>
  unit ? si(value, unit, count) : Math.abs(value) < 1e4 ? String(Number(value.toPrecision(count + 1))) : si(value, "", count).trimEnd();

/** A curve has the colour of the points before it, which it was fitted to. */
export function colourIndices(series: { kind: string }[]): number[] {
  let next = -1;
  return series.map(({ kind }) => (kind === "line" && next >= 0 ? next : (next += 1)));
}

/** Points that an axis can show: a logarithmic one has no place for zero. */
export const drawable = (chart: ChartData, series: AnalysisSeries) =>
  series.points.filter(
    ({ x, y }) =>
      Number.isFinite(x) && Number.isFinite(y) &&
      (!chart.x.is_logarithmic || x > 0) && (!chart.y.is_logarithmic || y > 0),
  );

interface Item {
  seriesName: string;
  color: string;
  data?: { value: (number | string)[]; half?: number | null; label?: string | null };
}

function optionOf(chart: ChartData, colors: Palette) {
  const indices = colourIndices(chart.series);
  const bars = chart.categories.length > 0;
  const axisOf = (of: AnalysisAxis, gap: number) =>
    axis(of.title ?? "", colors, {
      type: of.is_logarithmic ? "log" : "value",
      nameGap: gap,
      scale: true,
      axisLabel: {
        color: colors.muted, fontSize: 11, hideOverlap: true,
        formatter: (value: number) => axisText(value, of),
      },
    });
  const colour = (index: number) => colors.series[(indices[index] ?? 0) % colors.series.length];
  const y = axisOf(chart.y, 62);
  return {
    grid: { left: 84, right: 18, top: chart.series.length > 1 ? 46 : 16, bottom: bars ? 86 : 50 },
    legend: legend(colors, {
      type: "scroll",
      show: chart.series.length > 1,
      data: chart.series.filter(({ kind }) => kind !== "line").map(({ name }) => name),
    }),
    tooltip: tooltip(colors, (item: Item): Line[] => {
      const data = item.data;
      if (!data) {
        return [];
      }
      const [x, value] = data.value;
      const where = bars
        ? (chart.categories[Number(x)] ?? "")
        : `${chart.x.title ?? "x"}: ${axisText(Number(x), chart.x, 4)}`;
      const half = data.half ? ` ± ${axisText(data.half, chart.y, 2)}` : "";
      return [
        [{ dot: item.color }, data.label ?? short(item.seriesName, 60)],
        [where],
        [{ strong: `${axisText(Number(value), chart.y, 4)}${half}` }],
      ];
    }),
    xAxis: bars
      ? {
          ...axis("", colors),
          type: "category",
          data: chart.categories,
          axisLabel: {
            color: colors.muted, fontSize: 11, rotate: 30, interval: 0, width: 130, overflow: "truncate",
            formatter: (name: string) => short(name, 40),
          },
        }
      : axisOf(chart.x, 30),
    yAxis: bars ? { ...y, scale: false } : y,
    series: chart.series.flatMap((series, index): object[] => {
      const color = colour(index);
      const points = drawable(chart, series);
      const data = points.map((point) => ({
        value: [point.x, point.y], half: point.y_half_interval, label: point.label,
      }));
      if (series.kind === "bars") {
        return [
          {
            type: "bar", name: series.name, stack: "all", color, data, barMaxWidth: 70,
            itemStyle: { borderColor: colors.panel, borderWidth: 0.5 },
          },
        ];
      }
      if (series.kind === "line") {
        const band = points.filter((point) => point.y_half_interval !== null);
        const edge = (sign: number) => ({
          type: "line", name: series.name, color, symbol: "none", silent: true, tooltip: { show: false },
          lineStyle: { width: 1, opacity: 0.45, type: "dashed" },
          data: band.map((point) => [point.x, point.y + sign * (point.y_half_interval ?? 0)]),
        });
        return [
          { type: "line", name: series.name, color, symbol: "none", lineStyle: { width: 1.6 }, data },
          ...(band.length > 0 ? [edge(-1), edge(1)] : []),
        ];
      }
      return [
        {
          type: "scatter", name: series.name, color, symbolSize: 9, symbol: MARKS[(indices[index] ?? 0) % MARKS.length],
          data, z: 4,
          label: {
            show: chart.series.reduce((sum, each) => sum + (each.kind === "points" ? each.points.length : 0), 0) <= 12,
            position: "top", color: colors.muted, fontSize: 10.5,
            formatter: (item: Item) => short(item.data?.label ?? "", 28),
          },
          labelLayout: { hideOverlap: true },
        },
        {
          type: "custom", name: series.name, silent: true, tooltip: { show: false },
          data: points.flatMap((point) =>
            point.y_half_interval === null
              ? []
              : [[point.x, point.y - point.y_half_interval, point.y + point.y_half_interval]],
          ),
          encode: { x: 0, y: [1, 2], tooltip: [] },
          renderItem: errorBar(color ?? colors.text),
          z: 3,
        },
      ];
    }),
  };
}

export function AnalysisChart({ chart }: { chart: ChartData }) {
  const option = useMemo(() => (colors: Palette) => optionOf(chart, colors), [chart]);
  return <Chart label={chart.title} height={chart.categories.length > 0 ? 380 : 330} option={option} />;
}

