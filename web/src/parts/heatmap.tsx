// A heatmap: layers down, components across, one colour per value.

import { useMemo } from "react";
import { Chart, axis, tooltip, type Palette } from "../chart";
import { digits, short, si } from "../format";
import type { Matrix } from "../types";
import { State } from "../ui";
import { inFlow } from "./colours";
import "./heatmap.css";

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

export const layerName = (layer: number | null) => (layer === null ? "outside" : String(layer));

const LEFT = 62;
const BOTTOM = 92;
/** Values may span decades: the square root keeps small ones distinguishable, and zero at zero. */
const shade = (value: number) => Math.sign(value) * Math.sqrt(Math.abs(value));

/** The matrix with components sorted by data flow, so that their order is stable. */
function sorted(matrix: Matrix): Matrix {
  const order = matrix.components
    .map((name, column) => ({ name, column }))
    .sort((a, b) => inFlow(a.name, b.name));
  return {
    ...matrix,
    components: order.map((entry) => entry.name),
    values: matrix.values.map((row) => order.map((entry) => row[entry.column] ?? null)),
  };
}

export function Heatmap({
  matrix: given,
  selected,
  detail,
  height,
  onPick,
}: {
  matrix: Matrix;
  height?: number; // px, independent of the number of layers
  selected?: { layer: number | null; component: string } | null;
  detail?: (layer: number | null, component: string) => string;
  onPick?: (layer: number | null, component: string) => void;
}) {
  const matrix = useMemo(() => sorted(given), [given]);
  const values = useMemo(
    () => matrix.values.flat().filter((value): value is number => value !== null),
    [matrix],
  );
  const largest = values.reduce((high, value) => Math.max(high, value), Number.NEGATIVE_INFINITY);
  // One cell far above the others (the head of a small model) must not make them pale.
  const usual = [...values].sort((a, b) => a - b)[Math.floor(values.length * 0.97)] ?? 0;
  const cut = values.length > 20 && largest > 2 * usual && usual > 0;
  const most = cut ? 1.2 * usual : Math.max(largest, 0);
  const least = values.reduce((low, value) => Math.min(low, value), 0);
  const option = useMemo(() => {
    const cells: { value: [number, number, number]; itemStyle?: object }[] = [];
    return (colors: Palette) => {
      cells.length = 0;
      matrix.values.forEach((row, layer) =>
        row.forEach((value, component) => {
          if (value !== null) {
            const isSelected =
              selected &&
              selected.layer === matrix.layers[layer] &&
              selected.component === matrix.components[component];
            cells.push({
              value: [component, layer, shade(value)],
              ...(isSelected
                ? { itemStyle: { borderColor: colors.text, borderWidth: 2 } }
                : {}),
            });
          }
        }),
      );
      return {
        grid: { left: LEFT, right: 8, top: 6, bottom: BOTTOM },
        tooltip: tooltip(colors, (item: { value: [number, number, number] }) => {
          const [column, row] = item.value;
          const layer = matrix.layers[row] ?? null;
          const component = matrix.components[column] ?? "";
          const value = matrix.values[row]?.[column] ?? null;
          return [
            [component, layer === null ? "· outside the layers" : `· layer ${layer}`],
            [{ strong: formatIn(value, matrix.unit) }, detail?.(layer, component) ?? ""],
          ];
        }),
        xAxis: {
          ...axis("", colors),
          type: "category",
          data: matrix.components,
          axisTick: { show: false },
          axisLine: { show: false },
          axisLabel: {
            color: colors.muted, rotate: 42, fontSize: 11, interval: 0, width: 104, overflow: "truncate",
            formatter: (name: string) => short(name, 40),
          },
        },
        yAxis: {
          ...axis("layer", colors, { nameGap: 44 }),
          type: "category",
          inverse: true,
          data: matrix.layers.map(layerName),
          axisTick: { show: false },
          axisLine: { show: false },
          axisLabel: { color: colors.muted, fontSize: 11 },
        },
        visualMap: {
          show: false,
          min: shade(least),
          max: most > least ? shade(most) : shade(least) + 1,
          inRange: { color: colors.heat },
        },
        series: [
          {
            type: "heatmap",
            data: cells,
            itemStyle: { borderColor: colors.panel, borderWidth: 1.5, borderRadius: 3 },
            emphasis: { itemStyle: { borderColor: colors.text, borderWidth: 2 } },
          },
        ],
      };
    };
  }, [matrix, selected, detail, most, least]);
  if (values.length === 0) {
    return (
      <div className="hold" style={{ minHeight: height }}>
        <State title={`No ${matrix.metric} was measured`} />
      </div>
    );
  }
  const row = matrix.layers.length > 40 ? 12 : matrix.layers.length > 20 ? 17 : 25;
  return (
    <>
      <Chart
        label={`Heatmap of ${matrix.metric} by layer and component`}
        height={height ?? Math.max(230, BOTTOM + 10 + row * matrix.layers.length)}
        option={option}
        onClick={(item) => {
          const cell = (item.data as { value?: number[] } | undefined)?.value;
          const component = matrix.components[cell?.[0] ?? -1];
          if (component && cell) {
            onPick?.(matrix.layers[cell[1] ?? -1] ?? null, component);
          }
        }}
      />
      <div className="scale" aria-hidden="true">
        <span>{formatIn(least, matrix.unit)}</span>
        <span className="ramp" />
        <span>
          {cut ? "≥ " : ""}
          {formatIn(most, matrix.unit)}
        </span>
      </div>
    </>
  );
}
