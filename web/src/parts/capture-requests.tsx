// The requests of a capture: over time, with how many are in flight, and as a table. Each opens its
// own analysis.

import { api } from "../api";
import { DASH, about, count, counted, digits, duration, energy, energyOf, percent, power, uncertaintyOf } from "../format";
import { runHref } from "../router";
import type { CaptureFigures, Run, RunSummary } from "../types";
import { Panel, Problem, State, useLoad } from "../ui";
import { RequestBars } from "./request-bars";

const MOST = 500; // the most that the server lists at once

const beginOf = (run: RunSummary) => run.request?.begin_ms ?? 0;
const name = (part: string) => part.replaceAll("_", " ");

function OverTime({ requests, whole_ms }: { requests: RunSummary[]; whole_ms: number }) {
  const bars = requests.map((run) => ({
    number: run.request?.number ?? 0,
    begin: beginOf(run),
    end: beginOf(run) + run.duration_ms,
    first_token: run.time_to_first_token_ms,
    title: `Request ${run.request?.number}: ${counted(run.prompt_tokens, "token")} in, ${run.output_tokens} out, ${energy(run.energy_mj)} in ${duration(run.duration_ms)}`,
    href: runHref(run.run_id),
  }));
  return <RequestBars bars={bars} whole_ms={whole_ms} />;
}

function Parts({ capture, whole_mj }: { capture: CaptureFigures; whole_mj: number | null }) {
  return (
    <table className="tight">
      <thead>
        <tr>
          <th>part</th>
          <th className="num">time</th>
          <th className="num">energy</th>
          <th className="num">share</th>
          <th className="num">power</th>
        </tr>
      </thead>
      <tbody>
        {capture.parts.map((part) => (
          <tr key={part.part}>
            <td>{name(part.part)}</td>
            <td className="num">{duration(part.duration_ms)}</td>
            <td className="num">
              {energyOf(part)}
              <div className="error">{uncertaintyOf(part.quality)}</div>
            </td>
            <td className="num">
              {part.energy_mj === null || !whole_mj ? DASH : percent(part.energy_mj / whole_mj)}
            </td>
            <td className="num">{about(power(part.mean_power_mw), part.quality.method)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Occupancy({ capture }: { capture: CaptureFigures }) {
  const all = capture.occupancy.reduce((sum, row) => sum + row.duration_ms, 0);
  return (
    <table className="tight">
      <thead>
        <tr>
          <th className="num">sequences</th>
          <th className="num">passes</th>
          <th className="num">time</th>
          <th className="num">a token</th>
        </tr>
      </thead>
      <tbody>
        {capture.occupancy.map((row) => (
          <tr key={row.sequences}>
            <td className="num">{row.sequences}</td>
            <td className="num">{count(row.passes)}</td>
            <td className="num">{all > 0 ? percent(row.duration_ms / all) : DASH}</td>
            <td className="num">
              {row.energy_mj === null || row.tokens === 0 ? DASH : energy(row.energy_mj / row.tokens)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Table({ requests }: { requests: RunSummary[] }) {
  return (
    <div className="scroll">
      <table className="tight">
        <thead>
          <tr>
            <th className="num">#</th>
            <th className="num">in</th>
            <th className="num">cached</th>
            <th className="num">out</th>
            <th className="num">first token</th>
            <th className="num">energy</th>
            <th className="num">output token</th>
            <th className="num" title="What the passes would have used less without it">added</th>
            <th className="num" title="Its part of the idle energy">idle</th>
            <th className="num">waiting</th>
          </tr>
        </thead>
        <tbody>
          {requests.map((run) => (
            <tr key={run.run_id}>
              <td className="num">
                <a href={runHref(run.run_id)}>{run.request?.number}</a>
              </td>
              <td className="num">{count(run.prompt_tokens)}</td>
              <td className="num">{count(run.request?.cached_tokens)}</td>
              <td className="num">{count(run.output_tokens)}</td>
              <td className="num">{duration(run.time_to_first_token_ms)}</td>
              <td className="num">{about(energy(run.energy_mj), run.method)}</td>
              <td className="num">{about(energy(run.energy_per_output_token_mj), run.method)}</td>
              <td className="num">{about(energy(run.request?.marginal_energy_mj), run.method)}</td>
              <td className="num">{about(energy(run.request?.idle_share_energy_mj), run.method)}</td>
              <td className="num">{duration(run.request?.waiting_ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function CaptureRequests({ run, capture }: { run: Run; capture: CaptureFigures }) {
  const loaded = useLoad(run.run_id, () => api.runs({ capture: run.run_id, limit: MOST }));
  const requests = loaded.data?.runs ?? [];
  const facts = [
    counted(capture.requests, "request"),
    `${count(capture.passes)} passes`,
    capture.mean_sequences === null ? "" : `${digits(capture.mean_sequences, 2)} sequences in a pass`,
    `shared by ${capture.sharing}`,
  ].filter(Boolean);
  return (
    <>
      <Panel title="Requests" span={12} actions={<span className="note">{facts.join(" · ")}</span>}>
        {loaded.error ? (
          <Problem error={loaded.error} retry={loaded.reload} />
        ) : requests.length > 0 ? (
          <>
            <OverTime requests={requests} whole_ms={run.totals.duration_ms} />
            <Table requests={requests} />
            {loaded.data && loaded.data.total > requests.length && (
              <p className="note">
                {requests.length} of {loaded.data.total}; all: enprof runs --capture {run.run_id}
              </p>
            )}
          </>
        ) : (
          <State title={loaded.data ? "No request was found" : "Loading"} />
        )}
      </Panel>
      <Panel title="Where it went" span={7}>
        <Parts capture={capture} whole_mj={run.totals.energy_mj} />
      </Panel>
      <Panel title="Sequences in a pass" span={5}>
        <Occupancy capture={capture} />
      </Panel>
    </>
  );
}
