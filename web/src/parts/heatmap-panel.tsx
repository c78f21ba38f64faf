// One metric by layer and component, token by token, with the operations of a cell.

import { useCallback, useEffect, useState } from "react";
import { api } from "../api";
import { count, duration, energy, percent, plusMinus, power, short, visible } from "../format";
import type { LayerOperation, PhaseName, Run } from "../types";
import { Panel, Problem, State, useLoad, type Loaded } from "../ui";
import { inFlow } from "./colours";
import { layerLabel } from "./flow";
import { Heatmap } from "./heatmap";
import "./heatmap-panel.css";

const WORK: [string, string][] = [
  ["energy", "energy"],
  ["duration", "time"],
  ["power", "power"],
  ["pj_per_byte", "pJ/byte"],
  ["pj_per_flop", "pJ/FLOP"],
];
const VALUES: [string, string][] = [
  ["activation_mean", "activation mean"],
  ["activation_std", "activation σ"],
  ["activation_max", "activation max"],
  ["sparsity", "sparsity"],
  ["kill_ratio", "MLP kill ratio"],
  ["variance_ratio", "norm variance ratio"],
  ["attention_entropy", "attention entropy"],
];
const OF_WORK = new Set(WORK.map(([id]) => id));
const PLAY_MS = 400;
const MOST_LISTED = 8;

interface Cell {
  layer: number | null;
  component: string;
}

function TokenSlider({
  run,
  token,
  onToken,
}: {
  run: Run;
  token: number | null;
  onToken: (token: number | null) => void;
}) {
  const [playing, setPlaying] = useState(false);
  const last = run.tokens.length - 1;
  useEffect(() => {
    if (!playing) {
      return;
    }
    const timer = setTimeout(() => {
      const next = (token ?? -1) + 1;
      if (next > last) {
        setPlaying(false);
      } else {
        onToken(next);
      }
    }, PLAY_MS);
    return () => clearTimeout(timer);
  }, [playing, token, last, onToken]);
  return (
    <div className="player">
      <button
        onClick={() => {
          if (!playing && token === last) {
            onToken(0); // from the beginning
          }
          setPlaying(!playing);
        }}
        aria-label={playing ? "Pause" : "Play the tokens"}
        aria-pressed={playing}
      >
        {playing ? "❚❚" : "▶"}
      </button>
      <input
        type="range"
        min={-1}
        max={last}
        value={token ?? -1}
        aria-label="Output token"
        aria-valuetext={token === null ? "whole phase" : `token ${token}`}
        onChange={(event) =>
          onToken(event.target.valueAsNumber < 0 ? null : event.target.valueAsNumber)
        }
      />
      <span className="muted clip">
        {token === null
          ? "whole phase"
          : `#${token} “${visible(run.tokens[token]?.text ?? "")}”`}
      </span>
    </div>
  );
}

/** Selects a cell without a pointer. */
function CellSelect({
  operations,
  cell,
  onCell,
}: {
  operations: LayerOperation[];
  cell: Cell | null;
  onCell: (cell: Cell | null) => void;
}) {
  const layers = new Map<number | null, Set<string>>();
  for (const operation of operations) {
    layers.set(
      operation.layer,
      (layers.get(operation.layer) ?? new Set()).add(operation.component),
    );
  }
  return (
    <select
      aria-label="Operations of"
      value={cell ? JSON.stringify(cell) : ""}
      onChange={(event) =>
        onCell(event.target.value ? (JSON.parse(event.target.value) as Cell) : null)
      }
    >
      <option value="">all cells</option>
      {[...layers].map(([layer, components]) => (
        <optgroup key={layerLabel(layer)} label={layerLabel(layer)}>
          {[...components].sort(inFlow).map((component) => (
            <option key={component} value={JSON.stringify({ layer, component })}>
              {short(component, 60)}, {layerLabel(layer)}
            </option>
          ))}
        </optgroup>
      ))}
    </select>
  );
}

function Operations({
  operations,
  loading,
  cell,
  onCell,
}: {
  operations: LayerOperation[];
  loading: boolean;
  cell: Cell | null;
  onCell: (cell: Cell | null) => void;
}) {
  const mine = operations
    .filter(
      (operation) =>
        !cell || (operation.layer === cell.layer && operation.component === cell.component),
    )
    // Sorted by energy; by time if energy is unknown.
    .sort((a, b) => (b.energy_mj ?? 0) - (a.energy_mj ?? 0) || b.duration_ms - a.duration_ms);
  const whole = mine.reduce((sum, operation) => sum + (operation.energy_mj ?? 0), 0);
  return (
    <div className="drill">
      <div className="row">
        <b>
          {cell
            ? `Operations of ${short(cell.component, 60)}, ${layerLabel(cell.layer)}`
            : "Costliest operations"}
        </b>
        <span className="spacer" />
        <CellSelect operations={operations} cell={cell} onCell={onCell} />
      </div>
      <div className="scroll">
        <table className="tight">
          <thead>
            <tr>
              <th>operation</th>
              <th>component</th>
              <th className="num">count</th>
              <th className="num">time</th>
              <th className="num">energy</th>
              <th className="num">share</th>
              <th className="num">power</th>
            </tr>
          </thead>
          <tbody>
            {mine.slice(0, MOST_LISTED).map((operation) => (
              <tr key={`${operation.phase}/${operation.layer}/${operation.component}/${operation.op}`}>
                <td className="mono" title={operation.op}>
                  {short(operation.op, 40)}
                </td>
                <td title={operation.component}>
                  <bdi>{short(operation.component, 40)}</bdi> <span className="muted">{layerLabel(operation.layer)}</span>
                </td>
                <td className="num muted">{count(operation.count)}</td>
                <td className="num">{duration(operation.duration_ms)}</td>
                <td className="num">{energy(operation.energy_mj)}</td>
                <td className="num muted">
                  {whole > 0 ? percent((operation.energy_mj ?? 0) / whole) : ""}
                </td>
                <td className="num muted">
                  {operation.energy_mj === null || operation.duration_ms === 0
                    ? ""
                    : power((operation.energy_mj / operation.duration_ms) * 1e3)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {mine.length === 0 && (
        <p className="note">{loading ? "Loading" : "No operation was timed there."}</p>
      )}
      {mine.length > MOST_LISTED && (
        <p className="note">
          The first {MOST_LISTED} of {count(mine.length)}; shares are of the sum of all.
        </p>
      )}
    </div>
  );
}

export function HeatmapPanel({
  run,
  token,
  ofRun,
  onToken,
}: {
  run: Run;
  token: number | null;
  ofRun: Loaded<{ operations: LayerOperation[] }>; // for deep runs
  onToken: (token: number | null) => void;
}) {
  const [metric, setMetric] = useState("energy");
  const [phase, setPhase] = useState<PhaseName | "">("decode");
  const [cell, setCell] = useState<Cell | null>(null);
  const deep = run.depth === "deep";
  const ofWork = OF_WORK.has(metric);
  const layered = run.depth !== "minimal";
  const byToken = layered && ofWork && token !== null;
  const matrix = useLoad(
    !layered ? null : `${run.run_id}/${metric}/${phase}/${byToken ? token : ""}`,
    () => api.matrix(run.run_id, metric, ofWork ? phase : "", byToken ? token : null),
  );
  const ofToken = useLoad(deep && byToken ? `${run.run_id}/${token}` : null, () =>
    api.operations(run.run_id, token),
  );
  const source = byToken ? ofToken : ofRun;
  const listed = (source.data?.operations ?? []).filter(
    (operation) => byToken || !phase || operation.phase === phase,
  );
  // Errors of cells are known only for whole phases.
  const detail = useCallback(
    (layer: number | null, component: string) => {
      const part = run.components.find(
        (entry) =>
          entry.phase === phase && entry.layer === layer && entry.component === component,
      );
      return metric === "energy" && !byToken ? plusMinus(part?.quality.standard_error_mj) : "";
    },
    [run, phase, metric, byToken],
  );
  const choices = (list: [string, string][]) =>
    list.map(([id, name]) => (
      <option key={id} value={id}>
        {name}
      </option>
    ));

  return (
    <Panel
      title="Layers × components"
      actions={
        <>
          <select value={metric} aria-label="Metric" onChange={(event) => setMetric(event.target.value)}>
            <optgroup label="Work">{choices(WORK)}</optgroup>
            <optgroup label="Values of sampled tokens">{choices(VALUES)}</optgroup>
          </select>
          <select
            value={byToken || !ofWork ? "" : phase}
            aria-label="Phase"
            disabled={!ofWork || byToken}
            onChange={(event) => setPhase(event.target.value as PhaseName | "")}
          >
            <option value="prefill">prefill</option>
            <option value="decode">decode</option>
            <option value="">{byToken ? "one token" : "all phases"}</option>
          </select>
        </>
      }
    >
      {matrix.error ? (
        <Problem error={matrix.error} retry={matrix.reload} />
      ) : matrix.data && matrix.data.layers.length > 0 ? (
        <Heatmap
          matrix={matrix.data}
          selected={cell}
          detail={detail}
          onPick={(layer, component) => setCell({ layer, component })}
        />
      ) : (
        <div className="hold">
          <State title={matrix.loading ? "Loading" : "Nothing to show"}>
            {!matrix.loading &&
              (run.depth === "minimal"
                ? "This run has minimal depth: run it again with module or deep."
                : ofWork
                  ? "No layer was timed there."
                  : "Values are recorded only on sampled tokens of deep runs.")}
          </State>
        </div>
      )}
      {layered && ofWork && run.tokens.length > 0 && (
        <TokenSlider run={run} token={token} onToken={onToken} />
      )}
      {deep && ofWork ? (
        source.error ? (
          <Problem error={source.error} retry={source.reload} />
        ) : (
          <Operations
            operations={listed}
            loading={source.loading}
            cell={cell}
            onCell={setCell}
          />
        )
      ) : (
        run.depth === "module" && (
          <p className="note">Only runs at depth deep have single operations.</p>
        )
      )}
    </Panel>
  );
}
