// Runs of programs that are not ours (enprof exec): they have no tokens, and their prompt is the
// command line.

/** By the run's engine, or a line's in the history. */
export const isCommand = (engine: string | null) => engine === "exec";
