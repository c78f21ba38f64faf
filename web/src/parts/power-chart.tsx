// Power over time, one line per rail.

import { useMemo } from "react";
import { Chart, axis, legend, tooltip, type Line, type Palette } from "../chart";
import { DASH, power, short, si } from "../format";
import type { Phase, PowerPoint } from "../types";

export interface Rail {
  name: string;
  points: readonly PowerPoint[];
  faint: boolean; // contained in another rail
}

/** A step line: a window's power holds from its beginning to its end; gaps are visible. */
function steps(points: readonly PowerPoint[], scale: number): ([number, number] | [number, null])[] {
  const line: ([number, number] | [number, null])[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const [begin, end, mw] of points) {
    if (line.length > 0 && begin > last + 1e-6) {
      line.push([last / scale, null]);
    }
    line.push([begin / scale, mw / 1e3], [end / scale, mw / 1e3]);
    last = end;
  }
  return line;
}

export function PowerChart({
  rails,
  phases,
  duration_ms = 0,
  height = 230,
}: {
  rails: Rail[];
  phases?: Phase[];
  duration_ms?: number; // of the run; the axis ends there
  height?: number;
}) {
  const option = useMemo(() => {
    const end = Math.max(duration_ms, ...rails.map((rail) => rail.points.at(-1)?.[1] ?? 0));
    const [scale, unit] = end >= 2000 ? [1e3, "s"] : [1, "ms"];
    return (colors: Palette) => ({
      grid: { left: 52, right: 14, top: 38, bottom: 44 },
      legend: legend(colors),
      tooltip: tooltip(
        colors,
        (items: { seriesIndex: number; seriesName: string; color: string; value: [number, number | null] }[]) => {
          const rows = new Map<number, Line>(); // a step has two points at the same time
          for (const { seriesIndex, seriesName, color, value } of items) {
            const watts = value[1] === null ? DASH : power(value[1] * 1e3);
            rows.set(seriesIndex, [{ dot: color }, seriesName, { strong: watts }]);
          }
          return [[si(((items[0]?.value[0] ?? 0) * scale) / 1e3, "s")], ...rows.values()];
        },
        { trigger: "axis" },
      ),
      xAxis: axis(`time since the run began, ${unit}`, colors, {
        type: "value",
        min: 0, // the first window began slightly before the run
        max: end / scale,
        axisLabel: { color: colors.muted, fontSize: 11, hideOverlap: true, showMaxLabel: false },
        splitLine: { show: false },
      }),
      yAxis: axis("power, W", colors, { type: "value", nameGap: 36, min: 0, boundaryGap: [0, "14%"], axisLine: { show: false } }),
      dataZoom: [{ type: "inside", zoomOnMouseWheel: "ctrl" }],
      series: rails.map((rail, index) => {
        const color = colors.series[index % colors.series.length];
        return {
          type: "line",
          name: rail.name,
          data: steps(rail.points, scale),
          showSymbol: false,
          connectNulls: false,
          lineStyle: { width: rail.faint ? 1.2 : 2, type: rail.faint ? "dashed" : "solid", color },
          itemStyle: { color },
          areaStyle: rail.faint ? undefined : { opacity: index === 0 ? 0.13 : 0.08 },
          emphasis: { disabled: true },
          markArea:
            index === 0 && phases
              ? {
                  silent: true,
                  label: { color: colors.muted, fontSize: 11, position: "insideTop" },
                  data: phases
                    .filter((phase) => phase.phase === "prefill" || phase.phase === "decode")
                    .map((phase) => [
                      {
                        // A phase that is too narrow for its name shows only its colour.
                        name: phase.duration_ms > end * 0.07 ? phase.phase : "",
                        xAxis: phase.begin_ms / scale,
                        itemStyle: { color: colors.phases[phase.phase], opacity: 0.07 },
                      },
                      { xAxis: (phase.begin_ms + phase.duration_ms) / scale },
                    ]),
                }
              : undefined,
        };
      }),
    });
  }, [duration_ms, rails, phases]);
  const names = rails.map((rail) => short(rail.name, 40)).join(", ");
  return <Chart label={`Power against time: ${names}`} height={height} option={option} />;
}
