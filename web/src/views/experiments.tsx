// Experiments: their list; one with its points, what they say, and how it went over time.

import { useMemo, useState } from "react";
import { api } from "../api";
import { DASH, about, counted, digits, energy, power, short, when } from "../format";
import { AnalysisChart } from "../parts/analysis-chart";
import { cellText, halfText } from "../parts/analysis-cells";
import { experimentHref, runHref } from "../router";
import type {
  Analysis,
  AnalysisChart as ChartData,
  AnalysisTable,
  CellKind,
  Experiment,
  ExperimentPoint,
  Trend,
} from "../types";
import { Panel, Problem, State, VerdictChip, useLoad } from "../ui";
import "./experiments.css";

const SHOWN_RUNS = 40; // of a point

function List() {
  const loaded = useLoad("experiments", () => api.experiments());
  if (loaded.error) {
    return <Problem error={loaded.error} retry={loaded.reload} />;
  }
  if (!loaded.data) {
    return <State title="Loading the experiments" />;
  }
  const { experiments } = loaded.data;
  if (experiments.length === 0) {
    return (
      <State title="No experiments yet">
        <code>enprof bench -m a-q8.gguf,a-q4.gguf -r 10</code> makes one: it measures models and settings
        against each other.
      </State>
    );
  }
  return (
    <Panel title="Experiments">
      <div className="scroll">
        <table>
          <thead>
            <tr>
              <th>experiment</th>
              <th className="num">runs</th>
              <th>from</th>
              <th>to</th>
            </tr>
          </thead>
          <tbody>
            {experiments.map((each) => (
              <tr key={each.experiment}>
                <td>
                  <a href={experimentHref(each.experiment)}>{short(each.experiment)}</a>
                </td>
                <td className="num">{each.runs}</td>
                <td>{when(each.first_started_at_ms)}</td>
                <td>{when(each.last_started_at_ms)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

/** A mean and half its interval. */
function Mean({ kind, value, half, show }: {
  kind: CellKind;
  value: number | null;
  half: number | null;
  show: (value: number) => string;
}) {
  return (
    <td className="num">
      {value === null ? DASH : show(value)}
      {value !== null && half !== null && <div className="error">{halfText(kind, value, half)}</div>}
    </td>
  );
}

function Points({ data }: { data: Experiment }) {
  const method = data.has_estimates ? ("estimated" as const) : null;
  const joules = (value: number) => about(energy(value), method);
  return (
    <Panel title="Points" actions={<span className="note">± is half the 95 % interval of the mean</span>}>
      <div className="scroll">
        <table>
          <thead>
            <tr>
              <th>point</th>
              <th className="num">prompt token</th>
              <th className="num">output token</th>
              <th className="num">prompt tok/s</th>
              <th className="num">output tok/s</th>
              <th className="num">power</th>
              <th>runs</th>
              <th>verdict</th>
            </tr>
          </thead>
          <tbody>
            {data.points.map((point) => (
              <tr key={point.point}>
                <td className="label">{short(point.point, 160)}</td>
                <Mean kind="energy" show={joules} value={point.energy_per_input_token_mj} half={point.energy_per_input_token_half_interval_mj} />
                <Mean kind="energy" show={joules} value={point.energy_per_output_token_mj} half={point.energy_per_output_token_half_interval_mj} />
                <Mean kind="speed" show={digits} value={point.prefill_tokens_per_second} half={point.prefill_tokens_per_second_half_interval} />
                <Mean kind="speed" show={digits} value={point.decode_tokens_per_second} half={point.decode_tokens_per_second_half_interval} />
                <Mean kind="power" show={(value) => about(power(value), method)} value={point.mean_power_mw} half={point.mean_power_half_interval_mw} />
                <td>
                  <Runs point={point} />
                </td>
                <td>
                  <VerdictChip level={point.verdict} />
                  {point.no_energy && <div className="error">{point.no_energy}</div>}
                </td>
              </tr>
            ))}
            {data.missing.map((label) => (
              <tr key={label}>
                <td className="label">{short(label, 160)}</td>
                <td className="muted" colSpan={7}>
                  not measured
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

/** The runs behind a mean, to look at one by one. */
function Runs({ point }: { point: ExperimentPoint }) {
  const rest = point.run_ids.length - SHOWN_RUNS;
  return (
    <details className="runs-of">
      <summary>
        {point.runs_used === point.runs ? point.runs : `${point.runs_used} of ${point.runs}`}
      </summary>
      {point.run_ids.slice(0, SHOWN_RUNS).map((run) => (
        <a key={run} href={runHref(run)} className="mono">
          {run.slice(0, 8)}
        </a>
      ))}
      {rest > 0 && <span className="muted">and {rest} more</span>}
    </details>
  );
}

function Table({ table }: { table: AnalysisTable }) {
  return (
    <>
      <h3>{table.title}</h3>
      <div className="scroll">
        <table className="tight">
          <thead>
            <tr>
              {table.columns.map((column) => (
                <th key={column.key} className={column.kind === "text" ? "" : "num"}>
                  {column.title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {table.rows.map((row, index) => (
              <tr key={index}>
                {table.columns.map((column, place) => {
                  const { value, half } = cellText(column, row);
                  return (
                    <td key={column.key} className={column.kind === "text" ? (place === 0 ? "label" : "") : "num"}>
                      {short(value, 160)}
                      {half && <span className="error"> {half}</span>}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

const title = (name: string) => name.charAt(0).toUpperCase() + name.slice(1);

function Findings({ analysis }: { analysis: Analysis }) {
  const hasResult = analysis.answers.length > 0 || analysis.tables.length > 0;
  return (
    <Panel title={title(analysis.name)} actions={<span className="note">{analysis.question}</span>}>
      <ul className="answers">
        {analysis.answers.map((answer) => (
          <li key={answer}>{answer}</li>
        ))}
        {analysis.lacks.map((lack) => (
          <li key={lack} className="lacking">
            {hasResult ? "Missing: " : "No answer: "}
            {lack}
          </li>
        ))}
      </ul>
      {analysis.charts.length > 0 && (
        <div className="charts">
          {analysis.charts.map((chart) => (
            <div key={chart.title}>
              <h3>{chart.title}</h3>
              <AnalysisChart chart={chart} />
            </div>
          ))}
        </div>
      )}
      {hasResult && (
        <details>
          <summary>Tables and method</summary>
          {analysis.tables.map((table) => (
            <Table key={table.title} table={table} />
          ))}
          {analysis.method.map((text) => (
            <p key={text} className="note">
              {text}
            </p>
          ))}
        </details>
      )}
    </Panel>
  );
}

/** Joules of each point over time, in days since the first measurement. */
export function trendChart(trend: Trend): ChartData | null {
  const DAY_MS = 86_400_000;
  const entries = trend.points.flatMap((point) => point.entries);
  const first = Math.min(...entries.map((entry) => entry.started_at_ms));
  const series = trend.points
    .map((point) => ({
      name: point.point,
      kind: "points" as const,
      points: point.entries.flatMap((entry) =>
        entry.energy_per_output_token_mj === null
          ? []
          : [
              {
                x: (entry.started_at_ms - first) / DAY_MS,
                y: entry.energy_per_output_token_mj / 1e3,
                x_half_interval: null,
                y_half_interval:
                  entry.energy_per_output_token_half_interval_mj === null
                    ? null
                    : entry.energy_per_output_token_half_interval_mj / 1e3,
                label: entry.commit ? short(entry.commit, 12) : short(entry.experiment, 24),
              },
            ],
      ),
    }))
    .filter((each) => each.points.length > 0);
  if (series.length === 0 || series.every((each) => each.points.length < 2)) {
    return null;
  }
  return {
    title: "Energy per output token over time",
    x: { title: `days since ${when(first).slice(0, 10)}`, unit: null, is_logarithmic: false },
    y: { title: "energy per output token", unit: "J", is_logarithmic: false },
    categories: [],
    series,
  };
}

function TrendPanel({ name, estimates }: { name: string; estimates: boolean }) {
  const loaded = useLoad(`${name}/${estimates}`, () => api.trend(name, estimates));
  const chart = useMemo(() => (loaded.data ? trendChart(loaded.data) : null), [loaded.data]);
  if (loaded.error) {
    return <Problem error={loaded.error} retry={loaded.reload} />;
  }
  if (!loaded.data) {
    return null;
  }
  const { runs_on_other_machines, is_cut } = loaded.data;
  return (
    <Panel title="Trend" actions={<span className="note">points of other experiments on this machine that have the same name</span>}>
      {chart ? (
        <AnalysisChart chart={chart} />
      ) : (
        <p className="note">
          No point was measured in another experiment. A nightly one with the same models and settings makes a
          trend: <code>enprof bench … --tag commit=$(git rev-parse --short HEAD)</code>
        </p>
      )}
      {runs_on_other_machines > 0 && (
        <p className="note">{counted(runs_on_other_machines, "run")} on other machines are left out.</p>
      )}
      {is_cut && <p className="note">Only the newest runs are shown.</p>}
    </Panel>
  );
}

function Detail({ name }: { name: string }) {
  const [estimates, setEstimates] = useState(false);
  const loaded = useLoad(`${name}/${estimates}`, () => api.experiment(name, estimates));
  if (loaded.error) {
    return <Problem error={loaded.error} retry={loaded.reload} />;
  }
  const data = loaded.data;
  if (!data) {
    return <State title="Analysing the experiment" />;
  }
  const facts: [string, string][] = [
    ["measured", data.first_started_at_ms === null ? "" : when(data.first_started_at_ms)],
    ["machine", data.machines.join("; ")],
    ["sensors", data.sensors.join(", ")],
    ["engine", data.engines.join(", ")],
  ];
  return (
    <div className="stack experiment-view">
      <div className="row">
        <h1>{short(data.experiment)}</h1>
        <span className="spacer" />
        <label className="inline">
          <input type="checkbox" checked={estimates} onChange={(event) => setEstimates(event.target.checked)} />
          use estimates
        </label>
        <a className="button" href={api.experimentPageUrl(name, estimates)} download>
          Report as a page
        </a>
      </div>
      <div className="measured">
        {facts
          .filter(([, value]) => value !== "")
          .map(([key, value]) => (
            <span key={key}>
              <b>{key}</b> {value}
            </span>
          ))}
      </div>
      {data.has_estimates && (
        <p className="note">
          Energies are estimates: CPU time times a power that was not measured. No difference between them is
          shown by a sensor.
        </p>
      )}
      {data.notes.map((note) => (
        <p key={note} className="note">
          {note}
        </p>
      ))}
      <Points data={data} />
      {data.analyses.map((analysis) => (
        <Findings key={analysis.name} analysis={analysis} />
      ))}
      <TrendPanel name={name} estimates={estimates} />
    </div>
  );
}

export function ExperimentsView({ name }: { name: string | null }) {
  return name === null ? <List /> : <Detail key={name} name={name} />;
}
