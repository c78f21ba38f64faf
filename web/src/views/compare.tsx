// Two to four runs side by side, each token alike, with what repeated runs say about chance.

import { useMemo, type CSSProperties } from "react";
import { api } from "../api";
import { Chart, axis, legend, tooltip, type Palette } from "../chart";
import { digits, duration, energy, percent, power, si } from "../format";
import { errorBar } from "../parts/error-bar";
import { difference, interval, rootOfSquares } from "../parts/interval";
import { findRepeats } from "../parts/repeats";
import { runHref } from "../router";
import type { Run, RunSummary } from "../types";
import { MethodChip, Panel, Problem, State, useLoad } from "../ui";
import "./compare.css";

const MOST_COMPONENTS = 16;

interface Row {
  name: string;
  of: (run: Run) => number | null;
  show: (value: number | null) => string;
  error?: (run: Run) => number | null;
  lessIsBetter?: boolean;
  /** Where the history tells it of repeated runs, too. */
  ofRepeat?: (run: RunSummary) => number | null;
}

const ROWS: { title: string; rows: Row[] }[] = [
  {
    title: "Each token",
    rows: [
      {
        name: "energy per output token",
        of: (run) => run.totals.energy_per_output_token_mj,
        show: energy,
        lessIsBetter: true,
        ofRepeat: (run) => run.energy_per_output_token_mj,
      },
      {
        name: "energy per input token",
        of: (run) => run.totals.energy_per_input_token_mj,
        show: energy,
        lessIsBetter: true,
      },
      {
        name: "decode speed",
        of: (run) => run.totals.decode_tokens_per_second,
        show: (value) => (value === null ? "–" : `${digits(value, 3)} tok/s`),
        lessIsBetter: false,
      },
      {
        name: "prefill speed",
        of: (run) => run.totals.prefill_tokens_per_second,
        show: (value) => (value === null ? "–" : `${digits(value, 3)} tok/s`),
        lessIsBetter: false,
      },
      {
        name: "time to first token",
        of: (run) => run.totals.time_to_first_token_ms,
        show: duration,
        lessIsBetter: true,
      },
    ],
  },
  {
    title: "The whole run",
    rows: [
      {
        name: "energy",
        of: (run) => run.totals.energy_mj,
        show: energy,
        error: (run) => run.totals.quality.standard_error_mj,
        lessIsBetter: true,
        ofRepeat: (run) => run.energy_mj,
      },
      {
        name: "above idle",
        of: (run) => run.totals.dynamic_energy_mj,
        show: energy,
        lessIsBetter: true,
      },
      {
        name: "time",
        of: (run) => run.totals.duration_ms,
        show: duration,
        lessIsBetter: true,
        ofRepeat: (run) => run.duration_ms,
      },
      { name: "mean power", of: (run) => run.totals.mean_power_mw, show: power },
      {
        name: "energy × delay",
        of: (run) => run.totals.edp_js,
        show: (value) => si(value, "J·s"),
        lessIsBetter: true,
      },
      {
        name: "CO₂",
        of: (run) => run.totals.co2_g,
        show: (value) => si(value, "g", 3),
        lessIsBetter: true,
      },
    ],
  },
];

const letter = (index: number) => String.fromCharCode(65 + index);
const signed = (share: number) =>
  `${share < 0 ? "−" : "+"}${digits(Math.abs(share) * 100, 3)} %`;

const known = (values: (number | null)[]) =>
  values.filter((value): value is number => value !== null);

/** B against A: a change, and how far chance may have made it. */
function Difference({
  row,
  first,
  other,
  repeats,
}: {
  row: Row;
  first: Run;
  other: Run;
  repeats: [RunSummary[], RunSummary[]];
}) {
  const a = row.of(first);
  const b = row.of(other);
  if (a === null || b === null || a === 0) {
    return <div className="muted">–</div>;
  }
  const tone = (change: number) =>
    row.lessIsBetter === undefined ? "" : change < 0 === row.lessIsBetter ? "better" : "worse";
  const samples = row.ofRepeat
    ? repeats.map((list) => known(list.map((run) => row.ofRepeat?.(run) ?? null)))
    : [];
  const [before = [], after = []] = samples;
  const spread = difference(before, after);
  const base = interval(before)?.mean;
  if (spread && base) {
    const change = spread.mean / base;
    const half = spread.half / base;
    const sure = Math.abs(change) > half;
    return (
      <div className={sure ? tone(change) : "muted"}>
        {signed(change)} <span className="error">± {digits(half * 100, 2)} %</span>
        <div className="error">
          {sure ? "" : "may be chance · "}
          {before.length} and {after.length} runs
        </div>
      </div>
    );
  }
  const change = b / a - 1;
  const errorA = row.error?.(first) ?? null;
  const errorB = row.error?.(other) ?? null;
  // Of the measurement alone: what another run would have taken is not known.
  const half = errorA === null || errorB === null ? null : (1.96 * Math.hypot(errorA, errorB)) / a;
  const sure = Math.abs(change) > Math.max(half ?? 0, 0.005);
  return (
    <div className={sure ? tone(change) : "muted"}>
      {Math.abs(change) < 0.0005 ? "the same" : signed(change)}
      {half !== null && <span className="error"> ± {digits(half * 100, 2)} %</span>}
    </div>
  );
}

/** Energy of each part by output token: runs of different length can be compared. */
function Bars({
  runs,
  names,
  of,
  label,
  height,
}: {
  runs: Run[];
  names: string[];
  of: (run: Run, name: string) => { value: number | null; error: number | null };
  label: string;
  height: number;
}) {
  const option = useMemo(() => {
    return (colors: Palette) => ({
      grid: { left: 62, right: 10, top: 38, bottom: 92 },
      legend: legend(colors),
      tooltip: tooltip(colors, {
        trigger: "axis",
        axisPointer: { type: "shadow", shadowStyle: { color: colors.line, opacity: 0.35 } },
        valueFormatter: (value: number | number[] | null) =>
          energy(Array.isArray(value) ? null : value),
      }),
      xAxis: {
        ...axis("", colors),
        type: "category",
        data: names,
        axisTick: { show: false },
        axisLabel: { color: colors.muted, rotate: 38, interval: 0, fontSize: 11, width: 110, overflow: "truncate" },
      },
      yAxis: axis("mJ per output token", colors, { type: "value", nameGap: 46 }),
      series: runs.flatMap((run, index) => {
        // Bars of a category stand beside one another; so do their errors.
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
  }, [runs, names, of]);
  return <Chart label={label} height={height} option={option} />;
}

const tokensOf = (run: Run) => Math.max(1, run.totals.output_tokens - 1); // the first is prefill's

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

function Parts({ runs, span, height }: { runs: Run[]; span: string; height: number }) {
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
        <Bars runs={runs} names={layers} of={layerOf} height={height} label="Decode energy of each layer by token" />
      </Panel>
    </div>
  );
}

const SETTINGS: { name: string; of: (run: Run) => string }[] = [
  { name: "model", of: (run) => run.model.name ?? "–" },
  { name: "quantization", of: (run) => run.model.quantization ?? "–" },
  { name: "depth", of: (run) => run.depth },
  { name: "prompt", of: (run) => run.prompt },
  { name: "tokens", of: (run) => `${run.totals.prompt_tokens} in, ${run.totals.output_tokens} out` },
  { name: "threads", of: (run) => String(run.model.threads ?? "–") },
  { name: "engine", of: (run) => run.model.engine ?? "–" },
  { name: "sensor", of: (run) => run.power.sources.join(", ") || "none" },
  { name: "other processes", of: (run) => percent(run.totals.quality.foreign_cpu_share) },
];

export function CompareView({ ids }: { ids: string[] }) {
  const loaded = useLoad(ids.length < 2 ? null : ids.join(","), () => api.compare(ids));
  const runs = loaded.data?.runs;
  const over = runs?.every((run) => run.totals);
  const repeats = useLoad(runs && over ? ids.join(",") : null, () => findRepeats(runs ?? []));
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
  const first = runs?.[0];
  if (!runs || !first) {
    return <State title="Loading the runs" />;
  }
  const settings = SETTINGS.map((setting) => ({
    ...setting,
    differs: new Set(runs.map(setting.of)).size > 1,
  }));
  const none: RunSummary[] = [];
  const parts = runs.some((run) => run.components.length > 0);
  const wide = runs.length > 2 || !parts;
  return (
    <div className="grid">
      <Panel
        title="Side by side"
        {...(wide ? {} : { span: 5 })}
        actions={<span className="note">differences are to A</span>}
      >
        <div className="scroll">
          <table
            className="sides"
            style={{ minWidth: 140 + 170 * runs.length, "--runs": runs.length } as CSSProperties}
          >
            <thead>
              <tr>
                <th />
                {runs.map((run, index) => (
                  <th key={run.run_id} className="num">
                    <span className="letter" data-series={index}>
                      {letter(index)}
                    </span>{" "}
                    <a href={runHref(run.run_id)} className="mono">
                      {run.run_id.slice(0, 8)}
                    </a>
                    <div className="name">{run.model.name}</div>
                    <MethodChip method={run.totals.quality.method} />
                  </th>
                ))}
              </tr>
            </thead>
            {ROWS.map((group) => (
              <tbody key={group.title}>
                <tr className="group">
                  <th colSpan={runs.length + 1}>{group.title}</th>
                </tr>
                {group.rows.map((row) => (
                  <tr key={row.name}>
                    <th scope="row">{row.name}</th>
                    {runs.map((run, index) => {
                      const error = row.error?.(run) ?? null;
                      return (
                        <td key={run.run_id} className="num">
                          <div className="figure">
                            {row.show(row.of(run))}
                            {error !== null && <span className="error"> ± {row.show(error)}</span>}
                          </div>
                          {index > 0 && (
                            <Difference
                              row={row}
                              first={first}
                              other={run}
                              repeats={[repeats.data?.[0] ?? none, repeats.data?.[index] ?? none]}
                            />
                          )}
                        </td>
                      );
                    })}
                  </tr>
                ))}
              </tbody>
            ))}
            <tbody>
              <tr className="group">
                <th colSpan={runs.length + 1}>What differs</th>
              </tr>
              {settings
                .filter((setting) => setting.differs)
                .map((setting) => (
                  <tr key={setting.name}>
                    <th scope="row">{setting.name}</th>
                    {runs.map((run) => (
                      <td key={run.run_id} className="num">
                        <div className="setting" title={setting.of(run)}>
                          {setting.of(run)}
                        </div>
                      </td>
                    ))}
                  </tr>
                ))}
              <tr>
                <th scope="row">repeated</th>
                {runs.map((run, index) => (
                  <td key={run.run_id} className="num">
                    {repeats.data ? `${repeats.data[index]?.length ?? 0} runs in the history` : "–"}
                  </td>
                ))}
              </tr>
            </tbody>
          </table>
        </div>
        <p className="note">
          ±: the 95 % interval of a difference, where runs repeat in the history; else of the
          measurement alone. Beside a figure: its standard error.
        </p>
        <p className="note">
          The same in all:{" "}
          {settings
            .filter((setting) => !setting.differs)
            .map((setting) => setting.name)
            .join(", ") || "nothing"}
          .
        </p>
        {Boolean(repeats.error) && <Problem error={repeats.error} retry={repeats.reload} />}
      </Panel>
      {parts && <Parts runs={runs} span={wide ? "wide" : "span-7"} height={wide ? 340 : 500} />}
    </div>
  );
}
