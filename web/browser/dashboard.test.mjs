// The dashboard as its users have it: a real server, a real model, a real browser.
// @ts-check

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
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
/** @type {import("playwright-core").Page} */
let page;
let databases = 0;
let troubleExpected = false;

/** What a browser says of a server that is gone or refuses. */
const TROUBLE = /ERR_CONNECTION_|WebSocket connection to|status of (401|403|404)/;
const LONG = 50_000; // tokens: longer than any test looks at it

beforeAll(async () => {
  recordPower(power, { rails: { "package-0": 42, "core-0": 30, "dram-0": 6 } });
  server = new Server({ models, db: join(work, "none.db") });
  synthesize(join(models, "small.gguf"), { layers: 4, embd: 256, ff: 512, heads: 4, "kv-heads": 2 });
  browser = await launch();
});

/** @param {string[]} options */
async function serve(...options) {
  server = new Server({
    models,
    db: join(work, `${++databases}.db`),
    options: ["--power", `replay:${power}`, "--threads", "1", ...options],
  });
  await server.start();
}

beforeEach(async () => {
  troubleExpected = false;
  await serve();
  tab = await open(browser);
  page = tab.page;
});

afterEach(async () => {
  await tab.context.close();
  await server.stop("SIGKILL");
  expect(
    tab.account.complaints.filter((complaint) => !(troubleExpected && TROUBLE.test(complaint))),
  ).toEqual([]);
  for (const address of tab.account.requests) {
    expect(new URL(address).hostname).toBe("127.0.0.1");
  }
});

afterAll(() => browser?.close());

/** @param {string} hash */
const visit = async (hash) => {
  await page.goto(`${server.url}/${hash}`);
  await page.getByText("live", { exact: true }).waitFor();
};
/** @param {Record<string, unknown>} [order] */
const profile = (order) =>
  server.profile({ model: "small.gguf", prompt: "Hello", max_tokens: 8, ...order });
/** @param {string} prompt @param {number} tokens */
const start = async (prompt, tokens) => {
  await page.getByLabel("Prompt").fill(prompt);
  await page.getByLabel("Output tokens").fill(String(tokens));
  await page.getByRole("button", { name: /Start run|Queue run/ }).click();
};
const tokens = () => page.locator(".tokens [data-index]");
/** @param {number} count */
const manyTokens = (count) =>
  page.waitForFunction((least) => document.querySelectorAll(".tokens [data-index]").length >= least, count);
/** @param {string} name */
const row = (name) => page.getByRole("row").filter({ hasText: name });
const rows = () => page.locator("tbody tr");
/** @param {number} count */
const exactly = (count) =>
  page.waitForFunction((wanted) => document.querySelectorAll("tbody tr").length === wanted, count);

describe("a new user", () => {
  it("finds every view empty, without an error, from nowhere but the server", async () => {
    await visit("");
    await page.getByText("Nothing runs").waitFor();
    await page.getByRole("link", { name: "History" }).click();
    await page.getByText("No runs yet").waitFor();
    await page.getByRole("link", { name: "Compare" }).click();
    await page.getByText("Choose two to four runs").waitFor();
    const hosts = new Set(tab.account.requests.map((address) => new URL(address).host));
    expect([...hosts]).toEqual([`127.0.0.1:${server.port}`]);
    expect(tab.account.requests.length).toBeGreaterThan(5);
  });

  it("starts a run, watches its tokens and rails, and goes on to its analysis", async () => {
    await visit("#/live");
    await page.getByLabel("Tags").fill("first, try");
    await start("How many joules?", 1500);
    await manyTokens(20);
    const rails = "Power against time: package-0, dram-0, core-0";
    await page.getByRole("img", { name: rails }).locator("canvas").first().waitFor();
    await page.getByText("completed").first().waitFor();
    expect(await tokens().count()).toBe(1500);
    await page.getByText("settled").waitFor();
    await page.getByRole("img", { name: "Heatmap of decode energy" }).waitFor();
    await page.getByRole("link", { name: "Analyse this run" }).click();
    await page.getByRole("heading", { name: "How many joules?" }).waitFor();
    await page.getByText("first", { exact: true }).waitFor();
    await page.getByRole("img", { name: rails }).locator("canvas").first().waitFor();
    const [run] = (await server.ask("/api/profiling/runs")).runs;
    expect(run.tags).toEqual(["first", "try"]);
  });

  it("does all that with the keyboard alone", async () => {
    await visit("#/live");
    await page.keyboard.press("Tab"); // the way past the head
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    await page.keyboard.type("By hand");
    await page.keyboard.press("Control+Enter");
    await page.getByRole("link", { name: "Analyse this run" }).waitFor();
    await page.getByRole("link", { name: "History" }).focus();
    await page.keyboard.press("Enter");
    await row("By hand").waitFor();
    await page.getByRole("button", { name: /^Edit the tags/ }).focus();
    await page.keyboard.press("Enter");
    await page.keyboard.type("typed");
    await page.keyboard.press("Enter");
    await row("typed").waitFor();
    await page.getByRole("button", { name: /^Delete run/ }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    expect(await rows().count()).toBe(1);
  });
});

describe("a run under way", () => {
  it("settles its joules and fills its layers while it goes on, and is whole after a reload", async () => {
    await visit("#/live");
    await start("Long", LONG);
    await manyTokens(30);
    await page.getByRole("img", { name: "Heatmap of decode energy" }).locator("canvas").first().waitFor();
    await page.waitForFunction(() => document.querySelectorAll(".tokens :not(.provisional)").length > 0);
    await page.getByRole("button", { name: "Cancel" }).waitFor();
    const first = await tokens().first().textContent();
    await page.reload();
    await manyTokens(31);
    expect(await tokens().first().getAttribute("data-index")).toBe("0");
    expect(await tokens().first().textContent()).toBe(first);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("cancelled").first().waitFor();
  });

  it("is shown as interrupted when its server was killed, and the next one runs", async () => {
    troubleExpected = true;
    await visit("#/live");
    await start("Long", LONG);
    // As much as has been saved by then comes back.
    await manyTokens(1500);
    await server.stop("SIGKILL");
    await page.getByText("connection lost").waitFor();
    await server.start();
    await page.getByText("live", { exact: true }).waitFor();
    await page.getByText("The server ended in the middle of this run").waitFor();
    expect(await tokens().count()).toBeGreaterThan(0);
    await start("After the crash", 5);
    await page.getByText("“After the crash”").waitFor();
    await page.getByRole("link", { name: "Analyse this run" }).waitFor();
    expect(await tokens().count()).toBe(5);
  });
});

describe("the history", () => {
  it("is searched, filtered and sorted", async () => {
    await profile({ prompt: "The sky", tags: ["blue"] });
    await profile({ prompt: "The grass", tags: ["green"], max_tokens: 300 });
    await visit("#/history");
    await exactly(2);
    await page.getByLabel("Search in prompts").fill("SKY");
    await exactly(1);
    await row("The sky").waitFor();
    await page.getByLabel("Search in prompts").fill("nowhere");
    await page.getByText("No run matches").waitFor();
    await page.getByRole("button", { name: "Clear the filter" }).click();
    await exactly(2);
    await row("The grass").getByRole("button", { name: "green" }).click();
    await exactly(1);
    await page.getByRole("button", { name: "Clear" }).click();
    await exactly(2);
    await page.getByRole("button", { name: "energy" }).click();
    await page.waitForFunction(() => document.querySelector("tbody tr")?.textContent?.includes("grass"));
    await page.getByRole("button", { name: "energy" }).click();
    await page.waitForFunction(() => document.querySelector("tbody tr")?.textContent?.includes("sky"));
  });

  it("is turned page by page", async () => {
    for (let count = 0; count < 27; ++count) {
      await profile({ prompt: `Number ${count}.`, max_tokens: 1, depth: "minimal" });
    }
    await visit("#/history");
    await exactly(25);
    await page.getByText("1–25 of 27").waitFor();
    await page.getByRole("button", { name: "Next page" }).click();
    await exactly(2);
    await row("Number 0.").waitFor();
    for (const doomed of ["Number 0.", "Number 1."]) {
      await row(doomed).getByRole("button", { name: /^Delete/ }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
      await row(doomed).waitFor({ state: "detached" });
    }
    await exactly(25); // the page that is empty now is left
    expect(await page.getByRole("button", { name: "Next page" }).isDisabled()).toBe(true);
  });

  it("keeps the tags that are given to a run", async () => {
    const run = await profile();
    await visit("#/history");
    await page.getByRole("button", { name: /^Edit the tags/ }).click();
    await page.getByLabel("Tags, with commas").fill("fast, fast , quantized");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("button", { name: "quantized" }).waitFor();
    expect((await server.ask(`/api/profiling/run/${run.run_id}`)).tags).toEqual(["fast", "quantized"]);
  });

  it("deletes a run once that is confirmed, and not before", async () => {
    const run = await profile({ prompt: "Doomed" });
    await profile({ prompt: "Kept" });
    await visit("#/history");
    await row("Doomed").getByRole("button", { name: /^Delete/ }).click();
    await page.getByRole("button", { name: "Keep" }).click();
    expect(await rows().count()).toBe(2);
    await row("Doomed").getByRole("button", { name: /^Delete/ }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await exactly(1);
    await row("Kept").waitFor();
    await expect(server.ask(`/api/profiling/run/${run.run_id}`)).rejects.toThrow("404");
  });

  it("exports a run as JSON and as tables", async () => {
    const run = await profile({ tags: ["out"] });
    await visit("#/history");
    const download = async (/** @type {RegExp} */ name) => {
      const coming = page.waitForEvent("download");
      await page.getByRole("link", { name }).click();
      const file = await coming;
      return { name: file.suggestedFilename(), content: readFileSync(await file.path()) };
    };
    const json = await download(/as JSON$/);
    expect(json.name).toBe(`enprof-${run.run_id}.json`);
    const parsed = JSON.parse(json.content.toString());
    expect(parsed.tags).toEqual(["out"]);
    expect(parsed.tokens.length).toBe(8);
    const tables = await download(/as CSV tables$/);
    expect(tables.name).toBe(`enprof-${run.run_id}-csv.zip`);
    expect(tables.content.subarray(0, 4).toString("latin1")).toBe("PK\x03\x04");
    expect(tables.content.includes("tokens.csv")).toBe(true);
  });
});

describe("a run that is over", () => {
  it("is taken apart, down to the operations of a token", async () => {
    const run = await profile({ depth: "deep", max_tokens: 24 });
    await visit(`#/run/${run.run_id}`);
    await page.getByText("Costliest operations").waitFor();
    const heatmap = page.getByRole("img", { name: "Heatmap of energy" });
    await heatmap.waitFor();
    await page.getByRole("cell", { name: "MUL_MAT" }).first().waitFor();
    // The first row: what is outside the layers. Its first cell: their costliest component.
    await heatmap.click({ position: { x: 75, y: 18 } });
    await page.getByText(/^Operations of .*, outside the layers$/).waitFor();
    await page.getByLabel("Operations of").selectOption({ label: "q_proj, layer 1" });
    await page.getByText("Operations of q_proj, layer 1").waitFor();
    expect(await page.locator(".drill tbody tr").count()).toBe(1);

    await page.getByRole("slider", { name: "Output token" }).focus();
    await page.keyboard.press("ArrowRight");
    await page.getByText(/^#0 “/).first().waitFor();
    await page.keyboard.press("ArrowRight");
    await page.getByText(/^#1 “/).first().waitFor();
    await page.getByRole("button", { name: "Play the tokens" }).click();
    await page.waitForFunction(
      () => Number(document.querySelector("input[type=range]")?.getAttribute("value")) >= 3,
    );
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByLabel("Metric").selectOption("sparsity");
    await page.getByRole("img", { name: "Heatmap of sparsity" }).waitFor();
    for (const chart of ["Power against time", "Energy of each output token", "Energy roofline", "Flow of energy", "Energy by phase"]) {
      await page.getByRole("img", { name: chart }).locator("canvas").first().waitFor();
    }
  });

  it("is compared with another, by what repeated runs say", async () => {
    const first = [];
    for (const max_tokens of [8, 8, 8, 16, 16]) {
      first.push(await profile({ max_tokens }));
    }
    await visit("#/history");
    await page.getByLabel(`Choose run ${first[2].run_id}`).check();
    await page.getByLabel(`Choose run ${first[4].run_id}`).check();
    await page.getByRole("link", { name: "Compare 2 runs" }).click();
    await page.getByText("3 and 2 runs").first().waitFor();
    await page.getByRole("row", { name: /^tokens/ }).getByText("16 out").waitFor();
    await page.getByRole("img", { name: "Decode energy of each component" }).locator("canvas").first().waitFor();
    await page.getByRole("img", { name: "Decode energy of each layer" }).locator("canvas").first().waitFor();
  });
});

describe("trouble", () => {
  it("is told, and ends when the server comes back", async () => {
    troubleExpected = true;
    await visit("#/live");
    await server.stop("SIGKILL");
    await page.getByText("connection lost").waitFor();
    await page.getByRole("link", { name: "History" }).click();
    await page.getByText("The server does not answer.").waitFor();
    await server.start();
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("No runs yet").waitFor();
    await page.getByText("live", { exact: true }).waitFor();
  });

  it("is a run that is not there", async () => {
    troubleExpected = true;
    await visit("#/run/0123456789abcdef");
    await page.getByText("There is no run 0123456789abcdef").waitFor();
  });

  it("is a missing token: the page asks for it, and keeps it", async () => {
    troubleExpected = true;
    await server.stop("SIGKILL");
    await serve("--host", "0.0.0.0", "--token", "s3cret");
    await page.goto(server.url);
    await page.getByText("This server asks for its token").waitFor();
    await page.getByLabel("Token", { exact: true }).fill("wrong");
    await page.keyboard.press("Enter");
    await page.getByText("This server asks for its token").waitFor();
    await page.getByLabel("Token", { exact: true }).fill("s3cret");
    await page.keyboard.press("Enter");
    await page.getByText("live", { exact: true }).waitFor();
    await start("With a token", 5);
    await page.getByRole("link", { name: "Analyse this run" }).waitFor();

    await page.goto(`${server.url}/?token=s3cret#/history`);
    await row("With a token").waitFor();
    expect(page.url()).not.toContain("s3cret");
  });
});

it("is dark or light as the system says, until its user says otherwise", async () => {
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  await page.emulateMedia({ colorScheme: "dark" });
  await visit("#/live");
  expect(await theme()).toBe("dark");
  await page.getByRole("button", { name: "Use the light theme" }).click();
  expect(await theme()).toBe("light");
  await page.reload();
  await page.getByText("live", { exact: true }).waitFor();
  expect(await theme()).toBe("light");
});

it("fits a telephone", async () => {
  const runs = [await profile({ depth: "deep" }), await profile({ max_tokens: 16 })];
  await page.setViewportSize({ width: 390, height: 844 });
  const ids = runs.map((run) => run.run_id);
  for (const hash of ["#/live", `#/run/${ids[0]}`, "#/history", `#/compare/${ids.join(",")}`]) {
    await visit(hash);
    await page.locator("section").first().waitFor();
    await page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
    expect(await page.evaluate(() => document.scrollingElement?.scrollWidth), hash).toBe(390);
  }
});
