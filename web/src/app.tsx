// The shell: brand, views, connection, health, theme.

import { useEffect, useState, useSyncExternalStore } from "react";
import { api } from "./api";
import type { LiveConnection } from "./live";
import { runHref, useRoute } from "./router";
import { useTheme } from "./theme";
import { useLoad } from "./ui";
import { AnalysisView } from "./views/analysis";
import { CompareView } from "./views/compare";
import { HistoryView } from "./views/history";
import { LiveView } from "./views/live";

const HEALTH_MS = 10_000;

function ConnectionChip({ live }: { live: LiveConnection }) {
  const state = useSyncExternalStore(live.subscribe, live.snapshot);
  if (state.connection === "open") {
    return (
      <span className="chip good">
        <span className="dot" />
        live
      </span>
    );
  }
  return (
    <button className="chip bad" onClick={() => live.retryNow()} title="Connect now">
      <span className="dot" />
      {state.connection === "connecting"
        ? "connecting"
        : `connection lost, again in ${Math.ceil(state.retry_s ?? 0)} s`}
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
  return (
    <span
      className="chip warn"
      title={failing
        .map((component) => `${component.name}: ${component.detail ?? ""} ${component.hint ?? ""}`)
        .join("\n")}
    >
      <span className="dot" />
      {failing.map((component) => component.name).join(", ")} failing
    </span>
  );
}

export function App({ live }: { live: LiveConnection }) {
  const route = useRoute();
  const state = useSyncExternalStore(live.subscribe, live.snapshot);
  const { theme, toggle } = useTheme();
  const latest = useLoad(route.view === "analysis" ? null : "latest", () => api.runs({ limit: 1 }));
  const analysed = route.run ?? latest.data?.runs[0]?.run_id ?? null;
  const tab = (view: string, href: string, name: string) => (
    <a href={href} aria-current={route.view === view ? "page" : undefined}>
      {name}
    </a>
  );
  return (
    <div className="shell">
      <header className="top">
        <a className="brand" href="#/live">
          <img src="/icon.svg" alt="" />
          enprof
        </a>
        <nav aria-label="Views">
          {tab("live", "#/live", "Live")}
          {tab("analysis", analysed ? runHref(analysed) : "#/history", "Analysis")}
          {tab("history", "#/history", "History")}
          {tab("compare", "#/compare", "Compare")}
        </nav>
        <span className="spacer" />
        <HealthChip />
        <ConnectionChip live={live} />
        <button
          className="plain"
          onClick={toggle}
          aria-label={`Use the ${theme === "dark" ? "light" : "dark"} theme`}
        >
          {theme === "dark" ? "☀" : "☾"}
        </button>
      </header>
      <main>
        {route.view === "live" && <LiveView state={state} live={live} />}
        {route.view === "analysis" && route.run && <AnalysisView id={route.run} />}
        {route.view === "history" && <HistoryView />}
        {route.view === "compare" && <CompareView ids={route.runs} />}
      </main>
    </div>
  );
}
