// Two to four runs side by side, per token, with the significance of differences from repeated
// runs.

import type { CSSProperties } from "react";
import { api } from "../api";
import { DASH, about, counted, digits, duration, energy, percent, plusMinus, power, short, si, verdictWords } from "../format";
import { isCommand } from "../parts/command";
import { refusal } from "../parts/comparable";
import { difference, interval } from "../parts/interval";
import { findRepeats } from "../parts/repeats";
import { RunBars, known, letter, tokensOf } from "../parts/run-bars";
import { runHref } from "../router";
import type { PhaseName, Run, RunSummary } from "../types";
import { MethodChip, Panel, Problem, State, StatusChip, VerdictChip, useLoad } from "../ui";
import "./compare.css";

interface Row {
  name: string;
  of: (run: Run) => number | null;
  show: (value: number | null) => string;
  error?: (run: Run) => number | null;
  /** Depends on a sensor or an estimate. */
  ofPower?: boolean;
  lessIsBetter?: boolean;
  /** The value from the history, if repeated runs have it there. */
  ofRepeat?: (run: RunSummary) => number | null;
}

const errorOf = (run: Run, phase: PhaseName, tokens: number) => {
  const error = run.phases.find((entry) => entry.phase === phase)?.quality.standard_error_mj ?? null;
  return error === null || tokens <= 0 ? null : error / tokens;
};

const ROWS: { title: string; rows: Row[] }[] = [
  {
    title: "Each token",
    rows: [
      {
        name: "energy per output token",
        of: (run) => run.totals.energy_per_output_token_mj,
        show: energy,
        error: (run) => errorOf(run, "decode", tokensOf(run)),
        ofPower: true,
        lessIsBetter: true,
        ofRepeat: (run) => run.energy_per_output_token_mj,
      },
      {
        name: "energy per input token",
        of: (run) => run.totals.energy_per_input_token_mj,
        show: energy,
        error: (run) => errorOf(run, "prefill", run.totals.prompt_tokens),
        ofPower: true,
        lessIsBetter: true,
      },
      {
        name: "decode speed",
        of: (run) => run.totals.decode_tokens_per_second,
        show: (value) => (value === null ? DASH : `${digits(value, 3)} tok/s`),
        lessIsBetter: false,
      },
      {
        name: "prefill speed",
        of: (run) => run.totals.prefill_tokens_per_second,
        show: (value) => (value === null ? DASH : `${digits(value, 3)} tok/s`),
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
        ofPower: true,
        lessIsBetter: true,
        ofRepeat: (run) => run.energy_mj,
      },
      {
        name: "above idle",
        of: (run) => run.totals.dynamic_energy_mj,
        show: energy,
        ofPower: true,
        lessIsBetter: true,
      },
      {
        name: "time",
        of: (run) => run.totals.duration_ms,
        show: duration,
        lessIsBetter: true,
        ofRepeat: (run) => run.duration_ms,
      },
      { name: "mean power", of: (run) => run.totals.mean_power_mw, show: power, ofPower: true },
      {
        name: "energy × delay",
        of: (run) => run.totals.edp_js,
        show: (value) => si(value, "J·s"),
        ofPower: true,
        lessIsBetter: true,
      },
      {
        name: "CO₂",
        of: (run) => run.totals.co2_g,
        show: (value) => si(value, "g", 3),
        ofPower: true,
        lessIsBetter: true,
      },
    ],
  },
];

const signed = (share: number) =>
  `${share < 0 ? "−" : "+"}${digits(Math.abs(share) * 100, 3)} %`;

/** B compared with A: the change, and whether it may be chance. */
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
  if (a === null || b === null || a <= 0) {
    return <div className="muted">{DASH}</div>;
  }
  const refused = refusal(row.ofPower ?? false, [first, other]);
  if (refused) {
    return (
      <div className="muted" title={refused}>
        not comparable
      </div>
    );
  }
  const tone = (change: number) =>
    row.lessIsBetter === undefined ? "" : change < 0 === row.lessIsBetter ? "better" : "worse";
  // Two runs of the same work show by themselves the size of chance differences.
  const alike = repeats[0].some((run) => run.run_id === other.run_id);
  const samples = row.ofRepeat && !alike
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
        {Math.abs(change) < 0.0005 ? "the same" : signed(change)}{" "}
        <span className="error">± {digits(half * 100, 2)} %</span>
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
  // Of the measurement alone. One run of each says nothing about the spread between runs, so that
  // no difference is called better or worse.
  const half = errorA === null || errorB === null ? null : (1.96 * Math.hypot(errorA, errorB)) / a;
  return (
    <div className="muted">
      {Math.abs(change) < 0.0005 ? "the same" : signed(change)}
      <div className="error">
        {alike && row.ofRepeat
          ? "the same work, repeated"
          : half === null
            ? "1 run each: may be chance"
            : `1 run each: may be chance · measured to ± ${digits(half * 100, 2)} %`}
      </div>
    </div>
  );
}

const SETTINGS: { name: string; of: (run: Run) => string }[] = [
  { name: "model", of: (run) => run.model.name ?? DASH },
  { name: "quantization", of: (run) => run.model.quantization ?? DASH },
  { name: "depth", of: (run) => run.depth },
  { name: "prompt", of: (run) => run.prompt },
  {
    name: "tokens",
    of: (run) =>
      isCommand(run.model.engine)
        ? DASH
        : `${run.totals.prompt_tokens} in, ${run.totals.output_tokens} out`,
  },
  { name: "threads", of: (run) => String(run.model.threads ?? DASH) },
  { name: "engine", of: (run) => run.model.engine ?? DASH },
  { name: "sensor", of: (run) => run.power.sources.join(", ") || "none" },
  { name: "other processes", of: (run) => percent(run.totals.quality.foreign_cpu_share) },
];

export function CompareView({ ids }: { ids: string[] }) {
  const loaded = useLoad(ids.length < 2 ? null : ids.join(","), () => api.compare(ids));
  const found = loaded.data?.runs;
  // Runs of the previous address must not be shown.
  const runs = found?.every((run, index) => run.run_id.startsWith(ids[index] ?? "")) ? found : null;
  const repeats = useLoad(runs ? ids.join(",") : null, () => findRepeats(runs ?? []));
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
        actions={<span className="note">differences are relative to A</span>}
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
                    <div className="name" title={run.model.name ?? ""}>
                      {short(run.model.name ?? "", 48)}
                    </div>
                    <MethodChip method={run.totals.quality.method} />{" "}
                    <VerdictChip level={run.verdict} />{" "}
                    {run.status !== "completed" && <StatusChip status={run.status} />}
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
                            {about(row.show(row.of(run)), row.ofPower ? run.totals.quality.method : null)}
                            {error !== null && <span className="error"> {plusMinus(error)}</span>}
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
                <th colSpan={runs.length + 1}>Different settings</th>
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
              {runs.some((run) => run.verdict_reasons.length > 0) && (
                <tr>
                  <th scope="row">verdict</th>
                  {runs.map((run) => (
                    <td key={run.run_id} className="num">
                      <div className="reasons">
                        {run.verdict_reasons.map((reason) => reason.message).join("; ") ||
                          verdictWords(run.verdict)}
                      </div>
                    </td>
                  ))}
                </tr>
              )}
              <tr>
                <th scope="row">repeated</th>
                {runs.map((run, index) => (
                  <td key={run.run_id} className="num">
                    {repeats.data ? `${counted(repeats.data[index]?.length ?? 0, "run")} in the history` : DASH}
                  </td>
                ))}
              </tr>
            </tbody>
          </table>
        </div>
        <p className="note">
          ± of a difference: its 95 % interval, from runs that repeat in the history. Beside a
          figure: its standard error without that of the sensor&apos;s scale, which cancels between
          runs on one machine with one sensor.
        </p>
        <p className="note">
          Same settings:{" "}
          {settings
            .filter((setting) => !setting.differs)
            .map((setting) => setting.name)
            .join(", ") || "nothing"}
          .
        </p>
        {Boolean(repeats.error) && <Problem error={repeats.error} retry={repeats.reload} />}
      </Panel>
      {parts && <RunBars runs={runs} span={wide ? "wide" : "span-7"} height={wide ? 340 : 500} />}
    </div>
  );
}
