// Layers down, components across, one colour a value.

import { useMemo } from "react";
import { Chart, axis, tooltip, type Palette } from "../chart";
import { digits, si } from "../format";
import type { Matrix } from "../types";

const BASE: Record<string, [number, string]> = {
  mJ: [1e-3, "J"],
  ms: [1e-3, "s"],
  mW: [1e-3, "W"],
};

export function formatIn(value: number | null, unit: string): string {
  if (value === null) {
    return "–";
  }
  const base = BASE[unit];
  if (base) {
    return si(value * base[0], base[1]);
  }
  return unit === "1" || unit === "ratio" ? digits(value) : `${digits(value)} ${unit}`;
}

export const layerName = (layer: number | null) => (layer === null ? "outside" : `layer ${layer}`);

export function Heatmap({
  matrix,
  onPick,
}: {
  matrix: Matrix;
  onPick?: (component: string) => void;
}) {
  const option = useMemo(() => {
    const cells: [number, number, number][] = [];
    matrix.values.forEach((row, layer) =>
      row.forEach((value, component) => {
        if (value !== null) {
          cells.push([component, layer, value]);
        }
      }),
    );
    const values = cells.map((cell) => cell[2]);
    const most = Math.max(...values, 0);
    const least = Math.min(...values, 0);
    return (colors: Palette) => ({
      grid: { left: 76, right: 16, top: 8, bottom: 104 },
      tooltip: tooltip(colors, {
        formatter: (item: { data: [number, number, number] }) => {
          const [component, layer, value] = item.data;
          return `${matrix.components[component]} · ${layerName(matrix.layers[layer] ?? null)}<br><b>${formatIn(value, matrix.unit)}</b>`;
        },
      }),
      xAxis: {
        ...axis("", colors),
        type: "category",
        data: matrix.components,
        axisLabel: { color: colors.muted, rotate: 40, fontSize: 11, interval: 0 },
      },
      yAxis: {
        ...axis("", colors),
        type: "category",
        inverse: true,
        data: matrix.layers.map(layerName),
        axisLabel: { color: colors.muted, fontSize: 11 },
      },
      visualMap: {
        type: "continuous",
        min: least,
        max: most > least ? most : least + 1,
        orient: "horizontal",
        left: "center",
        bottom: 0,
        itemWidth: 12,
        itemHeight: 160,
        calculable: true,
        text: [formatIn(most, matrix.unit), formatIn(least, matrix.unit)],
        textStyle: { color: colors.muted, fontSize: 11 },
        inRange: { color: colors.heat },
      },
      series: [
        {
          type: "heatmap",
          data: cells,
          itemStyle: { borderColor: colors.panel, borderWidth: 1 },
          emphasis: { itemStyle: { borderColor: colors.text } },
        },
      ],
    });
  }, [matrix]);
  return (
    <Chart
      label={`Heatmap of ${matrix.metric} by layer and component`}
      height={Math.min(640, 140 + 22 * matrix.layers.length)}
      option={option}
      onClick={(item) => {
        const component = Array.isArray(item.data) ? matrix.components[item.data[0] as number] : "";
        if (component) {
          onPick?.(component);
        }
      }}
    />
  );
}
