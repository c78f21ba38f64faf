import { describe, expect, it } from "vitest";
import { MOST_RAILS, MOST_WARNINGS, LiveRunRecord } from "./live-run";
import { MOST_POINTS } from "./live-power";
import { MOST_SHOWN, MOST_TOKENS } from "./live-tokens";
import type { LiveEvent, Run } from "./types";

let seq = 0;
const event = (type: string, data: Record<string, unknown> = {}, t_ms = 0): LiveEvent => ({
  seq: ++seq,
  run_id: "r",
  type,
  t_ms,
  data,
});
const record = (...events: LiveEvent[]) => {
  const run = new LiveRunRecord("r");
  events.forEach((entry) => run.apply(entry));
  return run;
};
const all = (...events: LiveEvent[]) => record(...events).picture;
const tokenOf = (index: number, data: Record<string, unknown> = {}) =>
  event("token_complete", { index, text: "a", phase: "decode", duration_ms: 2, energy_mj: 10, ...data });

describe("the record of a run", () => {
  it("follows a run from loading to its end", () => {
    const run = all(
      event("model_loading", { model: "m", progress_ratio: 0.5 }),
      event("run_started"),
      event("section_start", { phase: "decode", section: "forward" }),
      event("power_sample", { power_mw: 5000, energy_mj: 10 }, 100),
      event("token_complete", { index: 0, text: "a", duration_ms: 2, energy_mj: 10 }, 120),
      event("power_sample", { power_mw: 4000, energy_mj: 13 }, 140), // after the run's end
      event("inference_complete", { status: "completed", energy_mj: 12, duration_ms: 130 }, 130),
      event("energy_settled", { tokens: [], final: true }, 130),
    );
    expect(run.status).toBe("completed");
    expect(run.tokens[0]).toMatchObject({ text: "a", energy_mj: 10, provisional: true });
    expect(run.power).toEqual([[0, 100, 5000], [100, 140, 4000]]);
    expect(run.energy_mj).toBe(12);
    expect(run.t_ms).toBe(130);
    expect(run.power_from_ms).toBeNull();
  });

  it("replaces provisional energies when they settle, in the sums too", () => {
    const run = all(
      tokenOf(0),
      tokenOf(1, { phase: "prefill" }),
      tokenOf(2, { energy_mj: null }),
      event("energy_settled", {
        tokens: [{ index: 0, energy_mj: 9, standard_error_mj: 3 }, { index: 2, energy_mj: 5, standard_error_mj: 4 }],
      }),
    );
    expect(run.tokens[0]).toMatchObject({ energy_mj: 9, standard_error_mj: 3, provisional: false });
    expect(run.sums).toEqual({
      count: 3, settled: 2, decoded: 2, decode_ms: 4, known: 2, energy_mj: 14, with_error: 2, squares: 25,
    });
  });

  it("keeps unknown power unknown, and counts what was missed", () => {
    const run = record(event("power_sample", { power_mw: null, energy_mj: null }));
    expect(run.picture.power_mw).toBeNull();
    expect(run.picture.power).toEqual([]);
    run.markMissed(5);
    expect(run.picture).toMatchObject({ run_id: "r", missed: 5, stale: true });
  });

  it("takes power rail by rail, and leaves a gap where it is not known of one", () => {
    const rails = (cpu: number | null, dram: number | null) => ({
      power_mw: 9,
      rails: [{ name: "cpu", power_mw: cpu }, { name: "__proto__", power_mw: dram }],
    });
    const run = all(
      event("power_sample", rails(7, 2), 100),
      event("power_sample", rails(8, null), 200),
      event("power_sample", rails(9, 3), 300),
    );
    expect(run.rails).toEqual([
      { name: "cpu", points: [[0, 100, 7], [100, 200, 8], [200, 300, 9]] },
      { name: "__proto__", points: [[0, 100, 2], [200, 300, 3]] },
    ]);
  });

  it("does not draw power over what was missed", () => {
    const run = record(event("power_sample", { power_mw: 5 }, 100));
    run.markMissed(40);
    run.apply(event("power_sample", { power_mw: 6 }, 9000));
    expect(run.picture.power).toEqual([[0, 100, 5], [8900, 9000, 6]]);
  });

  it("says from when it knows power, where its page came later than the run", () => {
    const late = record(event("power_sample", { power_mw: 5 }, 12_300));
    late.apply(event("power_sample", { power_mw: 5 }, 12_400));
    expect(late.picture.power_from_ms).toBe(12_200);
    // A slow source does not mean that the page came late.
    expect(all(event("run_started"), event("power_sample", { power_mw: 5 }, 12_300)).power_from_ms).toBeNull();
  });

  it("runs from its first sign of life, also where its start was missed", () => {
    expect(all(event("section_start", { phase: "decode" }))).toMatchObject({ status: "running", reached: 2 });
  });

  it("knows how far a run came that failed", () => {
    const error = event("error", { message: "no such model", hint: "look" });
    expect(all(error)).toMatchObject({ status: "failed", reached: 0, error: { message: "no such model", hint: "look" } });
    expect(all(event("model_loading", { progress_ratio: 0.2 }), error).reached).toBe(0);
    expect(all(event("run_started"), error).reached).toBe(1);
    expect(all(event("run_started"), tokenOf(0), error).reached).toBe(2);
  });

  it("shows a run that is over as the server has kept it", () => {
    const run = record(event("run_started"));
    run.markMissed(4);
    run.replaceBy({
      status: "interrupted",
      totals: { energy_mj: 30, duration_ms: 5 },
      tokens: [{ index: 0, text: "a", phase: "decode", duration_ms: 1, energy_mj: 3, quality: { standard_error_mj: 1 } }],
      components: [
        { phase: "decode", layer: 0, component: "q_proj", energy_mj: 1, duration_ms: 1 },
        { phase: "prefill", layer: 0, component: "q_proj", energy_mj: 1, duration_ms: 1 },
      ],
      warnings: [{ message: "w", hint: null }],
    } as unknown as Run);
    const { picture } = run;
    expect(picture).toMatchObject({ status: "interrupted", energy_mj: 30, missed: 0, stale: false });
    expect(picture.warnings).toEqual([{ message: "w", hint: null }]);
    expect(picture.tokens[0]).toMatchObject({ energy_mj: 3, provisional: false });
    expect(picture.cells).toHaveLength(1);
  });
});

describe("a long run", () => {
  it("is a picture that changes only where something came, and shares what did not change", () => {
    const run = record(event("run_started"), tokenOf(0), event("power_sample", { power_mw: 5 }, 100));
    const before = run.picture;
    expect(run.picture).toBe(before);
    run.apply(event("power_sample", { power_mw: 6 }, 200));
    expect(run.picture.tokens).toBe(before.tokens);
    expect(run.picture.power).not.toBe(before.power);
    expect(before.power).toHaveLength(1);
  });

  it("keeps a bounded number of tokens, and exact sums of all", () => {
    const run = record(event("run_started"));
    const count = 3 * MOST_TOKENS;
    for (let index = 0; index < count; ++index) {
      run.apply(tokenOf(index, { energy_mj: 2 }));
    }
    expect(run.picture.tokens).toHaveLength(MOST_SHOWN);
    expect(run.picture.tokens.at(-1)?.index).toBe(count - 1);
    expect(run.picture.total_tokens).toBe(count);
    expect(run.picture.sums).toMatchObject({ count, known: count, energy_mj: 2 * count });
    expect(run.isBehind).toBe(true); // tokens were dropped before they had settled: the server has
                                     // them
    run.apply(event("energy_settled", { tokens: [{ index: 0, energy_mj: 99 }, { index: -1 }, { index: 1e12 }] }));
    expect(run.picture.sums.settled).toBe(0);
    run.apply(event("energy_settled", { tokens: [{ index: count - 1, energy_mj: 3, standard_error_mj: 1 }] }));
    expect(run.picture.sums).toMatchObject({ settled: 1, energy_mj: 2 * count + 1 });
  });

  it("keeps a bounded number of points of power, the whole run in sight, and its joules", () => {
    const run = record(event("run_started"));
    const count = 20 * MOST_POINTS;
    let joules = 0;
    let most = 0;
    for (let at = 1; at <= count; ++at) {
      run.apply(event("power_sample", { power_mw: 1000 + (at % 7), rails: [{ name: "cpu", power_mw: at }] }, at * 100));
      joules += (1000 + (at % 7)) * 100;
      if (at % 1000 === 0) {
        most = Math.max(most, run.picture.power.length, run.picture.rails[0]!.points.length);
      }
    }
    const { power, readings_a_point } = run.picture;
    expect(most).toBeLessThanOrEqual(MOST_POINTS);
    expect(power.length).toBeGreaterThan(MOST_POINTS / 4);
    expect(power[0]![0]).toBe(0);
    expect(power.at(-1)![1]).toBe(count * 100);
    expect(power.slice(1).every((point, place) => point[0] === power[place]![1])).toBe(true);
    expect(power.reduce((sum, [begin, end, mw]) => sum + mw * (end - begin), 0) / joules).toBeCloseTo(1, 9);
    expect(readings_a_point).toBeGreaterThan(1);
  });

  it("stays bounded where power comes and goes", () => {
    const run = record(event("run_started"));
    for (let at = 1; at <= 10 * MOST_POINTS; ++at) {
      run.apply(event("power_sample", { power_mw: at % 2 ? 5 : null }, at * 100));
    }
    expect(run.picture.power.length).toBeLessThanOrEqual(MOST_POINTS);
    expect(run.picture.power.every(([begin, end]) => end - begin === 100)).toBe(true);
  });

  it("counts warnings and rails that it has no room for", () => {
    const run = record(event("run_started"));
    for (let turn = 0; turn < MOST_WARNINGS + 7; ++turn) {
      run.apply(event("warning", { message: "again", hint: null }));
    }
    run.apply(event("power_sample", {
      power_mw: 1,
      rails: Array.from({ length: MOST_RAILS + 3 }, (_, rail) => ({ name: `rail-${rail}`, power_mw: 1 })),
    }, 100));
    expect(run.picture.warnings).toHaveLength(MOST_WARNINGS);
    expect(run.picture).toMatchObject({ warnings_left_out: 7, rails_left_out: 3 });
    expect(run.picture.rails).toHaveLength(MOST_RAILS);
  });
});
