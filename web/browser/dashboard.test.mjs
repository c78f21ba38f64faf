// The dashboard as its users have it: a real server, a real model, a real browser.
// @ts-check

import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { launch, open } from "./page.mjs";
import { Server, recordPower, synthesize, workDirectory } from "./server.mjs";

const work = workDirectory();
const models = join(work, "models");
const power = join(work, "power.jsonl");
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Server} */
let server;
/** @type {Awaited<ReturnType<typeof open>>} */
let tab;
let databases = 0;

beforeAll(async () => {
  recordPower(power, { rails: { "package-0": 42, "dram-0": 6 } });
  server = new Server({ models, db: join(work, "first.db") });
  synthesize(join(models, "small.gguf"), { layers: 4, embd: 256, ff: 512, heads: 4, "kv-heads": 2 });
  browser = await launch();
});

beforeEach(async () => {
  server = new Server({
    models,
    db: join(work, `${++databases}.db`),
    options: ["--power", `replay:${power}`, "--threads", "1"],
  });
  await server.start();
  tab = await open(browser);
});

afterEach(async () => {
  await tab.context.close();
  await server.stop("SIGKILL");
});

afterAll(() => browser?.close());

it("loads without an error, from nowhere but the server", async () => {
  await tab.page.goto(server.url);
  await tab.page.getByText("live", { exact: true }).waitFor();
  expect(tab.account.complaints).toEqual([]);
  expect(tab.account.requests.length).toBeGreaterThan(3);
  for (const address of tab.account.requests) {
    expect(new URL(address).host).toBe(`127.0.0.1:${server.port}`);
  }
});
