// Starts a run, and shows its energy live.

import { useEffect, useMemo, useState } from "react";
import { api } from "../api";
import { DASH, about, count, counted, digits, duration, energy, percent, plusMinus, power } from "../format";
import type { LiveConnection, LiveState } from "../live";
import { STEPS, UNDER_WAY, type LiveRun } from "../live-run";
import { Heatmap } from "../parts/heatmap";
import { PowerChart, type Rail } from "../parts/power-chart";
import { RequestBars } from "../parts/request-bars";
import { RunForm } from "../parts/run-form";
import { RunQueue, type Waiting } from "../parts/run-queue";
import { TokenStream } from "../parts/token-stream";
import { runHref } from "../router";
import type { Matrix, Method, PowerStatus, RunSummary } from "../types";
import { MethodChip, Panel, Problem, State, StatusChip, Tile, useLoad } from "../ui";
import "./live.css";

const LOOK_MS = 700; // how often to look for a run in the history
const LOOKS = 5;
const LATEST = 10;

function decodeRate({ sums }: LiveRun): number | null {
  return sums.decode_ms > 0 ? (sums.decoded / sums.decode_ms) * 1e3 : null;
}

function joulesPerToken({ sums }: LiveRun): number | null {
  return sums.known > 0 ? sums.energy_mj / sums.known : null;
}

/** A step is green only if it was done: a failed run may not have reached it. */
function toneOf(place: number, run: LiveRun): string {
  const over = !UNDER_WAY.has(run.status);
  if (run.status === "completed" || place < run.reached) {
    return "past";
  }
  if (over) {
    return place === run.reached || place === STEPS.length ? "bad" : "";
  }
  return place === run.reached ? "now" : "";
}

function Steps({ run }: { run: LiveRun }) {
  const over = !UNDER_WAY.has(run.status);
  const now = over ? STEPS.length : run.reached;
  return (
    <ol className="steps" aria-label="Phase of the run">
      {[...STEPS, "done"].map((step, place) => (
        <li
          key={step}
          className={toneOf(place, run)}
          aria-current={place === now ? "step" : undefined}
        >
          {step === "done" && over ? run.status : step}
          {step === "loading" && place === now && run.loading !== null && ` ${percent(run.loading)}`}
          {step === "decode" && place === now && run.section && (
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

/** One line per rail, roots first; only the sum if the server does not give more. */
function railsOf(run: LiveRun | null, sensors: PowerStatus | null): Rail[] {
  const within = new Map(sensors?.domains.map((domain) => [domain.name, domain.within]));
  const rails = (run?.rails ?? [])
    .filter((rail) => rail.points.length > 0)
    .map((rail) => ({ ...rail, faint: (within.get(rail.name) ?? null) !== null }))
    .sort((a, b) => Number(a.faint) - Number(b.faint));
  return rails.length > 0 || !run || run.power.length === 0
    ? rails
    : [{ name: "all rails", points: run.power, faint: false }];
}

/** Notes on what the power chart lacks. */
function PowerNotes({ run }: { run: LiveRun }) {
  return (
    <>
      {run.power_from_ms !== null && (
        <p className="note">
          Power is shown from {duration(run.power_from_ms)} on, when this page came to the run. Its
          analysis has all of it.
        </p>
      )}
      {run.readings_a_point > 1 && (
        <p className="note">
          Each older point is the mean of up to {count(run.readings_a_point)} readings.
        </p>
      )}
      {run.rails_left_out > 0 && (
        <p className="note">
          {counted(run.rails_left_out, "rail")} left out here. The analysis has all of them.
        </p>
      )}
    </>
  );
}

const rootsOf = (sensors: PowerStatus) =>
  sensors.domains.filter((domain) => domain.within === null);

/** The method of the root domains together; null if there are none. */
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
      <span className="muted clip">{roots.map((domain) => domain.name).join(" + ")}</span>
      <MethodChip method={methodOf(state)} />
    </span>
  );
}

function Tiles({ run, method }: { run: LiveRun | null; method: Method | null }) {
  const marked = (text: string) => about(text, method);
  const rate = run ? decodeRate(run) : null;
  const sums = run?.sums;
  const heard = sums?.count ?? 0;
  const settled = sums?.settled ?? 0;
  const error =
    sums && heard > 0 && sums.with_error === heard ? Math.sqrt(sums.squares) / heard : null;
  return (
    <div className="tiles">
      <Tile
        label="Joules per token"
        value={marked(energy(run ? joulesPerToken(run) : null))}
        detail={
          settled > 0 && settled === heard
            ? [plusMinus(error), "settled"].filter(Boolean).join(" · ")
            : heard > 0
              ? `${count(settled)} of ${count(heard)} tokens settled`
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
        value={marked(power(run?.power_mw))}
        detail={method === "estimated" ? "estimated from CPU time" : "all rails, now"}
      />
      <Tile label="Energy" value={marked(energy(run?.energy_mj))} detail="since the run began" />
      <Tile
        label="Tokens"
        value={run ? count(run.total_tokens) : DASH}
        detail={run ? `in ${duration(run.t_ms)}` : undefined}
      />
    </div>
  );
}

/** Of a program that is measured: what its requests cost and how fast they are served. */
function CommandTiles({ run, method }: { run: LiveRun | null; method: Method | null }) {
  const marked = (text: string) => about(text, method);
  const requests = run?.requests ?? null;
  const rate = requests?.tokens_per_second ?? null;
  const sequences = requests?.mean_sequences ?? null;
  return (
    <div className="tiles">
      <Tile
        label="In flight"
        value={requests ? count(requests.in_flight) : DASH}
        detail={requests ? `of ${counted(requests.begun, "request")} so far` : "requests"}
      />
      <Tile
        label="Speed"
        value={rate === null ? DASH : `${digits(rate, 3)} tok/s`}
        detail={requests ? `${counted(requests.output_tokens, "token")} out` : "output tokens"}
      />
      <Tile
        label="Sequences in a pass"
        value={sequences === null ? DASH : digits(sequences, 2)}
        detail="of the last two seconds"
      />
      <Tile
        label="Joules per token"
        value={marked(energy(requests?.energy_per_output_token_mj ?? null))}
        detail="all energy so far, provisional"
      />
      <Tile
        label="Power"
        value={marked(power(run?.power_mw))}
        detail={run ? `${marked(energy(run.energy_mj))} in ${duration(run.t_ms)}` : "all rails, now"}
      />
    </div>
  );
}

/** The requests of a program over time, above its power. */
function RequestsOverTime({ run }: { run: LiveRun }) {
  const { requests } = run;
  const running = UNDER_WAY.has(run.status);
  if (!requests || requests.list.length === 0) {
    return (
      <State title={running ? "No request yet" : "No request was found"}>
        Requests are those of a shared llama.cpp in the command. Without one there is power alone.
      </State>
    );
  }
  const bars = requests.list.map((request) => {
    const end = request.end_ms ?? Math.max(run.t_ms, request.begin_ms);
    return {
      number: request.number,
      begin: request.begin_ms,
      end,
      first_token: request.time_to_first_token_ms,
      is_open: request.end_ms === null,
      title: `Request ${request.number}: ${counted(request.prompt_tokens, "token")} in, ${request.output_tokens} out, ${request.end_ms === null ? "in flight for" : "in"} ${duration(end - request.begin_ms)}`,
    };
  });
  return (
    <>
      <div className="over-power">
        <RequestBars bars={bars} whole_ms={Math.max(run.t_ms, ...bars.map((bar) => bar.end))} />
      </div>
      {requests.left_out > 0 && (
        <p className="note">
          {counted(requests.left_out, "request")} left out here. The analysis has all of them.
        </p>
      )}
    </>
  );
}

/**
 * The request of the run. It appears in the history soon after the start, and is looked up until then.
 */
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
      () => undefined, // the page's head shows that the server is gone
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
  isCommand,
}: {
  run: LiveRun | null;
  sensors: PowerStatus | null;
  waiting: boolean;
  /** It is that of a command which the server belongs to. */
  isCommand: boolean;
}) {
  const [problem, setProblem] = useState<unknown>(null);
  const running = run !== null && UNDER_WAY.has(run.status);
  const head = useHead(run);
  const rails = useMemo(() => railsOf(run, sensors), [run, sensors]);
  useEffect(() => setProblem(null), [run?.run_id]);
  return (
    <Panel
      title={run ? `Run ${run.run_id.slice(0, 8)}` : "Power"}
      span={isCommand ? 12 : 8}
      actions={
        run && (
          <>
            {(run.warnings.length > 0 || run.stale) && (
              <span className="chip warn">
                <span className="dot" />
                {run.stale
                  ? "missed events"
                  : run.warnings.length === 1
                    ? "1 warning"
                    : counted(run.warnings.length + run.warnings_left_out, "warning")}
                , see below
              </span>
            )}
            <StatusChip status={run.status} />
            {running && !isCommand && (
              <button
                onClick={() => api.remove(run.run_id).catch((error: unknown) => setProblem(error))}
              >
                Cancel
              </button>
            )}
            {!running && !(isCommand && waiting) && run.status !== "failed" && run.status !== "lost" && (
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
            {head && isCommand ? (
              <code title={head.prompt}>{head.prompt}</code>
            ) : head ? (
              <>
                <bdi title={head.prompt}>“{head.prompt}”</bdi>{" "}
                <span className="muted">
                  {head.model} {head.quantization}
                </span>
              </>
            ) : (
              <span className="muted">{"\u00a0"}</span>
            )}
          </div>
          {!isCommand && <Steps run={run} />}
        </div>
      )}
      {isCommand && waiting && run && !running && (
        <p className="note">
          The command has ended, and its server with it. <code>enprof show last</code> has its report.
        </p>
      )}
      {run && isCommand && <RequestsOverTime run={run} />}
      {Boolean(problem) && <Problem error={problem} />}
      {run?.error && (
        <div className="problem" role="alert">
          {run.error.message}
          {run.error.hint && <div className="hint">{run.error.hint}</div>}
        </div>
      )}
      {run?.status === "lost" && (
        <div className="problem" role="alert">
          The server was restarted and does not know this run: the server ended before it was saved.
        </div>
      )}
      {run?.status === "interrupted" && (
        <div className="problem" role="alert">
          The server ended in the middle of this run. What was saved is below and in the analysis.
        </div>
      )}
      {rails.length > 0 ? (
        <>
          <PowerChart rails={rails} duration_ms={run?.t_ms} height={338} />
          {run && <PowerNotes run={run} />}
        </>
      ) : (
        <div className="hold chart-sized">
          {run && sensors && methodOf(sensors) === null ? (
            <State title="No power source">
              Times are still measured. Run <code>enprof doctor</code> to see what this machine lacks.
            </State>
          ) : (
            <State
              title={running ? "Waiting for the first reading" : run ? "No power reading came" : "No run yet"}
            >
              {running
                ? `Power comes ten times a second${isCommand ? "" : " once the model is loaded"}.`
                : run
                  ? "The analysis shows what was measured."
                  : waiting
                    ? "Waiting for the server."
                  : isCommand
                    ? "The command begins when idle power was measured."
                    : "Write a prompt and start a run: its joules appear here as they are spent."}
            </State>
          )}
        </div>
      )}
    </Panel>
  );
}

/** Warnings of the run, and what this page missed of it. */
function Notes({ run }: { run: LiveRun }) {
  return (
    <ul className="warnings wide" aria-label="Warnings">
      {run.stale && (
        <li>
          This page missed {run.missed > 0 ? counted(run.missed, "event") : "some events"}. The run itself is
          complete: its analysis shows everything when it has ended.
        </li>
      )}
      {run.warnings.map((warning, place) => (
        <li key={place}>
          {warning.message}
          {warning.hint && <span className="hint"> {warning.hint}</span>}
        </li>
      ))}
      {run.warnings_left_out > 0 && (
        <li>and {count(run.warnings_left_out)} more: the analysis has all of them.</li>
      )}
    </ul>
  );
}

export function LiveView({ state, live }: { state: LiveState; live: LiveConnection }) {
  const run = state.run;
  const running = run !== null && UNDER_WAY.has(run.status);
  const sensors = useLoad(`power/${state.connection === "open"}`, () => api.power());
  // What is known stays known when the command has ended, and its server with it.
  const health = useLoad(`health/${state.connection === "open"}`, () => api.health());
  const isCommand = health.data?.program === "enprof exec";
  const [follow, setFollow] = useState(true);
  const [queue, setQueue] = useState<Waiting[]>([]);
  useEffect(() => {
    // Runs start in the order in which they were requested.
    const begun = queue.findIndex((entry) => entry.run_id === run?.run_id);
    if (begun >= 0) {
      setQueue(queue.slice(begun + 1));
    }
  }, [queue, run?.run_id]);
  const matrix = useMemo(() => (run ? cellsToMatrix(run) : null), [run?.cells]);
  const method = sensors.data ? methodOf(sensors.data) : null;

  const notes = run && (run.warnings.length > 0 || run.stale) && <Notes run={run} />;

  if (isCommand) {
    return (
      <div className="grid">
        <CommandTiles run={run} method={method} />
        <RunPanel run={run} sensors={sensors.data} waiting={state.connection !== "open"} isCommand />
        {matrix && (
          <Panel title="Layers × components" span={12} actions={<span className="note">decode energy</span>}>
            <Heatmap matrix={matrix} height={316} />
          </Panel>
        )}
        {notes}
      </div>
    );
  }
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
              live.showRequested(started.run_id);
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
      <RunPanel run={run} sensors={sensors.data} waiting={state.connection !== "open"} isCommand={false} />
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
        {run && run.tokens.length > 0 ? (
          <TokenStream tokens={run.tokens} total={run.total_tokens} method={method} follow={follow} />
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
              Layers are shown at depth module or deep.
            </State>
          </div>
        )}
      </Panel>
      {notes}
    </div>
  );
}
