import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LiveConnection } from "./live";

/** A socket whose server is the test. */
class FakeSocket {
  static all: FakeSocket[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  constructor(readonly address: string) {
    FakeSocket.all.push(this);
  }
  send(...events: object[]) {
    this.onmessage?.({ data: JSON.stringify(events) });
  }
}
const last = () => FakeSocket.all.at(-1)!;
const since = (socket: FakeSocket) => new URL(socket.address).searchParams.get("since");

const quality = { standard_error_mj: 1 };
const kept = (status: string) => ({
  run_id: "r",
  status,
  totals: { energy_mj: 7, duration_ms: 9 },
  tokens: ["a", "b", "c"].map((text, index) => ({ index, text, energy_mj: 2, duration_ms: 1, quality })),
  components: [],
  warnings: [],
});
let answer: { status: number; body: object };
let asked: string[];

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.all = [];
  asked = [];
  answer = { status: 200, body: { run_id: "r", status: "running" } };
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("location", { protocol: "http:", host: "127.0.0.1:8000" });
  vi.stubGlobal("sessionStorage", { getItem: () => null });
  vi.stubGlobal("fetch", (path: string) => {
    asked.push(path);
    return Promise.resolve(
      new Response(JSON.stringify(answer.body), { status: answer.status }),
    );
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** The gap that a new server sends to clients with a number of the previous server. */
const restart = (seq: number) => ({
  seq,
  run_id: "",
  type: "gap",
  t_ms: 0,
  data: { missed: null, restarted: true },
});
const token = (seq: number, index: number, text: string) => ({
  seq,
  run_id: "r",
  type: "token_complete",
  t_ms: seq,
  data: { index, text },
});

it("goes on after the last event that it has seen, sooner at first and later with each failure", () => {
  const live = new LiveConnection();
  expect(since(last())).toBe("0");
  last().onopen?.();
  expect(live.snapshot().connection).toBe("open");
  last().send({ seq: 1, run_id: "r", type: "run_started", t_ms: 0, data: {} }, token(2, 0, "a"));
  let waited = 0;
  for (let failure = 0; failure < 4; ++failure) {
    last().onclose?.();
    expect(live.snapshot().connection).toBe("lost");
    const wait = live.snapshot().retry_s!;
    expect(wait).toBeGreaterThanOrEqual(0.25 * 2 ** failure);
    expect(wait).toBeLessThanOrEqual(0.5 * 2 ** failure);
    waited += wait;
    vi.advanceTimersByTime(wait * 1000);
    expect(since(last())).toBe("2");
  }
  expect(FakeSocket.all).toHaveLength(5);
  expect(waited).toBeGreaterThan(0);
});

it("tells of what it missed while a run goes on, and shows it whole when it is over", async () => {
  const live = new LiveConnection();
  last().onopen?.();
  last().send({ seq: 1, run_id: "r", type: "run_started", t_ms: 0, data: {} }, token(2, 0, "a"));
  last().send({ seq: 90, run_id: "", type: "gap", t_ms: 0, data: { missed: 88 } });
  await vi.advanceTimersByTimeAsync(100);
  expect(live.snapshot().run).toMatchObject({ missed: 88, status: "running" });
  last().send({ seq: 91, run_id: "r", type: "inference_complete", t_ms: 9, data: { status: "completed" } });
  await vi.advanceTimersByTimeAsync(100);
  expect(live.snapshot().run!.missed).toBe(88); // it is still being saved
  answer.body = kept("completed");
  await vi.advanceTimersByTimeAsync(1000);
  expect(live.snapshot().run).toMatchObject({ missed: 0, status: "completed", energy_mj: 7 });
  expect(live.snapshot().run!.tokens.map((entry) => entry.text)).toEqual(["a", "b", "c"]);
});

it("counts as missed only what a run lost, not what was before it", async () => {
  const live = new LiveConnection();
  last().onopen?.();
  last().send({ seq: 50, run_id: "", type: "gap", t_ms: 0, data: { missed: 49 } });
  last().send({ seq: 51, run_id: "r", type: "run_started", t_ms: 0, data: {} });
  vi.advanceTimersByTime(100);
  expect(live.snapshot().run!.missed).toBe(0);

  const later = new LiveConnection();
  last().onopen?.();
  last().send({ seq: 50, run_id: "", type: "gap", t_ms: 0, data: { missed: 49 } });
  last().send(token(51, 7, "h"));
  vi.advanceTimersByTime(100);
  expect(later.snapshot().run!.missed).toBe(49);
});

it("asks what became of a run when its server was restarted, until it is answered", async () => {
  const live = new LiveConnection();
  last().onopen?.();
  last().send({ seq: 1, run_id: "r", type: "run_started", t_ms: 0, data: {} }, token(2, 0, "a"));
  last().onclose?.();
  vi.advanceTimersByTime(1000);
  answer = { status: 503, body: { code: "busy", message: "later" } };
  last().onopen?.();
  last().send(restart(1000));
  await vi.advanceTimersByTimeAsync(100);
  expect(live.snapshot().run).toMatchObject({ status: "running", stale: true, missed: 0 });
  answer = { status: 200, body: kept("interrupted") };
  await vi.advanceTimersByTimeAsync(1000);
  expect(live.snapshot().run).toMatchObject({ status: "interrupted", stale: false });
  last().onclose?.();
  vi.advanceTimersByTime(1000);
  expect(since(last())).toBe("1000");
});

it("keeps a run of the new server that was asked for before the page was connected to it", async () => {
  const live = new LiveConnection();
  last().onopen?.();
  live.showRequested("r");
  answer.body = { run_id: "r", status: "queued" };
  last().send(restart(1000));
  await vi.advanceTimersByTimeAsync(100);
  expect(live.snapshot().run).toMatchObject({ run_id: "r", status: "waiting" });
  last().send({ seq: 1001, run_id: "r", type: "model_loading", t_ms: 0, data: {} });
  last().send({ seq: 1002, run_id: "r", type: "run_started", t_ms: 0, data: {} });
  await vi.advanceTimersByTimeAsync(100);
  expect(live.snapshot().run).toMatchObject({ status: "running", stale: false });
});

it("takes the last figures of a run that ended just before its server did", async () => {
  const live = new LiveConnection();
  last().onopen?.();
  last().send(
    { seq: 1, run_id: "r", type: "run_started", t_ms: 0, data: {} },
    token(2, 0, "a"),
    { seq: 3, run_id: "r", type: "inference_complete", t_ms: 9, data: { status: "completed" } },
  );
  answer.body = kept("completed");
  last().send(restart(1000));
  await vi.advanceTimersByTimeAsync(100);
  expect(live.snapshot().run).toMatchObject({ status: "completed", energy_mj: 7, stale: false });
});

it("says that it missed something, though not how much, of a run that it finds under way", async () => {
  const live = new LiveConnection();
  last().onopen?.();
  last().send(restart(1000), token(1007, 7, "h"));
  await vi.advanceTimersByTimeAsync(100);
  expect(live.snapshot().run).toMatchObject({ run_id: "r", stale: true, missed: 0 });
});

it("asks after a run that its server may have taken with it", async () => {
  const live = new LiveConnection();
  last().onopen?.();
  last().send({ seq: 1, run_id: "r", type: "run_started", t_ms: 0, data: {} }, token(2, 0, "a"));
  last().onclose?.();
  vi.advanceTimersByTime(1000);
  answer.body = kept("interrupted");
  last().onopen?.();
  await vi.advanceTimersByTimeAsync(1);
  expect(asked.at(-1)).toBe("/api/profiling/run/r");
  expect(live.snapshot().run).toMatchObject({ status: "interrupted" });

  live.showRequested("s");
  answer = { status: 404, body: { code: "not_found", message: "There is no run s" } };
  last().onclose?.();
  vi.advanceTimersByTime(1000);
  last().onopen?.();
  await vi.advanceTimersByTimeAsync(1);
  expect(live.snapshot().run).toMatchObject({ run_id: "s", status: "lost" });
});

it("takes 65,000 events after a reload without a copy and a picture for each", () => {
  const live = new LiveConnection();
  last().onopen?.();
  const pictures = new Set<unknown>();
  let updates = 0;
  live.subscribe(() => {
    ++updates;
    pictures.add(live.snapshot().run?.tokens);
  });
  const copies = vi.spyOn(Array.prototype, "slice");
  const count = 65_000;
  const AT_ONCE = 500;
  let seq = 0;
  last().send({ seq: ++seq, run_id: "r", type: "run_started", t_ms: 0, data: {} });
  for (let index = 0; index < count; index += AT_ONCE) {
    last().send(
      ...Array.from({ length: AT_ONCE }, (_, place) => token(++seq, index + place, "a")),
      { seq: ++seq, run_id: "r", type: "power_sample", t_ms: index, data: { power_mw: 5, rails: [] } },
      {
        seq: ++seq,
        run_id: "r",
        type: "energy_settled",
        t_ms: index,
        data: { tokens: [{ index, energy_mj: 1, standard_error_mj: 1 }] },
      },
    );
  }
  expect(updates).toBe(0); // everything came within one update period
  expect(copies.mock.calls.length).toBeLessThan(10);
  vi.advanceTimersByTime(100);
  expect(updates).toBe(1);
  expect(pictures.size).toBe(1);
  const run = live.snapshot().run!;
  expect(run.total_tokens).toBe(count);
  expect(run.sums).toMatchObject({ count, settled: count / AT_ONCE });
  expect(run.tokens.length).toBeLessThan(5000);
  expect(run.tokens.at(-1)?.index).toBe(count - 1);
  expect(live.snapshot().run).toBe(run);
});
