// Start a run, and watch its joules flow.

import { useEffect, useMemo, useState } from "react";
import { api } from "../api";
import { bytes, count, digits, duration, energy, percent, power } from "../format";
import type { LiveConnection, LiveRun, LiveState } from "../live";
import { Heatmap } from "../parts/heatmap";
import { PowerChart } from "../parts/power-chart";
import { TokenStream } from "../parts/token-stream";
import { runHref } from "../router";
import type { GenerateRequest, Matrix, PowerPoint, PowerStatus } from "../types";
import { MethodChip, Panel, Problem, State, Tile, useLoad } from "../ui";

const DEFAULTS: GenerateRequest = {
  prompt: "",
  model: "",
  depth: "module",
  max_tokens: 128,
  temperature: 0,
  seed: 0,
  chat: false,
  tags: [],
  experiment: "",
};

function RunForm({ onStart, busy }: { onStart: (id: string) => void; busy: boolean }) {
  const [order, setOrder] = useState<GenerateRequest>(DEFAULTS);
  const [tags, setTags] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [sending, setSending] = useState(false);
  const models = useLoad("models", () => api.models());
  const list = models.data?.models ?? [];
  const model = order.model || list[0]?.name || "";
  const change = (part: Partial<GenerateRequest>) => setOrder((before) => ({ ...before, ...part }));

  const start = async () => {
    setSending(true);
    setError(null);
    try {
      const answer = await api.generate({
        ...order,
        model,
        tags: tags
          .split(",")
          .map((tag) => tag.trim())
          .filter((tag) => tag !== ""),
      });
      onStart(answer.run_id);
    } catch (problem) {
      setError(problem);
    } finally {
      setSending(false);
    }
  };

  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        void start();
      }}
    >
      <label>
        Prompt
        <textarea
          value={order.prompt}
          placeholder="How many joules does a thought take?"
          onChange={(event) => change({ prompt: event.target.value })}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
              void start();
            }
          }}
        />
      </label>
      <label>
        Model
        <select value={model} onChange={(event) => change({ model: event.target.value })}>
          {list.length === 0 && <option value="">no models in --models-dir</option>}
          {list.map((entry) => (
            <option key={entry.name} value={entry.name}>
              {entry.name} ({bytes(entry.bytes)})
            </option>
          ))}
        </select>
      </label>
      <div className="row">
        <label>
          Depth
          <select value={order.depth} onChange={(event) => change({ depth: event.target.value })}>
            <option value="minimal">minimal: phases, tokens</option>
            <option value="module">module: layers, components</option>
            <option value="deep">deep: operations</option>
          </select>
        </label>
        <label>
          Output tokens
          <input
            type="number"
            min={1}
            max={1000000}
            value={order.max_tokens}
            onChange={(event) => change({ max_tokens: event.target.valueAsNumber || 1 })}
          />
        </label>
        <label>
          Temperature
          <input
            type="number"
            min={0}
            max={100}
            step={0.1}
            value={order.temperature}
            onChange={(event) => change({ temperature: event.target.valueAsNumber || 0 })}
          />
        </label>
      </div>
      <div className="row">
        <label>
          Tags
          <input
            value={tags}
            placeholder="baseline, q8"
            onChange={(event) => setTags(event.target.value)}
          />
        </label>
        <label>
          Experiment
          <input
            value={order.experiment}
            onChange={(event) => change({ experiment: event.target.value })}
          />
        </label>
      </div>
      {Boolean(error ?? models.error) && <Problem error={error ?? models.error} />}
      <div className="row">
        <button
          className="primary"
          type="submit"
          disabled={sending || model === "" || order.prompt === ""}
        >
          {busy ? "Queue run" : "Start run"}
        </button>
        <span className="muted">Ctrl+Enter</span>
      </div>
    </form>
  );
}

const RUNNING = new Set(["waiting", "loading", "running"]);

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

function status(run: LiveRun): string {
  if (run.status === "loading" && run.loading !== null) {
    return `loading the model, ${percent(run.loading)}`;
  }
  if (run.status === "running") {
    return run.section ? `${run.phase} · ${run.section}` : (run.phase ?? "running");
  }
  return run.status;
}

function cellsToMatrix(run: LiveRun): Matrix | null {
  if (run.cells.length === 0) {
    return null;
  }
  const layers = [...new Set(run.cells.map((cell) => cell.layer))].sort(
    (a, b) => (a ?? -1) - (b ?? -1),
  );
  const components = [...new Set(run.cells.map((cell) => cell.component))];
  const values = layers.map((layer) =>
    components.map(
      (component) =>
        run.cells.find((cell) => cell.layer === layer && cell.component === component)
          ?.energy_mj ?? null,
    ),
  );
  return { metric: "decode energy", unit: "mJ", layers, components, values };
}

function Sensors({ power: state }: { power: PowerStatus | null }) {
  if (!state) {
    return null;
  }
  const roots = state.domains.filter((domain) => domain.within === null);
  if (roots.length === 0) {
    return <span className="chip bad">no power source: times only</span>;
  }
  return (
    <>
      {roots.map((domain) => (
        <span key={domain.name} title={state.sources.join("\n")}>
          <MethodChip method={domain.method} /> <span className="muted">{domain.name}</span>
        </span>
      ))}
    </>
  );
}

export function LiveView({ state, live }: { state: LiveState; live: LiveConnection }) {
  const run = state.run;
  const running = run !== null && RUNNING.has(run.status);
  const [problem, setProblem] = useState<unknown>(null);
  const sensors = useLoad("power", () => api.power());
  const [follow, setFollow] = useState(true);
  const rails = useMemo(() => {
    if (!run || run.power.length === 0) {
      return [];
    }
    const points: PowerPoint[] = run.power.map(([at, mw], index) => [
      index === 0 ? Math.max(0, at - 100) : (run.power[index - 1]?.[0] ?? at),
      at,
      mw,
    ]);
    return [{ name: "total of the root domains", points, faint: false }];
  }, [run]);
  const matrix = useMemo(() => (run ? cellsToMatrix(run) : null), [run]);
  useEffect(() => setProblem(null), [run?.run_id]);

  return (
    <div className="grid">
      <Panel
        title="New run"
        span={4}
        actions={<Sensors power={sensors.data} />}
      >
        <RunForm onStart={(id) => live.expect(id)} busy={running} />
      </Panel>
      <Panel
        title="Power"
        span={8}
        actions={
          run && (
            <>
              <span className={`chip ${running ? "good" : run.status === "completed" ? "" : "bad"}`}>
                <span className="dot" />
                {status(run)}
              </span>
              {running && (
                <button
                  onClick={() =>
                    api.remove(run.run_id).catch((error: unknown) => setProblem(error))
                  }
                >
                  Cancel
                </button>
              )}
              {!running && run.status !== "failed" && (
                <a href={runHref(run.run_id)}>Analyse this run</a>
              )}
            </>
          )
        }
      >
        {Boolean(problem) && <Problem error={problem} />}
        {run?.error && (
          <div className="problem" role="alert">
            {run.error.message}
            {run.error.hint && <div className="hint">{run.error.hint}</div>}
          </div>
        )}
        {rails.length > 0 ? (
          <PowerChart rails={rails} height={300} />
        ) : (
          <div style={{ minHeight: 300 }}>
            <State title={running ? "Waiting for the first reading" : "No run to show"}>
              {running
                ? "Power comes ten times a second once the model is loaded."
                : "Start one on the left, or look at an earlier one in the history."}
            </State>
          </div>
        )}
      </Panel>
      <div className="tiles">
        <Tile
          label="Joules per token"
          value={energy(run ? joulesPerToken(run) : null)}
          detail="mean of the decode phase"
        />
        <Tile
          label="Speed"
          value={run && decodeRate(run) !== null ? `${digits(decodeRate(run) ?? 0, 3)} tokens/s` : "–"}
          detail="decode"
        />
        <Tile label="Power" value={power(run?.power_mw)} detail="root domains, now" />
        <Tile label="Energy" value={energy(run?.energy_mj)} detail="since the run began" />
        <Tile
          label="Tokens"
          value={run ? count(run.tokens.length) : "–"}
          detail={run ? `in ${duration(run.t_ms)}` : undefined}
        />
      </div>
      <Panel
        title="Tokens"
        span={6}
        actions={
          <>
            <span className="note">dotted: energy is provisional</span>
            <label className="row" style={{ flexDirection: "row", alignItems: "center", gap: 5 }}>
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
          <TokenStream tokens={run.tokens.filter(Boolean)} follow={follow} />
        ) : (
          <State title="No tokens yet" />
        )}
      </Panel>
      <Panel title="Layers and components, decode energy" span={6}>
        {matrix ? (
          <Heatmap matrix={matrix} />
        ) : (
          <State title="Filled when a run's energy has settled">
            Needs depth module or deep.
          </State>
        )}
      </Panel>
      {run && (run.warnings.length > 0 || run.missed > 0) && (
        <Panel title="Warnings">
          <ul className="warnings">
            {run.missed > 0 && (
              <li>
                This page missed {count(run.missed)} events; the run itself is whole: look at it in
                the analysis.
              </li>
            )}
            {run.warnings.map((warning) => (
              <li key={warning}>{warning}</li>
            ))}
          </ul>
        </Panel>
      )}
    </div>
  );
}
