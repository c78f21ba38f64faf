// Takes a picture of every view in Chromium, with the data of real runs:
//
//     node screenshots.mjs [DIRECTORY [NAME…]]
//
// It makes two models, profiles prompts under a recording of power, and writes PNGs to DIRECTORY
// (../docs unless given): all of them, or those whose names hold one of the NAMEs. ENPROF names the
// program (../build/release/bin/enprof). Run it on a machine that does nothing else.
// @ts-check

import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import UPNG from "upng-js";
import { launch, open } from "./browser/page.mjs";
import { Server, recordPower, synthesize, workDirectory } from "./browser/server.mjs";

/** @typedef {import("playwright-core").Page} Page */

const [directory = join(import.meta.dirname, "../docs"), ...names] = process.argv.slice(2);
const target = resolve(directory);
mkdirSync(target, { recursive: true });
const work = workDirectory();
const models = join(work, "models");
mkdirSync(models, { recursive: true });
const SMALL = "llama-64m-q8_0.gguf";
const LARGE = "qwen3-180m-q8_0.gguf";
synthesize(join(models, SMALL), {
  layers: 8, embd: 512, ff: 2048, heads: 8, "kv-heads": 4, type: "q8_0",
});
synthesize(join(models, LARGE), {
  arch: "qwen3", layers: 12, embd: 512, ff: 2048, heads: 8, "kv-heads": 4, type: "q8_0",
});
const BASELINE_S = 1;
recordPower(join(work, "power.jsonl"), {
  seconds: 1200,
  rails: { "package-0": 46, "core-0": 31, "dram-0": 7 },
  idle_s: 1.2 * BASELINE_S,
});
const server = new Server({
  models,
  db: join(work, "profiles.db"),
  cwd: work,
  options: ["--power", "replay:power.jsonl", "--baseline-s", String(BASELINE_S), "--threads", "1"],
});
await server.start();

const PROMPT = "How many joules does a thought take?";
const OTHERS = ["Why is the sky blue?", "Write a haiku about entropy.", "What does a watt weigh?"];
/** @param {Record<string, unknown>} order */
const profile = (order) =>
  server.profile({ prompt: PROMPT, depth: "module", max_tokens: 48, experiment: "architecture", ...order });
/** @type {{ run_id: string }[]} */
const llama = [];
/** @type {{ run_id: string }[]} */
const qwen = [];
for (let turn = 0; turn < 4; ++turn) {
  llama.push(await profile({ model: SMALL, tags: ["baseline"] }));
  qwen.push(await profile({ model: LARGE, tags: ["candidate", "qwen3"] }));
}
for (const prompt of OTHERS) {
  await profile({ model: SMALL, prompt, max_tokens: 32, depth: "minimal", experiment: "", tags: ["smoke"] });
}
const deep = await profile({ model: SMALL, depth: "deep", max_tokens: 96, tags: ["baseline", "deep"] });

if (deep.totals.dynamic_energy_mj === null) {
  throw new Error("The server found no idle baseline: this machine has other work. Try again when it has none");
}

const browser = await launch();

/**
 * With 256 colours, which nobody misses, a picture takes a third of the bytes.
 * @param {Buffer} png
 */
function smaller(png) {
  const image = UPNG.decode(png);
  const [frame] = UPNG.toRGBA8(image);
  return Buffer.from(UPNG.encode([frame], image.width, image.height, 256));
}

/**
 * @param {string} name
 * @param {string} hash
 * @param {{ colorScheme?: "light" | "dark", width?: number, height?: number, from?: string,
 *           before?: (page: Page) => Promise<unknown> }} how from: the part of the page to begin at
 */
async function shoot(name, hash, { colorScheme = "dark", width = 1440, height = 1000, from, before } = {}) {
  if (names.length > 0 && !names.some((part) => name.includes(part))) {
    return;
  }
  const { context, page, account } = await open(browser, { viewport: { width, height }, colorScheme });
  await page.goto(`${server.url}/${hash}`);
  await page.getByText("live", { exact: true }).waitFor();
  await before?.(page);
  if (from) {
    await page.locator(from).evaluate((element) => element.scrollIntoView());
    await page.mouse.move(0, 0);
  }
  await page.waitForFunction(
    () => document.fonts.status === "loaded" && !document.querySelector("[aria-busy=true]"),
  );
  await page.evaluate(
    () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
  );
  writeFileSync(join(target, `${name}.png`), smaller(await page.screenshot()));
  for (const complaint of account.complaints) {
    console.error(`${name}: ${complaint}`);
    process.exitCode = 1;
  }
  await context.close();
  console.log(join(target, `${name}.png`));
}

/** @param {Page} page */
const midRun = async (page) => {
  await page.getByLabel("Prompt").fill(PROMPT);
  await page.getByLabel("Output tokens").fill("4000");
  await page.getByLabel("Tags").fill("demo");
  await page.getByRole("button", { name: "Start run" }).click();
  // Once some hundreds have settled, as they do every few seconds.
  await page.waitForFunction(
    () => document.querySelectorAll(".tokens span:not(.provisional)").length > 500,
    null,
    { timeout: 120_000 },
  );
};
/** @param {Page} page */
const rows = (page) => page.locator("tbody tr").nth(3).waitFor();
/** @param {Page} page */
const chosenRows = async (page) => {
  await rows(page);
  await page.getByLabel(`Choose run ${llama[3]?.run_id}`).check();
  await page.getByLabel(`Choose run ${qwen[3]?.run_id}`).check();
};
/** @param {Page} page */
const charts = (page) => page.locator("canvas").nth(1).waitFor();
/** @param {Page} page */
const operations = async (page) => {
  await charts(page);
  await page.getByText("Costliest operations").waitFor();
};

const analysis = `#/run/${deep.run_id}`;
const compare = `#/compare/${llama[3]?.run_id},${qwen[3]?.run_id}`;
const narrow = { width: 390, height: 1500 };
for (const colorScheme of /** @type {const} */ (["dark", "light"])) {
  const end = colorScheme === "dark" ? "" : "-light";
  await shoot(`dashboard-analysis${end}`, analysis, { colorScheme, height: 1300, before: operations });
  await shoot(`dashboard-analysis-flows${end}`, analysis, {
    colorScheme, height: 1210, before: operations, from: "section[aria-label^=Joules]",
  });
  await shoot(`dashboard-history${end}`, "#/history", { colorScheme, before: chosenRows });
  await shoot(`dashboard-compare${end}`, compare, { colorScheme, height: 1250, before: charts });
}
await shoot("dashboard-analysis-narrow", analysis, { ...narrow, before: operations });
await shoot("dashboard-history-narrow", "#/history", { ...narrow, before: rows });
await shoot("dashboard-compare-narrow", compare, { ...narrow, before: charts });
for (const colorScheme of /** @type {const} */ (["dark", "light"])) {
  const end = colorScheme === "dark" ? "" : "-light";
  await shoot(`dashboard-live${end}`, "#/live", {
    colorScheme,
    height: 1080,
    before: midRun,
  });
  await server.stop("SIGKILL"); // the run goes with it
  await server.start();
}
await shoot("dashboard-live-narrow", "#/live", { ...narrow, before: midRun });
await browser.close();
await server.stop("SIGKILL");
