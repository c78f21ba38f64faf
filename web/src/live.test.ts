import { describe, expect, it } from "vitest";
import { apply, newRun, settled, type LiveRun } from "./live";
import type { LiveEvent, Run } from "./types";

let seq = 0;
const event = (type: string, data: Record<string, unknown> = {}, t_ms = 0): LiveEvent => ({
  seq: ++seq,
  run_id: "r",
  type,
  t_ms,
  data,
});
const all = (events: LiveEvent[], run: LiveRun | null = null) => events.reduce(apply, run);

describe("apply", () => {
  it("follows a run from loading to its end", () => {
    const run = all([
      event("model_loading", { model: "m", progress_ratio: 0.5 }),
      event("run_started"),
      event("section_start", { phase: "decode", section: "forward" }),
      event("power_sample", { power_mw: 5000, energy_mj: 10 }, 100),
      event("token_complete", { index: 0, text: "a", duration_ms: 2, energy_mj: 10 }, 120),
      event("power_sample", { power_mw: 4000, energy_mj: 13 }, 140), // of after the run
      event("inference_complete", { status: "completed", energy_mj: 12, duration_ms: 130 }, 130),
      event("energy_settled", { tokens: [], final: true }, 130),
    ])!;
    expect(run.status).toBe("completed");
    expect(run.tokens[0]).toMatchObject({ text: "a", energy_mj: 10, provisional: true });
    expect(run.power).toEqual([[100, 5000], [140, 4000]]);
    expect(run.energy_mj).toBe(12);
    expect(run.t_ms).toBe(130);
  });

  it("replaces provisional energies when they settle", () => {
    const run = all([
      event("token_complete", { index: 0, text: "a", energy_mj: 10 }),
      event("energy_settled", { tokens: [{ index: 0, energy_mj: 9, standard_error_mj: 1 }] }),
    ])!;
    expect(run.tokens[0]).toMatchObject({ energy_mj: 9, standard_error_mj: 1, provisional: false });
  });

  it("keeps unknown power unknown, and counts what was missed", () => {
    const run = all([event("power_sample", { power_mw: null, energy_mj: null })])!;
    expect(run.power_mw).toBeNull();
    expect(run.power).toEqual([]);
    const later = apply(run, { seq: 9, run_id: "", type: "gap", t_ms: 0, data: { missed: 5 } })!;
    expect(later.missed).toBe(5);
    expect(later.run_id).toBe("r");
  });

  it("takes power rail by rail, and leaves out what is not known of one", () => {
    const run = all([
      event("power_sample", { power_mw: 9, rails: [{ name: "cpu", power_mw: 7 }, { name: "dram", power_mw: 2 }] }, 100),
      event("power_sample", { power_mw: null, rails: [{ name: "cpu", power_mw: 8 }, { name: "dram", power_mw: null }] }, 200),
    ])!;
    expect(run.rails).toEqual({ cpu: [[100, 7], [200, 8]], dram: [[100, 2]] });
  });

  it("runs from its first sign of life, also where its start was missed", () => {
    expect(all([event("section_start", { phase: "decode" })], newRun("r"))!.status).toBe("running");
  });

  it("shows a run that is over as the server has kept it", () => {
    const kept = {
      status: "interrupted",
      totals: { energy_mj: 30, duration_ms: 5 },
      tokens: [{ index: 0, text: "a", phase: "decode", duration_ms: 1, energy_mj: 3, quality: { standard_error_mj: 1 } }],
      components: [
        { phase: "decode", layer: 0, component: "q_proj", energy_mj: 1, duration_ms: 1 },
        { phase: "prefill", layer: 0, component: "q_proj", energy_mj: 1, duration_ms: 1 },
      ],
      warnings: [{ message: "w" }],
    } as unknown as Run;
    const run = settled({ ...newRun("r"), status: "running", missed: 4 }, kept);
    expect(run).toMatchObject({ status: "interrupted", energy_mj: 30, missed: 0, warnings: ["w"] });
    expect(run.tokens[0]).toMatchObject({ energy_mj: 3, provisional: false });
    expect(run.cells).toHaveLength(1);
  });

  it("shows the run that speaks, and forgets the one before", () => {
    const run = all([{ ...event("run_started"), run_id: "other" }], newRun("r"))!;
    expect(run.run_id).toBe("other");
  });

  it("takes an error with its hint", () => {
    const run = all([event("error", { message: "no such model", hint: "look" })])!;
    expect(run.status).toBe("failed");
    expect(run.error).toEqual({ message: "no such model", hint: "look" });
  });
});
