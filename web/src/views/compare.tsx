// Two to four runs side by side.

import { useMemo } from "react";
import { api } from "../api";
import { Chart, axis, tooltip, type Palette } from "../chart";
import { digits, duration, energy, plusMinus, power, si } from "../format";
import { interval } from "../parts/interval";
import { runHref } from "../router";
import type { Run } from "../types";
import { MethodChip, Panel, Problem, State, useLoad } from "../ui";

interface Row {
  name: string;
  of: (run: Run) => number | null;
  show: (value: number | null) => string;
  error?: (run: Run) => number | null;
  lessIsBetter?: boolean;
}

const ROWS: Row[] = [
  {
    name: "energy",
    of: (run) => run.totals.energy_mj,
    show: energy,
    error: (run) => run.totals.quality.standard_error_mj,
    lessIsBetter: true,
  },
  { name: "dynamic energy", of: (run) => run.totals.dynamic_energy_mj, show: energy, lessIsBetter: true },
  {
    name: "per output token",
    of: (run) => run.totals.energy_per_output_token_mj,
    show: energy,
    lessIsBetter: true,
  },
  {
    name: "per input token",
    of: (run) => run.totals.energy_per_input_token_mj,
    show: energy,
    lessIsBetter: true,
  },
  { name: "time", of: (run) => run.totals.duration_ms, show: duration, lessIsBetter: true },
  {
    name: "time to first token",
    of: (run) => run.totals.time_to_first_token_ms,
    show: duration,
    lessIsBetter: true,
  },
  {
    name: "decode speed",
    of: (run) => run.totals.decode_tokens_per_second,
    show: (value) => (value === null ? "–" : `${digits(value)} tokens/s`),
    lessIsBetter: false,
  },
  { name: "mean power", of: (run) => run.totals.mean_power_mw, show: power },
  { name: "EDP", of: (run) => run.totals.edp_js, show: (value) => si(value, "J·s"), lessIsBetter: true },
  { name: "CO₂", of: (run) => run.totals.co2_g, show: (value) => si(value, "g"), lessIsBetter: true },
];

const label = (run: Run, index: number) =>
  `${String.fromCharCode(65 + index)} · ${run.run_id.slice(0, 8)}`;

function Difference({ row, first, other }: { row: Row; first: Run; other: Run }) {
  const a = row.of(first);
  const b = row.of(other);
  if (a === null || b === null || a === 0) {
    return null;
  }
  const change = b / a - 1;
  const good = row.lessIsBetter === undefined ? "" : change < 0 === row.lessIsBetter ? "better" : "worse";
  if (Math.abs(change) < 0.0005) {
    return <div className="muted">the same</div>;
  }
  return (
    <div className={Math.abs(change) < 0.005 ? "muted" : good}>
      {change >= 0 ? "+" : "−"}
      {digits(Math.abs(change) * 100, 3)} %
    </div>
  );
}

/** Decode energy of each component, by token: runs of different length can be compared. */
function Components({ runs }: { runs: Run[] }) {
  const option = useMemo(() => {
    const perToken = (run: Run, component: string) => {
      const tokens = Math.max(1, run.totals.output_tokens - 1);
      const parts = run.components.filter(
        (entry) => entry.phase === "decode" && entry.component === component,
      );
      return parts.length === 0
        ? null
        : parts.reduce((sum, entry) => sum + (entry.energy_mj ?? 0), 0) / tokens;
    };
    const names = [...new Set(runs.flatMap((run) => run.components.map((entry) => entry.component)))]
      .map((name) => ({ name, most: Math.max(...runs.map((run) => perToken(run, name) ?? 0)) }))
      .sort((a, b) => b.most - a.most)
      .slice(0, 18)
      .map((entry) => entry.name);
    return (colors: Palette) => ({
      color: colors.series,
      grid: { left: 64, right: 16, top: 34, bottom: 96 },
      legend: { top: 0, left: 0, textStyle: { color: colors.muted } },
      tooltip: tooltip(colors, {
        trigger: "axis",
        valueFormatter: (value: number | null) => energy(value),
      }),
      xAxis: {
        ...axis("", colors),
        type: "category",
        data: names,
        axisLabel: { color: colors.muted, rotate: 40, interval: 0, fontSize: 11 },
      },
      yAxis: axis("mJ per output token", colors, { type: "value", nameGap: 44 }),
      series: runs.map((run, index) => ({
        type: "bar",
        name: label(run, index),
        data: names.map((name) => perToken(run, name)),
      })),
    });
  }, [runs]);
  return <Chart label="Decode energy of each component by token" height={340} option={option} />;
}

export function CompareView({ ids }: { ids: string[] }) {
  const loaded = useLoad(ids.length < 2 ? null : ids.join(","), () => api.compare(ids));
  if (ids.length < 2) {
    return (
      <State title="Choose two to four runs">
        Tick them in the <a href="#/history">history</a>, then press Compare.
      </State>
    );
  }
  if (loaded.error) {
    return <Problem error={loaded.error} retry={loaded.reload} />;
  }
  const runs = loaded.data?.runs;
  const first = runs?.[0];
  if (!runs || !first) {
    return <State title="Loading the runs" />;
  }
  const repeats = interval(runs);
  return (
    <div className="grid">
      <Panel title="Side by side" actions={<span className="note">differences are to run A</span>}>
        <div className="scroll">
          <table>
            <thead>
              <tr>
                <th />
                {runs.map((run, index) => (
                  <th key={run.run_id} className="num">
                    <a href={runHref(run.run_id)}>{label(run, index)}</a>
                    <div>
                      {run.model.name} {run.model.quantization}
                    </div>
                    <MethodChip method={run.totals.quality.method} />
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {ROWS.map((row) => (
                <tr key={row.name}>
                  <th>{row.name}</th>
                  {runs.map((run, index) => (
                    <td key={run.run_id} className="num">
                      {row.show(row.of(run))}{" "}
                      <span className="muted">{row.error ? plusMinus(row.error(run)) : ""}</span>
                      {index > 0 && <Difference row={row} first={first} other={run} />}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        {repeats && (
          <p className="note">
            These runs repeat each other (same model, prompt and length): energy per output token is{" "}
            {energy(repeats.mean)} on average, 95 % interval {energy(repeats.low)} to{" "}
            {energy(repeats.high)} from {runs.length} runs.
          </p>
        )}
      </Panel>
      {runs.some((run) => run.components.length > 0) && (
        <Panel title="Components, per output token">
          <Components runs={runs} />
        </Panel>
      )}
    </div>
  );
}
