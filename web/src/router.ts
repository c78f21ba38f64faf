// The address after '#': the view and its runs, or its experiment.

import { useSyncExternalStore } from "react";

export interface Route {
  view: "live" | "analysis" | "history" | "compare" | "experiments";
  run: string | null;
  runs: string[];
  experiment: string | null;
}

/** A truncated address must not break the page. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function parse(hash: string): Route {
  const [view = "", rest = ""] = hash.replace(/^#\/?/, "").split("/");
  const nothing = { run: null, runs: [], experiment: null };
  const runs = rest.split(",").filter((id) => id !== "");
  if (view === "run" && runs[0]) {
    return { ...nothing, view: "analysis", run: decoded(runs[0]) };
  }
  if (view === "history") {
    return { ...nothing, view: "history" };
  }
  if (view === "compare") {
    return { ...nothing, view: "compare", runs: runs.map(decoded) };
  }
  if (view === "experiments") {
    return { ...nothing, view: "experiments", experiment: rest === "" ? null : decoded(rest) };
  }
  return { ...nothing, view: "live" };
}

const subscribe = (listener: () => void) => {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
};

export function useRoute(): Route {
  return parse(useSyncExternalStore(subscribe, () => location.hash));
}

export const runHref = (run: string) => `#/run/${encodeURIComponent(run)}`;
export const experimentHref = (name: string) => `#/experiments/${encodeURIComponent(name)}`;
export const compareHref = (runs: string[]) =>
  `#/compare/${runs.map(encodeURIComponent).join(",")}`;
