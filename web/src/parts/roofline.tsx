// Operations by intensity (FLOP/byte) and energy per FLOP: memory-bound ones are at the top left.

import { useMemo } from "react";
import { Chart, axis, legend, tooltip, type Palette } from "../chart";
import { digits, energy, plusMinus } from "../format";
import type { OperationFigure } from "../types";
import { State } from "../ui";
import { errorBar } from "./error-bar";
import { costs, decades, isPower, roofAt, roofOf, type Cost } from "./roof";

const MARGIN = 1.6; // a factor on each side
const POINTS = 60;
const powers = (value: number) =>
  value >= 0.01 && value < 1e6 ? value.toLocaleString("en-US") : value.toExponential(0);

export function Roofline({ operations }: { operations: OperationFigure[] }) {
  const list = useMemo(() => costs(operations), [operations]);
  const option = useMemo(() => {
    const roof = roofOf(list);
    const most = Math.max(...list.map((cost) => cost.operation.energy_mj ?? 0), 1e-9);
    const phases = [...new Set(list.map((cost) => cost.operation.phase))];
    const [left, right] = decades(
      Math.min(...list.map((cost) => cost.intensity)) / MARGIN,
      Math.max(...list.map((cost) => cost.intensity)) * MARGIN,
    );
    const line = Array.from({ length: POINTS + 1 }, (_, step) => {
      const intensity = left * (right / left) ** (step / POINTS);
      return [intensity, roof ? roofAt(roof, intensity) : null];
    });
    return (colors: Palette) => ({
      grid: { left: 66, right: 16, top: 38, bottom: 46 },
      legend: legend(colors, { data: [...phases, "least of this run"] }),
      tooltip: tooltip(colors, (item: { data: { cost?: Cost } }) => {
        const cost = item.data.cost;
        if (!cost) {
          return roof
            ? [[`least: ${digits(roof.pj_per_flop, 3)} pJ/FLOP, ${digits(roof.pj_per_byte, 3)} pJ/byte`]]
            : [];
        }
        const { operation } = cost;
        return [
          [operation.component, "·", operation.op, `(${operation.phase})`],
          [{ strong: energy(operation.energy_mj) }, plusMinus(operation.quality.standard_error_mj)],
          [
            `${digits(cost.pj_per_flop, 3)} pJ/FLOP · ${digits(cost.pj_per_byte, 3)} pJ/byte · ${digits(cost.intensity, 3)} FLOP/byte`,
          ],
        ];
      }),
      xAxis: axis("arithmetic intensity, FLOP/byte", colors, {
        type: "log",
        min: left,
        max: right,
        axisLabel: { color: colors.muted, fontSize: 11, formatter: powers, showMinLabel: isPower(left), showMaxLabel: isPower(right) },
      }),
      yAxis: axis("energy, pJ/FLOP", colors, {
        type: "log",
        nameGap: 50,
        axisLabel: { color: colors.muted, fontSize: 11, formatter: powers },
      }),
      series: [
        ...phases.map((phase) => ({
          type: "scatter",
          name: phase,
          itemStyle: { color: colors.phases[phase], opacity: 0.75 },
          data: list
            .filter((cost) => cost.operation.phase === phase)
            .map((cost) => ({
              cost,
              value: [cost.intensity, cost.pj_per_flop],
              symbolSize: 7 + 30 * Math.sqrt((cost.operation.energy_mj ?? 0) / most),
            })),
        })),
        {
          type: "custom",
          name: "± one standard error",
          silent: true,
          data: list.flatMap((cost) =>
            cost.error === null
              ? []
              : [
                  [
                    cost.intensity,
                    // A logarithmic axis has no zero: an error as large as the value is drawn down
                    // to a tenth of it.
                    Math.max(cost.pj_per_flop / 10, cost.pj_per_flop - cost.error),
                    cost.pj_per_flop + cost.error,
                  ],
                ],
          ),
          encode: { x: 0, y: [1, 2] },
          renderItem: errorBar(colors.text, 0, 3),
        },
        {
          type: "line",
          name: "least of this run",
          silent: true,
          data: line,
          showSymbol: false,
          lineStyle: { type: "dashed", width: 1.5, color: colors.muted },
          itemStyle: { color: colors.muted },
        },
      ],
    });
  }, [list]);
  return list.length === 0 ? (
    <State title="No operation has known work and energy" />
  ) : (
    <Chart label="Energy roofline of operation classes" height={430} option={option} />
  );
}
