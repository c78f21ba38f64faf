// Components and layers of runs side by side, per output token.

import { useMemo } from "react";
import { Chart, axis, legend, tooltip, type Palette } from "../chart";
import { energy, short } from "../format";
import type { Run } from "../types";
import { NoEnergy, Panel } from "../ui";
import { errorBar } from "./error-bar";
import { rootOfSquares } from "./interval";

const MOST_COMPONENTS = 16;

export const letter = (index: number) => String.fromCharCode(65 + index);
export const known = (values: (number | null)[]) =>
  values.filter((value): value is number => value !== null);
export const tokensOf = (run: Run) => Math.max(1, run.totals.output_tokens - 1); // the first token
                                                                                 // belongs to
                                                                                 // prefill

/** Energy of each part per output token, so that runs of different length can be compared. */
function Bars({
  runs,
  names,
  of,
  label,
  height,
  axisName = "",
}: {
  axisName?: string; // for names that are numbers, which need an axis name and less room
  runs: Run[];
  names: string[];
  of: (run: Run, name: string) => { value: number | null; error: number | null };
  label: string;
  height: number;
}) {
  const option = useMemo(() => {
    return (colors: Palette) => ({
      grid: { left: 62, right: 10, top: 38, bottom: axisName ? 46 : 92 },
      legend: legend(colors),
      tooltip: tooltip(
        colors,
        (items: { seriesType: string; seriesName: string; color: string; dataIndex: number; value: number | null }[]) => {
          const bars = items.filter((item) => item.seriesType === "bar"); // not their errors
          return [
            [names[bars[0]?.dataIndex ?? -1] ?? ""],
            ...bars.map((bar) => [{ dot: bar.color }, bar.seriesName, { strong: energy(bar.value) }]),
          ];
        },
        {
          trigger: "axis",
          axisPointer: { type: "shadow", shadowStyle: { color: colors.line, opacity: 0.35 } },
        },
      ),
      xAxis: {
        ...axis(axisName, colors, { nameGap: 26 }),
        type: "category",
        data: names,
        axisTick: { show: false },
        axisLabel: {
          color: colors.muted, fontSize: 11, hideOverlap: true,
          ...(axisName ? {} : { rotate: 38, interval: 0, width: 110, overflow: "truncate" }),
          formatter: (name: string) => short(name, 40),
        },
      },
      yAxis: axis("mJ per output token", colors, { type: "value", nameGap: 46 }),
      series: runs.flatMap((run, index) => {
        // The bars of a category are side by side, and so are their error bars.
        const offset = ((index - (runs.length - 1) / 2) * 0.8) / (runs.length + 0.25);
        return [
          {
            type: "bar",
            name: `${letter(index)} · ${run.run_id.slice(0, 8)}`,
            color: colors.series[index],
            barCategoryGap: "20%",
            barGap: "25%",
            itemStyle: { borderRadius: [2, 2, 0, 0] },
            data: names.map((name) => of(run, name).value),
          },
          {
            type: "custom",
            name: "",
            silent: true,
            tooltip: { show: false },
            data: names.flatMap((name, at) => {
              const { value, error } = of(run, name);
              return value === null || error === null
                ? []
                : [[at, Math.max(0, value - error), value + error]];
            }),
            encode: { x: 0, y: [1, 2], tooltip: [] },
            renderItem: errorBar(colors.text, offset, 3),
            z: 5,
          },
        ];
      }),
    });
  }, [runs, names, of, axisName]);
  return names.every((name) => runs.every((run) => of(run, name).value === null)) ? (
    <NoEnergy />
  ) : (
    <Chart label={label} height={height} option={option} />
  );
}

function sum(parts: { energy_mj: number | null; quality: { standard_error_mj: number | null } }[], by: number) {
  const values = known(parts.map((part) => part.energy_mj));
  const errors = known(parts.map((part) => part.quality.standard_error_mj));
  return {
    value: values.length === 0 ? null : values.reduce((total, value) => total + value, 0) / by,
    error:
      errors.length === 0 || errors.length < parts.length
        ? null
        : rootOfSquares(errors) / by,
  };
}

const componentOf = (run: Run, name: string) =>
  sum(
    run.components.filter((part) => part.phase === "decode" && part.component === name),
    tokensOf(run),
  );
const layerOf = (run: Run, name: string) =>
  sum(
    run.layers.filter(
      (part) => part.phase === "decode" && (part.layer === null ? "outside" : `${part.layer}`) === name,
    ),
    tokensOf(run),
  );

export function RunBars({ runs, span, height }: { runs: Run[]; span: string; height: number }) {
  const components = useMemo(
    () =>
      [...new Set(runs.flatMap((run) => run.components.map((entry) => entry.component)))]
        .map((name) => ({
          name,
          most: Math.max(...runs.map((run) => componentOf(run, name).value ?? 0)),
        }))
        .sort((a, b) => b.most - a.most)
        .slice(0, MOST_COMPONENTS)
        .map((entry) => entry.name),
    [runs],
  );
  const layers = useMemo(() => {
    const all = [...new Set(runs.flatMap((run) => run.layers.map((entry) => entry.layer)))];
    return all.sort((a, b) => (a ?? -1) - (b ?? -1)).map((layer) => (layer === null ? "outside" : `${layer}`));
  }, [runs]);
  return (
    <div className={`stack ${span}`}>
      <Panel title="Components, each output token">
        <Bars
          runs={runs}
          names={components}
          of={componentOf}
          height={height}
          label="Decode energy of each component by token"
        />
      </Panel>
      <Panel title="Layers, each output token">
        <Bars runs={runs} names={layers} of={layerOf} height={height} axisName="layer" label="Decode energy of each layer by token" />
      </Panel>
    </div>
  );
}
