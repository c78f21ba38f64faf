// The address after '#': the view and its runs.

import { useSyncExternalStore } from "react";

export interface Route {
  view: "live" | "analysis" | "history" | "compare";
  run: string | null;
  runs: string[];
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
  const runs = rest.split(",").filter((id) => id !== "");
  if (view === "run" && runs[0]) {
    return { view: "analysis", run: decoded(runs[0]), runs: [] };
  }
  if (view === "history") {
    return { view: "history", run: null, runs: [] };
  }
  if (view === "compare") {
    return { view: "compare", run: null, runs: runs.map(decoded) };
  }
  return { view: "live", run: null, runs: [] };
}

const subscribe = (listener: () => void) => {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
};

export function useRoute(): Route {
  return parse(useSyncExternalStore(subscribe, () => location.hash));
}

export const runHref = (run: string) => `#/run/${encodeURIComponent(run)}`;
export const compareHref = (runs: string[]) =>
  `#/compare/${runs.map(encodeURIComponent).join(",")}`;
