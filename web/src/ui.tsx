// Small parts that all views use.

import { Component, useCallback, useEffect, useRef, useState, type ReactNode } from "react";
import { ApiError, api } from "./api";
import { verdictWords } from "./format";
import type { Method, VerdictLevel } from "./types";
import "./ui.css";

export function Panel({
  title,
  span,
  actions,
  children,
}: {
  title: string;
  span?: number;
  actions?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section className={`panel ${span ? `span-${span}` : ""}`} aria-label={title}>
      <header>
        <h2>{title}</h2>
        {actions}
      </header>
      {children}
    </section>
  );
}

export function Tile({ label, value, detail }: { label: string; value: string; detail?: string }) {
  return (
    <div className="tile">
      <div className="label">{label}</div>
      <div className="value">{value}</div>
      <div className="detail" title={detail}>
        {detail ?? "\u00a0"}
      </div>
    </div>
  );
}

export function State({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="state">
      <strong>{title}</strong>
      {children}
    </div>
  );
}

/** Replaces a chart of joules: bars without height would look like zero energy. */
export function NoEnergy() {
  return (
    <div className="hold">
      <State title="No energy was measured">Times are known; the warnings say why energy is not.</State>
    </div>
  );
}

export function Problem({ error, retry }: { error: unknown; retry?: () => void }) {
  const known = error instanceof ApiError ? error : null;
  return (
    <div className="problem" role="alert">
      <div>{known?.message ?? String(error)}</div>
      {known?.hint && <div className="hint">{known.hint}</div>}
      {retry && (
        <button className="plain" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** A view that fails shows the error and does not affect the other views. */
export class Boundary extends Component<{ children: ReactNode }, { error: unknown }> {
  override state = { error: null as unknown };
  static getDerivedStateFromError = (error: unknown) => ({ error });
  override render() {
    return this.state.error === null ? (
      this.props.children
    ) : (
      <>
        <h1>This view cannot be drawn</h1>
        <Problem error={this.state.error} retry={() => this.setState({ error: null })} />
      </>
    );
  }
}

/** How an energy is known. Estimates are always marked. */
export function MethodChip({ method }: { method: Method | null }) {
  if (method === null) {
    return <span className="chip bad">not measured</span>;
  }
  return (
    <span className={`chip ${method === "estimated" ? "warn" : "good"}`}>
      <span className="dot" />
      {method}
    </span>
  );
}

const VERDICT_TONES = { quotable: "good", with_caution: "warn", not_comparable: "bad" };

/** How far a run's energies may be quoted. */
export function VerdictChip({ level }: { level: VerdictLevel | null }) {
  return (
    <span className={`chip ${level === null ? "" : VERDICT_TONES[level]}`}>
      <span className="dot" />
      {verdictWords(level)}
    </span>
  );
}

const GOOD = new Set(["completed", "running", "loading"]);
const QUIET = new Set(["waiting", "queued", "cancelled"]);

export function StatusChip({ status, label }: { status: string; label?: string }) {
  const tone = GOOD.has(status) ? "good" : QUIET.has(status) ? "" : "bad";
  return (
    <span className={`chip ${tone}`}>
      <span className="dot" />
      {label ?? status}
    </span>
  );
}

/** Links that download a run. */
export function Exports({ run }: { run: string }) {
  return (
    <span className="exports">
      <a className="button" href={api.exportUrl(run, "json")} download aria-label={`Export run ${run} as JSON`}>
        JSON
      </a>
      <a
        className="button"
        href={api.exportUrl(run, "csv")}
        download
        aria-label={`Export run ${run} as CSV tables`}
        title="All tables, in a ZIP"
      >
        CSV
      </a>
    </span>
  );
}

export function Confirm({
  title,
  children,
  action,
  onConfirm,
  onClose,
}: {
  title: string;
  children: ReactNode;
  action: string;
  onConfirm: () => void;
  onClose: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={onClose} aria-label={title}>
      <h3>{title}</h3>
      <div>{children}</div>
      <div className="row">
        <button autoFocus onClick={() => dialog.current?.close()}>
          Keep
        </button>
        <button
          className="danger"
          onClick={() => {
            onConfirm();
            dialog.current?.close();
          }}
        >
          {action}
        </button>
      </div>
    </dialog>
  );
}

export interface Loaded<T> {
  data: T | null;
  error: unknown;
  loading: boolean;
  reload: () => void;
}

/** Loads when the key changes. Old data stay until the new data come, so that the page does not jump. */
export function useLoad<T>(key: string | null, load: () => Promise<T>): Loaded<T> {
  const [state, setState] = useState<{ data: T | null; error: unknown; loading: boolean }>({
    data: null,
    error: null,
    loading: key !== null,
  });
  const loader = useRef(load);
  loader.current = load;
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (key === null) {
      setState({ data: null, error: null, loading: false });
      return;
    }
    let current = true;
    setState((before) => ({ ...before, loading: true }));
    loader.current().then(
      (data) => current && setState({ data, error: null, loading: false }),
      (error: unknown) => current && setState((before) => ({ ...before, error, loading: false })),
    );
    return () => {
      current = false;
    };
  }, [key, turn]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  return { ...state, reload };
}
