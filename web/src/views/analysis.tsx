// One run, from its phases down to its operations.

import { useEffect, useMemo, useState } from "react";
import { api } from "../api";
import { bytes, count, digits, duration, energy, percent, plusMinus, power, si, when } from "../format";
import { EnergySankey, EnergyTreemap, PhaseTimeline, Roofline, Waterfall } from "../parts/analysis-charts";
import { Heatmap } from "../parts/heatmap";
import { PowerChart, type Rail } from "../parts/power-chart";
import { TokenStream } from "../parts/token-stream";
import type { Run } from "../types";
import { MethodChip, Panel, Problem, State, Tile, useLoad } from "../ui";

const METRICS: [string, string][] = [
  ["energy", "energy"],
  ["duration", "time"],
  ["power", "power"],
  ["pj_per_byte", "pJ/byte"],
  ["pj_per_flop", "pJ/FLOP"],
  ["activation_mean", "activation mean"],
  ["activation_std", "activation σ"],
  ["activation_max", "activation max"],
  ["sparsity", "sparsity"],
  ["kill_ratio", "MLP kill ratio"],
  ["variance_ratio", "norm variance ratio"],
  ["attention_entropy", "attention entropy"],
];
const OF_TIME = new Set(["energy", "duration", "power", "pj_per_byte", "pj_per_flop"]);
const PLAY_MS = 350;

function Facts({ run }: { run: Run }) {
  const { model, totals } = run;
  const facts: [string, string][] = [
    ["Model", `${model.name ?? "–"} · ${model.architecture ?? "–"} · ${model.quantization ?? "–"}`],
    ["Parameters", si(model.parameters, "")],
    ["Shape", `${model.layers ?? "–"} layers × ${model.embedding_width ?? "–"} · ${model.heads ?? "–"} heads, ${model.kv_heads ?? "–"} KV (${model.attention ?? "–"})`],
    ["Context", `${count(model.context)} · KV cache ${bytes(model.kv_cache_bytes)}`],
    ["Engine", `${model.engine ?? "–"} · ${model.threads ?? "–"} threads`],
    ["Power", run.power.sources.join(" · ") || "none"],
    ["Started", when(run.started_at)],
    ["Cost, CO₂", `${totals.cost_usd === null ? "–" : `${digits(totals.cost_usd, 3)} USD`} · ${si(totals.co2_g, "g")}`],
  ];
  return (
    <table>
      <tbody>
        {facts.map(([name, value]) => (
          <tr key={name}>
            <th>{name}</th>
            <td>{value}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function HeatmapPanel({ run, token, onToken }: { run: Run; token: number | null; onToken: (token: number | null) => void }) {
  const [metric, setMetric] = useState("energy");
  const [phase, setPhase] = useState("decode");
  const [playing, setPlaying] = useState(false);
  const [component, setComponent] = useState<string | null>(null);
  const deep = run.depth === "deep";
  const byToken = deep && OF_TIME.has(metric) && token !== null;
  const matrix = useLoad(
    `${run.run_id}/${metric}/${phase}/${byToken ? token : ""}`,
    () => api.matrix(run.run_id, metric, OF_TIME.has(metric) ? phase : "", byToken ? token : null),
  );
  const last = run.tokens.length - 1;
  useEffect(() => {
    if (!playing) {
      return;
    }
    const timer = setTimeout(() => {
      const next = (token ?? 0) + 1;
      if (next > last) {
        setPlaying(false);
      } else {
        onToken(next);
      }
    }, PLAY_MS);
    return () => clearTimeout(timer);
  }, [playing, token, last, onToken]);
  const operations = run.operations.filter(
    (operation) => operation.component === component && operation.phase === phase,
  );

  return (
    <Panel
      title="Layers × components"
      span={7}
      actions={
        <>
          <select value={metric} aria-label="Metric" onChange={(event) => setMetric(event.target.value)}>
            {METRICS.map(([id, name]) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
          <select
            value={phase}
            aria-label="Phase"
            disabled={!OF_TIME.has(metric) || byToken}
            onChange={(event) => setPhase(event.target.value)}
          >
            <option value="prefill">prefill</option>
            <option value="decode">decode</option>
            <option value="">all phases</option>
          </select>
        </>
      }
    >
      {matrix.error ? (
        <Problem error={matrix.error} retry={matrix.reload} />
      ) : matrix.data && matrix.data.layers.length > 0 ? (
        <Heatmap matrix={matrix.data} onPick={setComponent} />
      ) : (
        <State title={matrix.loading ? "Loading" : "Nothing to show"}>
          {!matrix.loading &&
            (run.depth === "minimal"
              ? "This run was made at minimal depth: choose module or deep."
              : "Values are looked at on sampled tokens of deep runs only.")}
        </State>
      )}
      {deep && OF_TIME.has(metric) && last >= 0 && (
        <div className="row" style={{ alignItems: "center", marginTop: 8 }}>
          <button onClick={() => setPlaying(!playing)} aria-label={playing ? "Pause" : "Play"}>
            {playing ? "❚❚" : "▶"}
          </button>
          <input
            type="range"
            min={-1}
            max={last}
            value={token ?? -1}
            style={{ flex: 1 }}
            aria-label="Output token"
            onChange={(event) =>
              onToken(event.target.valueAsNumber < 0 ? null : event.target.valueAsNumber)
            }
          />
          <span className="muted" style={{ minWidth: 96 }}>
            {token === null ? "whole phase" : `token #${token}`}
          </span>
        </div>
      )}
      {component && (
        <div style={{ marginTop: 10 }}>
          <div className="note">
            Operations of <b>{component}</b> {deep ? "" : "(of deep runs only)"}{" "}
            <button className="plain" onClick={() => setComponent(null)}>
              close
            </button>
          </div>
          <table>
            <tbody>
              {operations.map((operation) => (
                <tr key={operation.op}>
                  <td className="mono">{operation.op}</td>
                  <td className="num">× {count(operation.count)}</td>
                  <td className="num">{duration(operation.duration_ms)}</td>
                  <td className="num">
                    {energy(operation.energy_mj)}{" "}
                    <span className="muted">{plusMinus(operation.quality.standard_error_mj)}</span>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

export function AnalysisView({ id }: { id: string }) {
  const loaded = useLoad(id, () => api.run(id));
  const timeline = useLoad(`${id}/power`, () => api.timeline(id));
  const [token, setToken] = useState<number | null>(null);
  useEffect(() => setToken(null), [id]);
  const run = loaded.data;
  const rails = useMemo<Rail[]>(
    () =>
      (timeline.data?.domains ?? [])
        .filter((domain) => domain.points.length > 0)
        .sort((a, b) => Number(b.is_root) - Number(a.is_root))
        .map((domain) => ({ name: domain.name, points: domain.points, faint: !domain.is_root })),
    [timeline.data],
  );
  if (loaded.error) {
    return <Problem error={loaded.error} retry={loaded.reload} />;
  }
  if (!run) {
    return <State title="Loading the run" />;
  }
  if (!run.totals) {
    return (
      <State title={`This run is ${run.status}`}>
        <button onClick={loaded.reload}>Look again</button>
      </State>
    );
  }
  const { totals } = run;
  return (
    <div className="grid">
      <div className="tiles">
        <Tile
          label="Energy"
          value={energy(totals.energy_mj)}
          detail={plusMinus(totals.quality.standard_error_mj) || `over ${duration(totals.duration_ms)}`}
        />
        <Tile
          label="Dynamic"
          value={energy(totals.dynamic_energy_mj)}
          detail={`baseline ${energy(totals.baseline_energy_mj)}`}
        />
        <Tile
          label="Per output token"
          value={energy(totals.energy_per_output_token_mj)}
          detail={`${energy(totals.energy_per_input_token_mj)} per input token`}
        />
        <Tile
          label="Speed"
          value={totals.decode_tokens_per_second === null ? "–" : `${digits(totals.decode_tokens_per_second, 3)} tokens/s`}
          detail={`first token ${duration(totals.time_to_first_token_ms)}`}
        />
        <Tile
          label="Mean power"
          value={power(totals.mean_power_mw)}
          detail={run.power.peak ? `peak ${power(run.power.peak.power_mw)}` : undefined}
        />
        <Tile
          label="Tokens per joule"
          value={totals.tokens_per_joule === null ? "–" : digits(totals.tokens_per_joule)}
          detail={`${count(totals.prompt_tokens)} in, ${count(totals.output_tokens)} out`}
        />
      </div>
      <Panel
        title={`Run ${run.run_id}`}
        span={5}
        actions={
          <>
            <MethodChip method={totals.quality.method} />
            <span className="chip">{run.status}</span>
            <a href={api.exportUrl(run.run_id)} download>
              Export JSON
            </a>
          </>
        }
      >
        <Facts run={run} />
        <p className="note">
          Coverage {percent(totals.quality.coverage)}
          {totals.quality.foreign_cpu_share !== null &&
            ` · other processes ${percent(totals.quality.foreign_cpu_share)} of busy CPU time`}
        </p>
      </Panel>
      <Panel title="Power by rail" span={7} actions={<span className="note">dashed: within another</span>}>
        {timeline.error ? (
          <Problem error={timeline.error} retry={timeline.reload} />
        ) : rails.length > 0 ? (
          <PowerChart rails={rails} phases={run.phases} height={320} />
        ) : (
          <State title={timeline.loading ? "Loading" : "No power was measured"} />
        )}
      </Panel>
      <Panel title="Phases and sections" span={5}>
        <PhaseTimeline phases={run.phases} sections={run.sections} />
      </Panel>
      <HeatmapPanel run={run} token={token} onToken={setToken} />
      <Panel title="Tokens" span={5} actions={<span className="note">colour: joules; click to choose</span>}>
        {run.tokens.length > 0 ? (
          <TokenStream
            follow={false}
            selected={token}
            onPick={setToken}
            tokens={run.tokens.map((entry) => ({
              index: entry.index,
              text: entry.text,
              duration_ms: entry.duration_ms,
              energy_mj: entry.energy_mj,
              standard_error_mj: entry.quality.standard_error_mj,
              provisional: false,
            }))}
          />
        ) : (
          <State title="No tokens" />
        )}
      </Panel>
      <Panel title="Energy of each token" span={7}>
        {run.tokens.length > 0 ? (
          <Waterfall tokens={run.tokens} selected={token} onPick={setToken} />
        ) : (
          <State title="No tokens" />
        )}
      </Panel>
      {run.components.length > 0 && (
        <>
          <Panel title="Joules by phase ▸ layer ▸ component" span={6}>
            <EnergyTreemap run={run} />
          </Panel>
          <Panel
            title="Energy roofline"
            span={6}
            actions={<span className="note">size: energy of the class</span>}
          >
            {run.operations.length > 0 ? (
              <Roofline operations={run.operations} />
            ) : (
              <State title="Of deep runs only" />
            )}
          </Panel>
          <Panel title="Where the joules flowed">
            <EnergySankey run={run} />
          </Panel>
        </>
      )}
      {run.warnings.length > 0 && (
        <Panel title="Warnings">
          <ul className="warnings">
            {run.warnings.map((warning) => (
              <li key={warning.code + warning.message}>
                {warning.message}
                {warning.hint && <div className="hint">{warning.hint}</div>}
              </li>
            ))}
          </ul>
        </Panel>
      )}
      <Panel title="Prompt">
        <div className="mono" style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
          {run.prompt}
        </div>
      </Panel>
    </div>
  );
}
