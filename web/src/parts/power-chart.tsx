// Power against time, a line a rail.

import { useMemo } from "react";
import { Chart, axis, tooltip, type Palette } from "../chart";
import { power } from "../format";
import type { Phase, PowerPoint } from "../types";

export interface Rail {
  name: string;
  points: PowerPoint[];
  faint: boolean; // lies within another rail
}

/** Steps: a window's power holds from its begin to its end, and a gap shows as one. */
function steps(points: PowerPoint[]): ([number, number] | [number, null])[] {
  const line: ([number, number] | [number, null])[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const [begin, end, mw] of points) {
    if (line.length > 0 && begin > last + 1e-6) {
      line.push([last, null]);
    }
    line.push([begin, mw / 1e3], [end, mw / 1e3]);
    last = end;
  }
  return line;
}

export function PowerChart({
  rails,
  phases,
  height = 230,
}: {
  rails: Rail[];
  phases?: Phase[];
  height?: number;
}) {
  const option = useMemo(
    () => (colors: Palette) => ({
      grid: { left: 58, right: 18, top: 34, bottom: 46 },
      legend: { top: 0, left: 0, textStyle: { color: colors.muted }, icon: "roundRect" },
      tooltip: tooltip(colors, {
        trigger: "axis",
        valueFormatter: (value: number | null) => (value === null ? "–" : power(value * 1e3)),
      }),
      xAxis: axis("time since the run began, ms", colors, {
        type: "value",
        min: (range: { min: number }) => Math.floor(range.min / 10) * 10,
      }),
      yAxis: axis("power, W", colors, { type: "value", nameGap: 40, min: 0 }),
      dataZoom: [{ type: "inside" }],
      series: rails.map((rail, index) => ({
        type: "line",
        name: rail.name,
        data: steps(rail.points),
        showSymbol: false,
        connectNulls: false,
        lineStyle: {
          width: rail.faint ? 1 : 2,
          type: rail.faint ? "dashed" : "solid",
          color: colors.series[index % colors.series.length],
        },
        itemStyle: { color: colors.series[index % colors.series.length] },
        areaStyle: index === 0 ? { opacity: 0.12 } : undefined,
        markArea:
          index === 0 && phases
            ? {
                silent: true,
                label: { color: colors.muted, fontSize: 11, position: "insideTop" },
                data: phases
                  .filter((phase) => phase.phase === "prefill" || phase.phase === "decode")
                  .map((phase, order) => [
                    {
                      name: phase.phase,
                      xAxis: phase.begin_ms,
                      itemStyle: { color: colors.series[order + 1], opacity: 0.07 },
                    },
                    { xAxis: phase.begin_ms + phase.duration_ms },
                  ]),
              }
            : undefined,
      })),
    }),
    [rails, phases],
  );
  return <Chart label="Power against time" height={height} option={option} />;
}
