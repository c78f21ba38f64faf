// The frame of the page: brand, views, connection, health, theme.

import { useEffect, useState, useSyncExternalStore, type FormEvent } from "react";
import { ApiError, api } from "./api";
import { when } from "./format";
import type { LiveConnection } from "./live";
import { runHref, useRoute } from "./router";
import { useTheme } from "./theme";
import { keepToken, token } from "./token";
import { Boundary, Problem, useLoad } from "./ui";
import { AnalysisView } from "./views/analysis";
import { CompareView } from "./views/compare";
import { ExperimentsView } from "./views/experiments";
import { HistoryView } from "./views/history";
import { LiveView } from "./views/live";
import "./app.css";

const HEALTH_MS = 10_000;
const TITLES = {
  live: "Live", analysis: "Analysis", history: "History", compare: "Compare", experiments: "Experiments",
};

function ConnectionChip({ live }: { live: LiveConnection }) {
  const state = useSyncExternalStore(live.subscribe, live.snapshot);
  if (state.connection === "open") {
    return (
      <span className="chip good" title="The live stream is open">
        <span className="dot" />
        live
      </span>
    );
  }
  if (state.connection === "connecting") {
    return (
      <span className="chip">
        <span className="dot" />
        connecting
      </span>
    );
  }
  return (
    <button className="chip bad" onClick={() => live.retryNow()} title="Connect now">
      <span className="dot" />
      connection lost: trying again
    </button>
  );
}

function HealthChip() {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTurn((before) => before + 1), HEALTH_MS);
    return () => clearInterval(timer);
  }, []);
  const health = useLoad(String(turn), () => api.health());
  if (health.error || !health.data) {
    return null;
  }
  const failing = health.data.components.filter((component) => component.state !== "ok");
  if (failing.length === 0) {
    return null;
  }
  const what = failing
    .map((component) => `${component.name}: ${component.detail ?? ""} ${component.hint ?? ""}`)
    .join("\n");
  return (
    <details
      className="health"
      onKeyDown={(event) => {
        if (event.key === "Escape") {
          event.currentTarget.open = false;
        }
      }}
    >
      <summary className="chip warn" title={what}>
        <span className="dot" />
        {failing.map((component) => component.name).join(", ")} failing
      </summary>
      <ul>
        {failing.map((component) => (
          <li key={component.name}>
            <b>{component.name}</b> since {when(component.since)}
            <div>{component.detail}</div>
            {component.hint && <div className="muted">{component.hint}</div>}
          </li>
        ))}
      </ul>
    </details>
  );
}

/** Asks for the token of a server that is open to the network. */
function TokenGate({ refusal }: { refusal: unknown }) {
  const [text, setText] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    keepToken(text.trim());
    location.reload();
  };
  const given = token() !== null;
  const asked = refusal instanceof ApiError && refusal.status === 401;
  return (
    <form className="gate" onSubmit={submit}>
      <h1>
        {given
          ? "This token is not the server's"
          : asked
            ? "This server asks for its token"
            : "This server does not let this page in"}
      </h1>
      {(given || !asked) && <Problem error={refusal} />}
      <p className="muted">
        <code>enprof serve</code> printed it when it started, at the end of its address. It is kept for
        this tab alone.
      </p>
      <label>
        Token
        <input
          autoFocus
          type="password"
          autoComplete="off"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </label>
      <button className="primary" type="submit" disabled={text.trim() === ""}>
        Continue
      </button>
    </form>
  );
}

const refused = (error: unknown) =>
  error instanceof ApiError && (error.status === 401 || error.status === 403);

export function App({ live }: { live: LiveConnection }) {
  const route = useRoute();
  const state = useSyncExternalStore(live.subscribe, live.snapshot);
  const { theme, toggle } = useTheme();
  // Ask again at each failure: a restarted server may need another token.
  const latest = useLoad(`${route.view}/${state.connection === "open"}/${state.failures}`, () =>
    api.runs({ limit: 1 }),
  );
  const analysed = route.run ?? latest.data?.runs[0]?.run_id ?? null;
  useEffect(() => {
    document.title = `${TITLES[route.view]} · enprof`;
    scrollTo(0, 0);
  }, [route.view, route.run, route.experiment]);
  const tab = (view: keyof typeof TITLES, href: string) => (
    <a href={href} aria-current={route.view === view ? "page" : undefined}>
      {TITLES[view]}
    </a>
  );
  return (
    <div className="shell">
      <a className="skip" href="#main" onClick={(event) => {
        event.preventDefault(); // the address after '#' belongs to the view
        document.getElementById("main")?.focus();
      }}>
        Skip to the content
      </a>
      <header className="top">
        <a className="brand" href="#/live">
          <img src="/icon.svg" alt="" width="24" height="24" />
          enprof
        </a>
        <nav aria-label="Views">
          {tab("live", "#/live")}
          {tab("analysis", analysed ? runHref(analysed) : "#/history")}
          {tab("history", "#/history")}
          {tab("compare", "#/compare")}
          {tab("experiments", "#/experiments")}
        </nav>
        <span className="spacer" />
        {!refused(latest.error) && (
          <>
            <HealthChip />
            <ConnectionChip live={live} />
          </>
        )}
        <button
          className="plain icon"
          onClick={toggle}
          aria-label={`Use the ${theme === "dark" ? "light" : "dark"} theme`}
        >
          {theme === "dark" ? "☀" : "☾"}
        </button>
      </header>
      <main id="main" tabIndex={-1}>
        {refused(latest.error) ? (
          <TokenGate refusal={latest.error} />
        ) : (
          <Boundary key={[route.view, route.run, route.experiment, ...route.runs].join("/")}>
            {route.view === "live" && <LiveView state={state} live={live} />}
            {route.view === "analysis" && route.run && <AnalysisView id={route.run} />}
            {route.view === "history" && <HistoryView latest={`${state.run?.run_id} ${state.run?.status}`} />}
            {route.view === "compare" && <CompareView ids={route.runs} />}
            {route.view === "experiments" && <ExperimentsView name={route.experiment} />}
          </Boundary>
        )}
      </main>
    </div>
  );
}
