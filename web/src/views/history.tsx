// All runs: search, filter, sort, page, tag, export, delete, select for comparison.

import { useEffect, useMemo, useState } from "react";
import { api, type ListQuery } from "../api";
import { DASH, about, count, duration, energy, verdictWords, when } from "../format";
import { isCommand } from "../parts/command";
import { TagEditor } from "../parts/tag-editor";
import { compareHref, runHref } from "../router";
import type { RunSummary } from "../types";
import { Confirm, Exports, Panel, Problem, State, StatusChip, useLoad } from "../ui";
import "./history.css";

const PAGE = 25;
const MOST_COMPARED = 4;
const TYPING_MS = 250;
const LOOK_MS = 2000; // how often to check whether a run has ended
/** The filters offer the values of this many latest runs. */
const KNOWN = 500;

type SortBy = "date" | "duration" | "energy" | "joules_per_token";
/** For narrow screens, which have no column heads to press. */
const ORDERS: [SortBy, boolean, string][] = [
  ["date", false, "latest first"],
  ["date", true, "oldest first"],
  ["duration", false, "longest first"],
  ["duration", true, "shortest first"],
  ["energy", false, "most energy first"],
  ["energy", true, "least energy first"],
  ["joules_per_token", false, "most per token first"],
  ["joules_per_token", true, "least per token first"],
];

interface Filter {
  text: string;
  model: string;
  tag: string;
  experiment: string;
  from: string; // a day in the reader's time zone
  to: string; // a day in the reader's time zone, inclusive
}
const NO_FILTER: Filter = { text: "", model: "", tag: "", experiment: "", from: "", to: "" };

/** The midnight before a day, or after it if `after` is 1; empty if the text is not a day (yet). */
function midnight(day: string, after = 0): string {
  const date = new Date(`${day}T00:00`);
  date.setDate(date.getDate() + after);
  return Number.isNaN(date.getTime()) ? "" : `${date.toISOString().slice(0, 19)}Z`;
}

const distinct = (values: (string | null)[]) =>
  [...new Set(values.filter((value): value is string => Boolean(value)))].sort();

function Filters({
  filter,
  known,
  onChange,
}: {
  filter: Filter;
  known: RunSummary[];
  onChange: (part: Partial<Filter>) => void;
}) {
  const select = (name: keyof Filter, label: string, values: string[]) => (
    <select
      value={filter[name]}
      aria-label={`Only ${label}`}
      onChange={(event) => onChange({ [name]: event.target.value })}
    >
      <option value="">any {label}</option>
      {distinct([...values, filter[name]]).map((value) => (
        <option key={value} value={value}>
          {value}
        </option>
      ))}
    </select>
  );
  return (
    <div className="filters">
      <input
        type="search"
        placeholder="Search in prompts"
        aria-label="Search in prompts"
        value={filter.text}
        onChange={(event) => onChange({ text: event.target.value })}
      />
      {select("model", "model", known.map((run) => run.model))}
      {select("tag", "tag", known.flatMap((run) => run.tags))}
      {select("experiment", "experiment", known.flatMap((run) => run.experiment ?? []))}
      <label className="inline">
        from
        <input
          type="date"
          value={filter.from}
          onChange={(event) => onChange({ from: event.target.value })}
        />
      </label>
      <label className="inline">
        to
        <input
          type="date"
          value={filter.to}
          onChange={(event) => onChange({ to: event.target.value })}
        />
      </label>
      {JSON.stringify(filter) !== JSON.stringify(NO_FILTER) && (
        <button className="plain" onClick={() => onChange(NO_FILTER)}>
          Clear
        </button>
      )}
    </div>
  );
}

function Row({
  run,
  chosen,
  full,
  onChoose,
  onTag,
  onDelete,
  onChanged,
}: {
  run: RunSummary;
  chosen: boolean;
  full: boolean; // the maximum number is selected
  onChoose: () => void;
  onTag: (tag: string) => void;
  onDelete: () => void;
  onChanged: () => void;
}) {
  const over = run.status !== "running";
  const estimated = run.method === "estimated" ? "estimated" : "";
  return (
    <tr className={chosen ? "selected" : ""}>
      <td className="choose">
        <input
          type="checkbox"
          aria-label={`Choose run ${run.run_id}`}
          checked={chosen}
          disabled={!over || (full && !chosen)}
          title={full && !chosen ? `At most ${MOST_COMPARED} can be compared` : undefined}
          onChange={onChoose}
        />
      </td>
      <td className="prompt">
        <a href={over ? runHref(run.run_id) : "#/live"} title={run.prompt}>
          {run.prompt || "(no prompt)"}
        </a>
        <div className="under">
          <span className="mono muted">{run.run_id.slice(0, 8)}</span>
          {over && (
            <TagEditor run={run.run_id} tags={run.tags} onTag={onTag} onSaved={onChanged} />
          )}
        </div>
      </td>
      <td data-label="model">
        {run.model}
        <div className="muted">
          {[run.quantization, run.experiment].filter(Boolean).join(" · ")}
        </div>
      </td>
      <td data-label="started" className="nowrap">
        {when(run.started_at_ms)}
      </td>
      <td data-label="tokens" className="num">
        {isCommand(run.engine) ? (
          DASH
        ) : (
          <>
            {count(run.output_tokens)}
            <div className="muted">{count(run.prompt_tokens)} in</div>
          </>
        )}
      </td>
      <td data-label="time" className="num">
        {over ? duration(run.duration_ms) : "–"}
      </td>
      <td data-label="energy" className={`num ${estimated}`}>
        {about(energy(run.energy_mj), run.method)}
      </td>
      <td data-label="output token" className={`num ${estimated}`}>
        {about(energy(run.energy_per_output_token_mj), run.method)}
      </td>
      <td data-label="status">
        {run.status === "completed" ? (
          <span className="quiet">completed</span>
        ) : (
          <StatusChip status={run.status} />
        )}
        {over && run.verdict !== null && run.verdict !== "quotable" && (
          <div className={run.verdict === "not_comparable" ? "bad" : "estimated"}>
            {verdictWords(run.verdict)}
          </div>
        )}
        {run.warnings > 0 && (
          <div className="estimated">
            {run.warnings} {run.warnings === 1 ? "warning" : "warnings"}
          </div>
        )}
      </td>
      <td className="acts">
        {over && (
          <>
            <Exports run={run.run_id} />
            <button
              className="plain danger"
              onClick={onDelete}
              aria-label={`Delete run ${run.run_id}`}
            >
              Delete
            </button>
          </>
        )}
      </td>
    </tr>
  );
}

/** latest: changes when a run begins or ends, so that the list is reloaded. */
export function HistoryView({ latest }: { latest: string }) {
  const [filter, setFilter] = useState<Filter>(NO_FILTER);
  const [search, setSearch] = useState("");
  const [sort, setSort] = useState<{ by: SortBy; ascending: boolean }>({
    by: "date",
    ascending: false,
  });
  const [page, setPage] = useState(0);
  const [chosen, setChosen] = useState<string[]>([]);
  const [doomed, setDoomed] = useState<RunSummary | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  useEffect(() => {
    const timer = setTimeout(() => setSearch(filter.text), TYPING_MS);
    return () => clearTimeout(timer);
  }, [filter.text]);
  const query: ListQuery = {
    text: search,
    model: filter.model,
    tag: filter.tag,
    experiment: filter.experiment,
    date_from: midnight(filter.from),
    date_to: midnight(filter.to, 1),
    sort_by: sort.by,
    order: sort.ascending ? "asc" : "desc",
    limit: PAGE,
    offset: page * PAGE,
  };
  const list = useLoad(`${JSON.stringify(query)} ${latest}`, () => api.runs(query));
  const known = useLoad("known", () => api.runs({ limit: KNOWN }));
  const underWay = list.data?.runs.some((run) => run.status === "running") ?? false;
  useEffect(() => {
    if (underWay && !list.loading) {
      const timer = setTimeout(list.reload, LOOK_MS);
      return () => clearTimeout(timer);
    }
  }, [underWay, list.loading, list.reload]);
  const total = list.data?.total ?? 0;
  const filtered = JSON.stringify({ ...filter, text: search }) !== JSON.stringify(NO_FILTER);
  const change = (part: Partial<Filter>) => {
    setFilter((before) => ({ ...before, ...part }));
    setPage(0);
  };
  const reload = () => {
    list.reload();
    known.reload();
  };
  // If deleting emptied the last page, go to the page before.
  const lastPage = Math.max(0, Math.ceil(total / PAGE) - 1);
  useEffect(() => {
    if (list.data && page > lastPage) {
      setPage(lastPage);
    }
  }, [list.data, page, lastPage]);
  const compare = useMemo(() => compareHref(chosen), [chosen]);
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
        {name} <span className="arrow">{sort.by === by ? (sort.ascending ? "↑" : "↓") : ""}</span>
      </button>
    </th>
  );

  return (
    <div className="grid">
      <Panel
        title="History"
        actions={<span className="note">~ estimated, without a sensor</span>}
      >
        <Filters filter={filter} known={known.data?.runs ?? []} onChange={change} />
        <select
          className="orders"
          aria-label="Order"
          value={`${sort.by} ${sort.ascending}`}
          onChange={(event) => {
            const [by = "date", ascending] = event.target.value.split(" ");
            setSort({ by: by as SortBy, ascending: ascending === "true" });
            setPage(0);
          }}
        >
          {ORDERS.map(([by, ascending, name]) => (
            <option key={name} value={`${by} ${ascending}`}>
              {name}
            </option>
          ))}
        </select>
        {Boolean(problem) && <Problem error={problem} />}
        {list.error ? (
          <Problem error={list.error} retry={list.reload} />
        ) : list.data && list.data.runs.length === 0 ? (
          <div className="hold">
            <State title={filtered ? "No run matches" : "No runs yet"}>
              {filtered ? (
                <button onClick={() => change(NO_FILTER)}>Clear the filter</button>
              ) : (
                <>
                  <a href="#/live">Start one</a>, or from a terminal:{" "}
                  <code>enprof run -m model.gguf -p "…"</code>
                </>
              )}
            </State>
          </div>
        ) : (
          <div className="scroll list" aria-busy={list.loading && !list.data}>
            <table className="runs">
              <thead>
                <tr>
                  <th aria-label="Choose" />
                  <th>prompt</th>
                  <th>model</th>
                  {head("date", "started")}
                  <th className="num">tokens</th>
                  {head("duration", "time", true)}
                  {head("energy", "energy", true)}
                  {head("joules_per_token", "output token", true)}
                  <th>status</th>
                  <th aria-label="Export and delete" />
                </tr>
              </thead>
              <tbody>
                {(list.data?.runs ?? []).map((run) => (
                  <Row
                    key={run.run_id}
                    run={run}
                    chosen={chosen.includes(run.run_id)}
                    full={chosen.length >= MOST_COMPARED}
                    onChoose={() =>
                      setChosen((before) =>
                        before.includes(run.run_id)
                          ? before.filter((other) => other !== run.run_id)
                          : [...before, run.run_id],
                      )
                    }
                    onTag={(tag) => change({ tag })}
                    onDelete={() => setDoomed(run)}
                    onChanged={reload}
                  />
                ))}
              </tbody>
            </table>
          </div>
        )}
        <div className={chosen.length > 0 ? "pager choosing" : "pager"}>
          <div className="row" role="status">
            {chosen.length === 0
              ? <span className="muted">Tick 2 to {MOST_COMPARED} runs to compare them</span>
              : <span>{chosen.length} chosen</span>}
            {chosen.length >= 2 && (
              <a className="button primary" href={compare}>
                Compare {chosen.length} runs
              </a>
            )}
            {chosen.length > 0 && (
              <button className="plain" onClick={() => setChosen([])}>
                Clear selection
              </button>
            )}
          </div>
          <div className="row">
            <span className="muted">
              {total === 0
                ? ""
                : `${page * PAGE + 1}–${Math.min(total, (page + 1) * PAGE)} of ${count(total)}`}
            </span>
            <button disabled={page === 0} onClick={() => setPage(page - 1)} aria-label="Previous page">
              ←
            </button>
            <button
              disabled={(page + 1) * PAGE >= total}
              onClick={() => setPage(page + 1)}
              aria-label="Next page"
            >
              →
            </button>
          </div>
        </div>
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
                reload();
              },
              (error: unknown) => setProblem(error),
            );
          }}
        >
          <p>
            Run <span className="mono">{doomed.run_id.slice(0, 8)}</span> of{" "}
            {when(doomed.started_at_ms)} and all that was measured in it will be gone.
          </p>
        </Confirm>
      )}
    </div>
  );
}
