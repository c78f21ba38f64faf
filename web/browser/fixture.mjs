// What every browser test begins with: a server of its own, a page of its own, and an account of what
// went wrong in it, which must be nothing.
// @ts-check

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { launch, open } from "./page.mjs";
import { Server, program, recordPower, synthesize, workDirectory } from "./server.mjs";

const work = workDirectory();
export const models = join(work, "models");
const recording = join(work, "power.jsonl");
const RECORDING = `replay:${recording}`;
/** @type {import("playwright-core").Browser} */
export let browser;
/** @type {Server} */
export let server;
/** @type {Awaited<ReturnType<typeof open>>} */
export let tab;
/** @type {import("playwright-core").Page} */
export let page;
let databases = 0;
/** What the test brings about itself. */
let trouble = /^never$/;

/** What a browser says of a server that is gone or refuses. */
export function expectTrouble(complaint = /ERR_CONNECTION_|WebSocket connection to|status of (401|403|404)/) {
  trouble = complaint;
}
export const LONG = 50_000; // tokens: longer than any test looks at it

beforeAll(async () => {
  recordPower(recording, { rails: { "package-0": 42, "core-0": 30, "dram-0": 6 } });
  server = new Server({ models, db: join(work, "none.db") });
  synthesize(join(models, "small.gguf"), {
    layers: 4, embd: 256, ff: 512, heads: 4, "kv-heads": 2, ctx: 2 * LONG,
  });
  browser = await launch();
});

/**
 * Another server in place of the one that there is.
 * @param {{ power?: string, db?: string, options?: string[] }} [setup]
 */
export async function serve({ power = RECORDING, db = join(work, `${++databases}.db`), options = [] } = {}) {
  await server.stop("SIGKILL");
  server = new Server({ models, db, options: ["--power", power, "--threads", "1", ...options] });
  await server.start();
}

/**
 * A command with a server of its own in place of the one that there is. It runs until its standard
 * input ends, and is taken to make the passes of this file.
 * @param {string} passes
 */
export async function serveCommand(passes) {
  await server.stop("SIGKILL");
  server = new Server({
    models,
    db: join(work, `${++databases}.db`),
    options: ["--power", RECORDING, "--passes", passes],
    command: ["cat"],
  });
  await server.start();
}
export const fileIn = (/** @type {string} */ name) => join(work, name);

/** Calibrates the model's components, for servers that start from now on. */
export function calibrate() {
  process.env.XDG_DATA_HOME = join(work, "data");
  execFileSync(
    program(),
    ["calibrate", join(models, "small.gguf"), "--power", RECORDING, "--threads", "1", "--seconds", "2",
     "--baseline-force"],
    { stdio: "pipe" },
  );
}

beforeEach(async () => {
  trouble = /^never$/;
  await serve();
  tab = await open(browser);
  page = tab.page;
});

afterEach(async () => {
  await tab.context.close();
  await server.stop("SIGKILL");
  expect(tab.account.complaints.filter((complaint) => !trouble.test(complaint))).toEqual([]);
  for (const address of tab.account.requests) {
    expect(new URL(address).hostname).toBe("127.0.0.1");
  }
});

afterAll(() => browser?.close());

/** @param {string} hash */
export const visit = async (hash) => {
  await page.goto(`${server.url}/${hash}`);
  await page.getByText("live", { exact: true }).waitFor();
};
/** @param {Record<string, unknown>} [order] */
export const profile = (order) =>
  server.profile({ model: "small.gguf", prompt: "Hello", max_tokens: 8, ...order });
/** @param {string} prompt @param {number} tokens */
export const start = async (prompt, tokens) => {
  await page.getByLabel("Prompt").fill(prompt);
  await page.getByLabel("Output tokens").fill(String(tokens));
  await page.getByRole("button", { name: /Start run|Queue run/ }).click();
};
export const tokens = () => page.locator(".tokens [data-index]");
/** Those that the page shows, the latest 3000, all at one time. */
export const shownTokens = () =>
  tokens().evaluateAll((all) =>
    all.map((token) => ({ index: Number(token.getAttribute("data-index")), text: token.textContent })),
  );
/** None is missing among those that are shown. */
export const whole = (/** @type {{ index: number }[]} */ shown) =>
  shown.every((token, place) => token.index === (shown[0]?.index ?? 0) + place);
/** Of those that have come, of which the page shows the latest. */
export const tokenCount = () =>
  tokens().last().getAttribute("data-index").then((index) => Number(index) + 1);
/** @param {number} count */
export const manyTokens = (count) =>
  page.waitForFunction(
    (least) => Number([...document.querySelectorAll(".tokens [data-index]")].at(-1)?.getAttribute("data-index")) + 1 >= least,
    count,
  );
/** @param {string} name */
export const row = (name) => page.getByRole("row").filter({ hasText: name });
/** @param {string} run */
export const cancel = (run) => fetch(`${server.url}/api/profiling/run/${run}`, { method: "DELETE" });
export const rows = () => page.locator("tbody tr");
/** @param {number} count */
export const exactly = (count) =>
  page.waitForFunction((wanted) => document.querySelectorAll("tbody tr").length === wanted, count);
