// Start a run, and watch its joules flow.

import { useEffect, useMemo, useState } from "react";
import { api } from "../api";
import { DASH, about, count, digits, duration, energy, percent, plusMinus, power } from "../format";
import { UNDER_WAY, type LiveConnection, type LiveRun, type LiveState } from "../live";
import { Heatmap } from "../parts/heatmap";
import { rootOfSquares } from "../parts/interval";
import { PowerChart, type Rail } from "../parts/power-chart";
import { RunForm } from "../parts/run-form";
import { RunQueue, type Waiting } from "../parts/run-queue";
import { TokenStream } from "../parts/token-stream";
import { runHref } from "../router";
import type { Matrix, Method, PowerPoint, PowerStatus, RunSummary } from "../types";
import { MethodChip, Panel, Problem, State, StatusChip, Tile, useLoad } from "../ui";
import "./live.css";

const SAMPLE_MS = 100; // between two readings of power
const LOOK_MS = 700; // between two looks for a run in the history
const LOOKS = 5;
const LATEST = 10;
const STEPS = ["loading", "prefill", "decode", "done"];

function decodeRate(run: LiveRun): number | null {
  const decoded = run.tokens.filter((token) => token?.phase === "decode");
  const time = decoded.reduce((sum, token) => sum + token.duration_ms, 0);
  return time > 0 ? (decoded.length / time) * 1e3 : null;
}

function joulesPerToken(run: LiveRun): number | null {
  const known = run.tokens.filter(
    (token) => token?.phase === "decode" && token.energy_mj !== null,
  );
  return known.length > 0
    ? known.reduce((sum, token) => sum + (token.energy_mj ?? 0), 0) / known.length
    : null;
}

function stepOf(run: LiveRun): number {
  if (!UNDER_WAY.has(run.status)) {
    return STEPS.length - 1;
  }
  return run.phase === "decode" || run.phase === "post_inference"
    ? 2
    : run.status === "running"
      ? 1
      : 0;
}

function Steps({ run }: { run: LiveRun }) {
  const now = stepOf(run);
  const over = !UNDER_WAY.has(run.status);
  return (
    <ol className="steps" aria-label="Phase of the run">
      {STEPS.map((step, index) => (
        <li
          key={step}
          className={
            index === STEPS.length - 1 && over && run.status !== "completed"
              ? "bad"
              : index < now || over
                ? "past"
                : index === now
                  ? "now"
                  : ""
          }
          aria-current={index === now ? "step" : undefined}
        >
          {step === "done" && over ? run.status : step}
          {step === "loading" && index === now && run.loading !== null && ` ${percent(run.loading)}`}
          {step === "decode" && index === now && run.section && (
            <span className="muted"> {run.section}</span>
          )}
        </li>
      ))}
    </ol>
  );
}

function cellsToMatrix(run: LiveRun): Matrix | null {
  if (run.cells.length === 0) {
    return null;
  }
  const layers = [...new Set(run.cells.map((cell) => cell.layer))].sort(
    (a, b) => (a ?? -1) - (b ?? -1),
  );
  const components = [...new Set(run.cells.map((cell) => cell.component))];
  const values = new Map(
    run.cells.map((cell) => [`${cell.layer}/${cell.component}`, cell.energy_mj]),
  );
  return {
    metric: "decode energy",
    unit: "mJ",
    layers,
    components,
    values: layers.map((layer) =>
      components.map((component) => values.get(`${layer}/${component}`) ?? null),
    ),
  };
}

function points(samples: [number, number][]): PowerPoint[] {
  return samples.map(([at, mw], index) => [
    index === 0 ? Math.max(0, at - SAMPLE_MS) : (samples[index - 1]?.[0] ?? at),
    at,
    mw,
  ]);
}

/** Rail by rail, roots first; the sum where the server tells no more. */
function railsOf(run: LiveRun | null, sensors: PowerStatus | null): Rail[] {
  const within = new Map(sensors?.domains.map((domain) => [domain.name, domain.within]));
  const rails = Object.entries(run?.rails ?? {})
    .map(([name, samples]) => ({
      name,
      points: points(samples),
      faint: (within.get(name) ?? null) !== null,
    }))
    .sort((a, b) => Number(a.faint) - Number(b.faint));
  return rails.length > 0 || !run || run.power.length === 0
    ? rails
    : [{ name: "all rails", points: points(run.power), faint: false }];
}

const rootsOf = (sensors: PowerStatus) =>
  sensors.domains.filter((domain) => domain.within === null);

/** Of what the roots tell together; null where there are none. */
function methodOf(sensors: PowerStatus): Method | null {
  const roots = rootsOf(sensors);
  return roots.length === 0
    ? null
    : roots.some((domain) => domain.method === "estimated")
      ? "estimated"
      : "measured";
}

function Sensors({ power: state }: { power: PowerStatus | null }) {
  if (!state) {
    return null;
  }
  const roots = rootsOf(state);
  if (roots.length === 0) {
    return <span className="chip bad">no power source: times only</span>;
  }
  return (
    <span className="sensors" title={state.sources.join("\n")}>
      <span className="muted">{roots.map((domain) => domain.name).join(" + ")}</span>
      <MethodChip method={methodOf(state)} />
    </span>
  );
}

function Tiles({ run, method }: { run: LiveRun | null; method: Method | null }) {
  const told = (text: string) => about(text, method);
  const rate = run ? decodeRate(run) : null;
  const known = run?.tokens.filter(Boolean) ?? [];
  const settled = known.filter((token) => !token.provisional).length;
  const errors = known
    .map((token) => token.standard_error_mj)
    .filter((error): error is number => error !== null);
  const error = errors.length < known.length ? null : rootOfSquares(errors) / errors.length;
  return (
    <div className="tiles">
      <Tile
        label="Joules per token"
        value={told(energy(run ? joulesPerToken(run) : null))}
        detail={
          settled > 0 && settled === known.length
            ? [plusMinus(error), "settled"].filter(Boolean).join(" · ")
            : known.length > 0
              ? `${count(settled)} of ${count(known.length)} tokens settled`
              : "mean of the decode phase"
        }
      />
      <Tile
        label="Speed"
        value={rate === null ? DASH : `${digits(rate, 3)} tok/s`}
        detail="decode"
      />
      <Tile
        label="Power"
        value={told(power(run?.power_mw))}
        detail={method === "estimated" ? "from CPU time: no sensor" : "all rails, now"}
      />
      <Tile label="Energy" value={told(energy(run?.energy_mj))} detail="since the run began" />
      <Tile
        label="Tokens"
        value={run ? count(known.length) : DASH}
        detail={run ? `in ${duration(run.t_ms)}` : undefined}
      />
    </div>
  );
}

/** What the run was asked to do. It is in the history soon after its start, and looked for until then. */
function useHead(run: LiveRun | null): RunSummary | null {
  const [head, setHead] = useState<RunSummary | null>(null);
  const id = run?.run_id;
  const known = head !== null && head.run_id === id;
  const turn = Math.min(LOOKS, Math.floor((run?.t_ms ?? 0) / LOOK_MS));
  useEffect(() => {
    if (id === undefined || known) {
      return;
    }
    let current = true;
    api.runs({ limit: LATEST }).then(
      (list) => {
        const found = list.runs.find((entry) => entry.run_id === id);
        if (current && found) {
          setHead(found);
        }
      },
      () => undefined, // a server that is gone is told of in the page's head
    );
    return () => {
      current = false;
    };
  }, [id, known, turn, run?.status]);
  return known ? head : null;
}

function RunPanel({
  run,
  sensors,
  waiting,
}: {
  run: LiveRun | null;
  sensors: PowerStatus | null;
  waiting: boolean;
}) {
  const [problem, setProblem] = useState<unknown>(null);
  const running = run !== null && UNDER_WAY.has(run.status);
  const head = useHead(run);
  const rails = useMemo(() => railsOf(run, sensors), [run, sensors]);
  useEffect(() => setProblem(null), [run?.run_id]);
  return (
    <Panel
      title={run ? `Run ${run.run_id.slice(0, 8)}` : "Power"}
      span={8}
      actions={
        run && (
          <>
            {(run.warnings.length > 0 || run.stale) && (
              <span className="chip warn">
                <span className="dot" />
                {run.stale
                  ? "events were missed"
                  : run.warnings.length === 1
                    ? "1 warning"
                    : `${run.warnings.length} warnings`}
                , see below
              </span>
            )}
            <StatusChip status={run.status} />
            {running && (
              <button
                onClick={() => api.remove(run.run_id).catch((error: unknown) => setProblem(error))}
              >
                Cancel
              </button>
            )}
            {!running && run.status !== "failed" && run.status !== "lost" && (
              <a className="button primary" href={runHref(run.run_id)}>
                Analyse this run
              </a>
            )}
          </>
        )
      }
    >
      {run && (
        <div className="about">
          <div className="clip">
            {head ? (
              <>
                <span title={head.prompt}>“{head.prompt}”</span>{" "}
                <span className="muted">
                  {head.model} {head.quantization}
                </span>
              </>
            ) : (
              <span className="muted">{"\u00a0"}</span>
            )}
          </div>
          <Steps run={run} />
        </div>
      )}
      {Boolean(problem) && <Problem error={problem} />}
      {run?.error && (
        <div className="problem" role="alert">
          {run.error.message}
          {run.error.hint && <div className="hint">{run.error.hint}</div>}
        </div>
      )}
      {run?.status === "lost" && (
        <div className="problem" role="alert">
          The server was started anew and does not know this run: it ended before it was saved.
        </div>
      )}
      {run?.status === "interrupted" && (
        <div className="problem" role="alert">
          The server ended in the middle of this run. What it had saved is below and in the analysis.
        </div>
      )}
      {rails.length > 0 ? (
        <PowerChart rails={rails} duration_ms={run?.t_ms} height={338} />
      ) : (
        <div className="hold chart-sized">
          {run && sensors && methodOf(sensors) === null ? (
            <State title="No power source">
              Times are measured all the same. <code>enprof doctor</code> says what this machine lacks.
            </State>
          ) : (
            <State
              title={running ? "Waiting for the first reading" : run ? "No reading of power has come" : "Nothing runs"}
            >
              {running
                ? "Power comes ten times a second once the model is loaded."
                : run
                  ? "The analysis has what was measured."
                  : waiting
                    ? "Waiting for the server."
                    : "Write a prompt and start a run: its joules appear here as they are spent."}
            </State>
          )}
        </div>
      )}
    </Panel>
  );
}

export function LiveView({ state, live }: { state: LiveState; live: LiveConnection }) {
  const run = state.run;
  const running = run !== null && UNDER_WAY.has(run.status);
  const sensors = useLoad(`power/${state.connection === "open"}`, () => api.power());
  const [follow, setFollow] = useState(true);
  const [queue, setQueue] = useState<Waiting[]>([]);
  useEffect(() => {
    // They run in the order in which they were asked for.
    const begun = queue.findIndex((entry) => entry.run_id === run?.run_id);
    if (begun >= 0) {
      setQueue(queue.slice(begun + 1));
    }
  }, [queue, run?.run_id]);
  const matrix = useMemo(() => (run ? cellsToMatrix(run) : null), [run?.cells]);
  const tokens = useMemo(() => run?.tokens.filter(Boolean) ?? [], [run?.tokens]);
  const method = sensors.data ? methodOf(sensors.data) : null;

  return (
    <div className="grid">
      <Panel title="New run" span={4} actions={<Sensors power={sensors.data} />}>
        {Boolean(sensors.error) && state.connection === "open" && (
          <Problem error={sensors.error} retry={sensors.reload} />
        )}
        <RunForm
          busy={running}
          onStart={(started) => {
            if (started.place === 0) {
              live.expect(started.run_id);
            } else {
              setQueue((before) => [...before, started]);
            }
          }}
        />
        <RunQueue
          runs={queue}
          onGone={(gone) => setQueue((before) => before.filter((entry) => entry.run_id !== gone))}
        />
      </Panel>
      <RunPanel run={run} sensors={sensors.data} waiting={state.connection !== "open"} />
      <Tiles run={run} method={method} />
      <Panel
        title="Response"
        span={6}
        actions={
          <>
            <span className="note">dotted: provisional joules</span>
            <label className="check">
              <input
                type="checkbox"
                checked={follow}
                onChange={(event) => setFollow(event.target.checked)}
              />
              follow
            </label>
          </>
        }
      >
        {tokens.length > 0 ? (
          <TokenStream tokens={tokens} method={method} follow={follow} />
        ) : (
          <div className="hold tokens-sized">
            <State title="No tokens yet" />
          </div>
        )}
      </Panel>
      <Panel
        title="Layers × components"
        span={6}
        actions={<span className="note">decode energy so far</span>}
      >
        {matrix ? (
          <Heatmap matrix={matrix} height={316} />
        ) : (
          <div className="hold tokens-sized">
            <State title={running ? "Fills as tokens settle" : "No layers yet"}>
              At depth module or deep.
            </State>
          </div>
        )}
      </Panel>
      {run && (run.warnings.length > 0 || run.stale) && (
        <ul className="warnings wide" aria-label="Warnings">
          {run.stale && (
            <li>
              This page missed {run.missed > 0 ? count(run.missed) : "some"} events. The run itself is
              whole: its analysis has everything when it is over.
            </li>
          )}
          {run.warnings.map((warning) => (
            <li key={warning}>{warning}</li>
          ))}
        </ul>
      )}
    </div>
  );
}
