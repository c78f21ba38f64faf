// One run, from its phases to its operations.

import { useEffect, useMemo, useState } from "react";
import { api } from "../api";
import { DASH, about, bytes, count, counted, digits, duration, energy, percent, plusMinus, power, si, uncertaintyOf, verdictWords, wattHours, when } from "../format";
import { CaptureRequests } from "../parts/capture-requests";
import { isCommand } from "../parts/command";
import { EnergySankey } from "../parts/energy-sankey";
import { EnergyTreemap } from "../parts/energy-treemap";
import { HeatmapPanel } from "../parts/heatmap-panel";
import { PhaseTimeline } from "../parts/phase-timeline";
import { PowerChart, type Rail } from "../parts/power-chart";
import { Roofline } from "../parts/roofline";
import { TagEditor } from "../parts/tag-editor";
import { TokenStream } from "../parts/token-stream";
import { Waterfall } from "../parts/waterfall";
import { runHref } from "../router";
import type { CalibrationUse, Run } from "../types";
import { Exports, MethodChip, Panel, Problem, State, StatusChip, Tile, VerdictChip, useLoad } from "../ui";
import "./analysis.css";

const LOOK_MS = 2000; // how often to check whether a run has ended
const KINDS: [string, string][] = [
  ["attention", "--blue"],
  ["MLP", "--accent"],
  ["norm", "--violet"],
  ["head", "--green"],
  ["embedding", "--teal"],
  ["other", "--muted"],
];

/** A calibration is used only if it was made with the sensors of the run. */
function calibrationOf(run: Run, use: CalibrationUse): string {
  const sensors = run.power.domains
    .filter((domain) => domain.within === null && domain.method === "measured")
    .map((domain) => domain.name);
  return [
    when(use.made_at),
    sensors.length > 0 ? `with ${sensors.join(", ")}` : "",
    `${percent(use.time_share)} of the passes' time`,
    use.power_ratio === null ? "" : `power ${digits(use.power_ratio, 3)} × the calibration's`,
  ]
    .filter(Boolean)
    .join(" · ");
}

function Facts({ run }: { run: Run }) {
  const { model, totals } = run;
  const { quality } = totals;
  const millionTokens = wattHours(totals.energy_per_output_token_mj);
  const command = isCommand(model.engine);
  const ofModel: [string, string][] = [
    ["model", [model.name, model.architecture, model.quantization].filter(Boolean).join(" · ") || "–"],
    ["parameters", si(model.parameters, "", 3)],
    [
      "shape",
      `${model.layers ?? "–"} layers × ${model.embedding_width ?? "–"} · ${model.heads ?? "–"} heads, ${model.kv_heads ?? "–"} KV`,
    ],
    ["context", `${count(model.context)} · KV cache ${bytes(model.kv_cache_bytes)}`],
    ["engine", `${model.engine ?? "–"} · ${counted(model.threads, "thread")}`],
  ];
  const ofCommand: [string, string][] = [
    ["program", model.path ?? model.name ?? DASH],
    ["ended", run.finish_reason ?? DASH],
    ["its processes", about(energy(totals.process_dynamic_energy_mj), quality.method)],
  ];
  const ofTokens: [string, string][] = [
    [
      "input token",
      [
        about(energy(totals.energy_per_input_token_mj), quality.method),
        plusMinus(totals.energy_per_input_token_uncertainty_mj),
      ]
        .filter(Boolean)
        .join(" "),
    ],
    [
      "million output tokens",
      millionTokens === null
        ? DASH
        : `${about(si(millionTokens, "Wh", 3), quality.method)} · ${about(
            `${digits((millionTokens / 1e3) * totals.price_usd_per_kwh, 3)} USD`,
            quality.method,
          )} at ${totals.price_usd_per_kwh} USD/kWh`,
    ],
  ];
  const facts: [string, string][] = [
    ...(command ? ofCommand : ofModel),
    ["sensor", run.power.sources.join(" · ") || "none"],
    ...(run.calibration ? [["calibrated", calibrationOf(run, run.calibration)] as [string, string]] : []),
    [
      "quality",
      [
        `coverage ${percent(quality.coverage)}`,
        quality.foreign_cpu_share === null
          ? ""
          : `other processes ${percent(quality.foreign_cpu_share)} of busy CPU time`,
      ]
        .filter(Boolean)
        .join(" · "),
    ],
    ...(command ? [] : ofTokens),
  ];
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Tiles({ run }: { run: Run }) {
  const { totals } = run;
  const marked = (figure: string) => about(figure, totals.quality.method);
  const command = isCommand(run.model.engine);
  return (
    <div className="tiles">
      <Tile
        label="Energy"
        value={marked(energy(totals.energy_mj))}
        detail={
          run.warnings.some((warning) => warning.code === "low_coverage")
            ? `in the ${percent(totals.quality.coverage)} that were measured`
            : uncertaintyOf(totals.quality) || `in ${duration(totals.duration_ms)}`
        }
      />
      <Tile
        label="Above idle"
        value={marked(energy(totals.dynamic_energy_mj))}
        detail={
          totals.baseline_energy_mj === null
            ? "no idle baseline was measured"
            : `baseline ${marked(energy(totals.baseline_energy_mj))}`
        }
      />
      {!command && (
        <Tile
          label="Per output token"
          value={marked(energy(totals.energy_per_output_token_mj))}
          detail={
            plusMinus(totals.energy_per_output_token_uncertainty_mj) ||
            `${marked(energy(totals.energy_per_input_token_mj))} per input token`
          }
        />
      )}
      {command ? (
        <Tile
          label="Time"
          value={duration(totals.duration_ms)}
          detail={run.finish_reason ?? undefined}
        />
      ) : (
        <Tile
          label="Speed"
          value={
            totals.decode_tokens_per_second === null
              ? "–"
              : `${digits(totals.decode_tokens_per_second, 3)} tok/s`
          }
          detail={`first token after ${duration(totals.time_to_first_token_ms)}`}
        />
      )}
      <Tile
        label="Mean power"
        value={marked(power(totals.mean_power_mw))}
        detail={run.power.peak ? `peak ${marked(power(run.power.peak.power_mw))}` : undefined}
      />
      {!command && (
        <Tile
          label="Tokens per joule"
          value={totals.tokens_per_joule === null ? DASH : marked(digits(totals.tokens_per_joule))}
          detail={`${count(totals.prompt_tokens)} in, ${count(totals.output_tokens)} out`}
        />
      )}
    </div>
  );
}

function Response({ run, token, onToken }: { run: Run; token: number | null; onToken: (token: number) => void }) {
  const stream = useMemo(
    () =>
      run.tokens.map((entry) => ({
        index: entry.index,
        text: entry.text,
        duration_ms: entry.duration_ms,
        energy_mj: entry.energy_mj,
        standard_error_mj: entry.quality.standard_error_mj,
        provisional: false,
      })),
    [run],
  );
  return (
    <Panel title="Response" actions={<span className="note">click, or arrow keys, to choose a token</span>}>
      {stream.length > 0 ? (
        <TokenStream
          tokens={stream}
          total={stream.length}
          method={run.totals.quality.method}
          follow={false}
          selected={token}
          onPick={onToken}
        />
      ) : (
        <State title="No tokens" />
      )}
    </Panel>
  );
}

function Flows({ run }: { run: Run }) {
  const operations = useLoad(run.depth === "deep" ? run.run_id : null, () => api.operations(run.run_id));
  const [token, setToken] = useState<number | null>(null);
  useEffect(() => setToken(null), [run.run_id]);
  return (
    <>
      <div className="stack fill span-5">
        <Panel title="Phases">
          <PhaseTimeline phases={run.phases} sections={run.sections} />
        </Panel>
        <Response run={run} token={token} onToken={setToken} />
      </div>
      <div className="stack span-7">
        <HeatmapPanel
          run={run}
          token={token}
          ofRun={operations}
          onToken={setToken}
        />
        <Panel title="Energy per token">
          {run.tokens.length > 0 ? (
            <Waterfall tokens={run.tokens} selected={token} onPick={setToken} />
          ) : (
            <State title="No tokens" />
          )}
        </Panel>
      </div>
      {run.components.length > 0 && (
        <>
          <Panel
            title={`Joules by phase ▸ layer ▸ component${run.depth === "deep" ? " ▸ operation" : ""}`}
            span={7}
            actions={
              <span className="keys">
                {KINDS.map(([name, colour]) => (
                  <span key={name}>
                    <span className="key" style={{ background: `var(${colour})` }} />
                    {name}
                  </span>
                ))}
              </span>
            }
          >
            {Boolean(operations.error) && (
              <Problem error={operations.error} retry={operations.reload} />
            )}
            <EnergyTreemap run={run} operations={operations.data?.operations ?? []} />
          </Panel>
          <Panel
            title="Energy roofline"
            span={5}
            actions={<span className="note">area: joules of the class</span>}
          >
            {run.operations.length > 0 ? (
              <Roofline operations={run.operations} />
            ) : (
              <div className="hold">
                <State title="Only for deep runs">Profile the prompt again at depth deep.</State>
              </div>
            )}
          </Panel>
          <Panel title="Where the joules flowed">
            <EnergySankey run={run} />
          </Panel>
        </>
      )}
    </>
  );
}

export function AnalysisView({ id }: { id: string }) {
  const loaded = useLoad(id, () => api.run(id));
  const run = loaded.data?.run_id === id ? loaded.data : null;
  const underWay = run !== null && !run.totals;
  const timeline = useLoad(run?.totals ? `${id}/power` : null, () => api.timeline(id));
  useEffect(() => {
    if (underWay && !loaded.loading) {
      const timer = setTimeout(loaded.reload, LOOK_MS);
      return () => clearTimeout(timer);
    }
  }, [underWay, loaded.loading, loaded.reload]);
  const rails = useMemo<Rail[]>(
    () =>
      (timeline.data?.domains ?? [])
        .filter((domain) => domain.points.length > 0)
        .sort((a, b) => Number(b.is_root) - Number(a.is_root))
        .map((domain) => ({ name: domain.name, points: domain.points, faint: !domain.is_root })),
    [timeline.data],
  );
  if (loaded.error && !underWay) {
    return <Problem error={loaded.error} retry={loaded.reload} />;
  }
  if (!run) {
    return <State title="Loading the run" />;
  }
  if (!run.totals) {
    return (
      <State title={`This run is ${run.status}`}>
        Its analysis appears here when it has ended. <a href="#/live">Watch it</a> until then.
        {Boolean(loaded.error) && <Problem error={loaded.error} />}
      </State>
    );
  }
  return (
    <div className="grid">
      <div className="headline">
        <div>
          <h1 title={run.prompt}>{run.request ? `Request ${run.request.number}` : run.prompt}</h1>
          {run.capture_id && (
            <p className="muted">
              of <a href={runHref(run.capture_id)}>capture {run.capture_id}</a> · {run.request?.how_found}
            </p>
          )}
          <p className="muted">
            <bdi>
              {run.model.name ?? "–"} {run.model.quantization}
            </bdi>{" "}
            {isCommand(run.model.engine) ? "" : `· ${run.depth} `}· {when(run.started_at)} ·{" "}
            <span className="mono">{run.run_id}</span>
            {run.experiment && (
              <>
                {" "}
                · experiment <bdi>{run.experiment}</bdi>
              </>
            )}
          </p>
          <TagEditor run={run.run_id} tags={run.tags} onSaved={loaded.reload} />
        </div>
        <div className="row">
          <StatusChip status={run.status} />
          <MethodChip method={run.totals.quality.method} />
          <VerdictChip level={run.verdict} />
          <Exports run={run.run_id} />
        </div>
      </div>
      {run.verdict_reasons.length > 0 && (
        <p className="verdict wide">
          <strong>{verdictWords(run.verdict)}:</strong>{" "}
          {run.verdict_reasons.map((reason) => reason.message).join("; ")}
        </p>
      )}
      <Tiles run={run} />
      {run.warnings.length > 0 && (
        <ul className="warnings wide">
          {run.warnings.map((warning, place) => (
            <li key={place}>
              {warning.message}
              {warning.hint && <span className="hint"> {warning.hint}</span>}
            </li>
          ))}
        </ul>
      )}
      <Panel
        title="Power by rail"
        span={8}
        actions={
          rails.some((rail) => rail.faint) && (
            <span className="note">dashed: part of another rail</span>
          )
        }
      >
        {timeline.error ? (
          <Problem error={timeline.error} retry={timeline.reload} />
        ) : rails.length > 0 ? (
          <PowerChart
            rails={rails}
            phases={run.phases}
            duration_ms={run.totals.duration_ms}
            height={320}
          />
        ) : (
          <div className="hold">
            <State title={timeline.data ? "No power was measured" : "Loading"}>
              {timeline.data && "Run enprof doctor to see which sensors this machine has."}
            </State>
          </div>
        )}
      </Panel>
      <Panel title="Run" span={4}>
        <Facts run={run} />
      </Panel>
      {run.capture && <CaptureRequests run={run} capture={run.capture} />}
      {!isCommand(run.model.engine) && <Flows run={run} />}
    </div>
  );
}
