import { describe, expect, it } from "vitest";
import { LiveRequestsRecord, MOST_REQUESTS } from "./live-requests";

const request = (number: number, more: Record<string, unknown> = {}) => ({
  number, context: 0, sequence: 0, begin_ms: 100 * number, prompt_tokens: 8, output_tokens: 3,
  time_to_first_token_ms: 20, ...more,
});
const metrics = (more: Record<string, unknown>) => ({
  passes: 9, requests: 1, in_flight: 0, output_tokens: 3, tokens_per_second: null, mean_sequences: 1,
  energy_per_output_token_mj: null, provisional: true, running: [], ended: [], taken_back: [],
  left_out: 0, ...more,
});
const ends = (record: LiveRequestsRecord) =>
  Object.fromEntries(record.picture.list.map((entry) => [entry.number, entry.end_ms]));

describe("the requests of a run under way", () => {
  it("are in flight until their end is told", () => {
    const record = new LiveRequestsRecord();
    record.apply(metrics({ in_flight: 1, running: [request(1)] }), 500);
    expect(record.picture).toMatchObject({ begun: 1, in_flight: 1, left_out: 0 });
    expect(ends(record)).toEqual({ 1: null });
    record.apply(metrics({ requests: 2, in_flight: 1, running: [request(2)], ended: [request(1, { end_ms: 600 })] }), 700);
    expect(ends(record)).toEqual({ 1: 600, 2: null });
  });

  it("may go on after their end", () => {
    const record = new LiveRequestsRecord();
    record.apply(metrics({ ended: [request(1, { end_ms: 200 })] }), 300);
    record.apply(metrics({ in_flight: 1, running: [request(1, { output_tokens: 4 })] }), 400);
    expect(ends(record)).toEqual({ 1: null });
    expect(record.picture.list[0]?.output_tokens).toBe(4);
  });

  it("are taken back if they were warm-ups", () => {
    const record = new LiveRequestsRecord();
    record.apply(metrics({ in_flight: 1, running: [request(1)] }), 200);
    record.apply(metrics({ in_flight: 1, running: [request(2)], taken_back: [1] }), 300);
    expect(ends(record)).toEqual({ 2: null });
  });

  it("end with the event in which they were last seen, if their end was missed", () => {
    const record = new LiveRequestsRecord();
    record.apply(metrics({ in_flight: 1, running: [request(1)] }), 500);
    record.apply(metrics({ requests: 2, in_flight: 1, running: [request(2)] }), 900);
    expect(ends(record)).toEqual({ 1: 500, 2: null });
  });

  it("stay in flight where the server has too many to list them", () => {
    const record = new LiveRequestsRecord();
    record.apply(metrics({ in_flight: 1, running: [request(1)] }), 500);
    record.apply(metrics({ requests: 2, in_flight: 2, running: [request(2)], left_out: 1 }), 900);
    expect(ends(record)).toEqual({ 1: null, 2: null });
  });

  it("end with their run", () => {
    const record = new LiveRequestsRecord();
    record.apply(metrics({ in_flight: 1, tokens_per_second: 9, running: [request(1)] }), 500);
    record.end(800);
    expect(ends(record)).toEqual({ 1: 800 });
    expect(record.picture).toMatchObject({ in_flight: 0, tokens_per_second: null });
  });

  it("are bounded: the oldest that have ended go, and are counted", () => {
    const record = new LiveRequestsRecord();
    record.apply(metrics({ in_flight: 1, running: [request(1)] }), 0);
    for (let number = 2; number <= MOST_REQUESTS + 10; ++number) {
      record.apply(
        metrics({ requests: number, in_flight: 1, running: [request(1)], ended: [request(number, { end_ms: 1e6 })] }),
        100 * number,
      );
    }
    const { list, left_out } = record.picture;
    expect(list.length).toBe(MOST_REQUESTS);
    expect(left_out).toBe(10);
    expect(list[0]?.number).toBe(1);
    expect(list[1]?.number).toBe(12);
  });

  it("come to no harm by what makes no sense", () => {
    const record = new LiveRequestsRecord();
    record.apply({ running: [null, 7, {}, { number: "x" }], ended: "no", taken_back: [null] }, 1);
    expect(record.picture).toMatchObject({ list: [], begun: 0, left_out: 0 });
  });
});
