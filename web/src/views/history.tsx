// All runs: search, sort, page, compare, export, delete.

import { useEffect, useState } from "react";
import { api } from "../api";
import { count, duration, energy, when } from "../format";
import { compareHref, runHref } from "../router";
import type { RunSummary } from "../types";
import { Confirm, Panel, Problem, State, useLoad } from "../ui";

const PAGE = 25;
const MOST_COMPARED = 4;

type SortBy = "date" | "duration" | "energy" | "joules_per_token";

export function HistoryView() {
  const [text, setText] = useState("");
  const [search, setSearch] = useState("");
  const [tag, setTag] = useState("");
  const [sort, setSort] = useState<{ by: SortBy; ascending: boolean }>({
    by: "date",
    ascending: false,
  });
  const [page, setPage] = useState(0);
  const [chosen, setChosen] = useState<string[]>([]);
  const [doomed, setDoomed] = useState<RunSummary | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  useEffect(() => {
    const timer = setTimeout(() => {
      setSearch(text);
      setPage(0);
    }, 250);
    return () => clearTimeout(timer);
  }, [text]);
  const query = {
    text: search,
    tag,
    sort_by: sort.by,
    order: sort.ascending ? "asc" : "desc",
    limit: PAGE,
    offset: page * PAGE,
  };
  const list = useLoad(JSON.stringify(query), () => api.runs(query));
  const total = list.data?.total ?? 0;
  const toggle = (id: string) =>
    setChosen((before) =>
      before.includes(id)
        ? before.filter((other) => other !== id)
        : [...before, id].slice(-MOST_COMPARED),
    );
  const head = (by: SortBy, name: string, numeric = false) => (
    <th
      className={numeric ? "num" : ""}
      aria-sort={sort.by === by ? (sort.ascending ? "ascending" : "descending") : "none"}
    >
      <button
        onClick={() => {
          setSort({ by, ascending: sort.by === by ? !sort.ascending : false });
          setPage(0);
        }}
      >
        {name} {sort.by === by ? (sort.ascending ? "▲" : "▼") : ""}
      </button>
    </th>
  );

  return (
    <div className="grid">
      <Panel
        title="Runs"
        actions={
          <>
            <input
              type="search"
              placeholder="Search in prompts"
              aria-label="Search in prompts"
              value={text}
              onChange={(event) => setText(event.target.value)}
            />
            {tag && (
              <button onClick={() => setTag("")} title="Show all tags">
                tag: {tag} ✕
              </button>
            )}
            <button
              className="primary"
              disabled={chosen.length < 2}
              onClick={() => {
                location.hash = compareHref(chosen);
              }}
            >
              Compare {chosen.length > 0 ? chosen.length : ""}
            </button>
          </>
        }
      >
        {Boolean(problem) && <Problem error={problem} />}
        {list.error ? (
          <Problem error={list.error} retry={list.reload} />
        ) : list.data && list.data.runs.length === 0 ? (
          <State title={search || tag ? "No run matches" : "No runs yet"}>
            {search || tag
              ? "Change the search, or clear the tag."
              : "Start one on the Live page, or with: enprof run -m model.gguf -p “…”"}
          </State>
        ) : (
          <div className="scroll" style={{ minHeight: 240 }}>
            <table>
              <thead>
                <tr>
                  <th aria-label="Choose" />
                  {head("date", "started")}
                  <th>model</th>
                  <th>prompt</th>
                  <th className="num">tokens</th>
                  {head("duration", "time", true)}
                  {head("energy", "energy", true)}
                  {head("joules_per_token", "J/token", true)}
                  <th>status</th>
                  <th aria-label="Actions" />
                </tr>
              </thead>
              <tbody>
                {(list.data?.runs ?? []).map((run) => (
                  <tr key={run.run_id} className={chosen.includes(run.run_id) ? "selected" : ""}>
                    <td>
                      <input
                        type="checkbox"
                        aria-label={`Choose run ${run.run_id}`}
                        checked={chosen.includes(run.run_id)}
                        onChange={() => toggle(run.run_id)}
                      />
                    </td>
                    <td>
                      <a href={runHref(run.run_id)}>{when(run.started_at_ms)}</a>
                      <div className="muted mono">{run.run_id.slice(0, 8)}</div>
                    </td>
                    <td>
                      {run.model} <span className="muted">{run.quantization}</span>
                    </td>
                    <td className="clip" title={run.prompt}>
                      {run.prompt}
                      <div>
                        {run.tags.map((name) => (
                          <button key={name} className="tag" onClick={() => setTag(name)}>
                            {name}
                          </button>
                        ))}
                      </div>
                    </td>
                    <td className="num">
                      {count(run.prompt_tokens)} + {count(run.output_tokens)}
                    </td>
                    <td className="num">{duration(run.duration_ms)}</td>
                    <td className={`num ${run.method === "estimated" ? "estimated" : ""}`}>
                      {run.method === "estimated" ? "~" : ""}
                      {energy(run.energy_mj)}
                    </td>
                    <td className="num">{energy(run.energy_per_output_token_mj)}</td>
                    <td>
                      {run.status}
                      {run.warnings > 0 && (
                        <span className="estimated" title={`${run.warnings} warnings`}>
                          {" "}
                          !{run.warnings}
                        </span>
                      )}
                    </td>
                    <td className="num">
                      <a href={api.exportUrl(run.run_id)} download>
                        export
                      </a>{" "}
                      <button className="plain danger" onClick={() => setDoomed(run)}>
                        delete
                      </button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        <div className="row" style={{ justifyContent: "flex-end", marginTop: 10 }}>
          <span className="muted">
            {total === 0 ? "" : `${page * PAGE + 1}–${Math.min(total, (page + 1) * PAGE)} of ${count(total)}`}
          </span>
          <button disabled={page === 0} onClick={() => setPage(page - 1)}>
            Newer
          </button>
          <button disabled={(page + 1) * PAGE >= total} onClick={() => setPage(page + 1)}>
            Older
          </button>
        </div>
        <p className="note">~ marks an estimate: no sensor was read.</p>
      </Panel>
      {doomed && (
        <Confirm
          title="Delete this run?"
          action="Delete"
          onClose={() => setDoomed(null)}
          onConfirm={() => {
            api.remove(doomed.run_id).then(
              () => {
                setChosen((before) => before.filter((id) => id !== doomed.run_id));
                setProblem(null);
                list.reload();
              },
              (error: unknown) => setProblem(error),
            );
          }}
        >
          <p>
            Run {doomed.run_id.slice(0, 8)} of {when(doomed.started_at_ms)} and all that was measured
            in it will be gone.
          </p>
        </Confirm>
      )}
    </div>
  );
}
