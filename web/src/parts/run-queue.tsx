// Runs that this page requested and that have not started.

import { useState } from "react";
import { ApiError, api } from "../api";
import { Problem } from "../ui";
import "./run-queue.css";

export interface Waiting {
  run_id: string;
  prompt: string;
}

export function RunQueue({ runs, onGone }: { runs: Waiting[]; onGone: (run_id: string) => void }) {
  const [problem, setProblem] = useState<unknown>(null);
  const cancel = (run_id: string) =>
    api.remove(run_id).then(
      () => onGone(run_id),
      (error: unknown) =>
        error instanceof ApiError && error.status === 404 ? onGone(run_id) : setProblem(error),
    );
  return (
    <>
      {Boolean(problem) && <Problem error={problem} />}
      {runs.length > 0 && (
        <ol className="run-queue" aria-label="Waiting runs">
          {runs.map((run) => (
            <li key={run.run_id} className="row">
              <span className="clip" title={run.prompt}>
                “{run.prompt}”
              </span>
              <span className="muted">waiting</span>
              <span className="spacer" />
              <button
                className="small"
                aria-label={`Cancel waiting run ${run.run_id}`}
                onClick={() => void cancel(run.run_id)}
              >
                Cancel
              </button>
            </li>
          ))}
        </ol>
      )}
    </>
  );
}
