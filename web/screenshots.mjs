// Takes a picture of every view in Chromium, with the data of real runs:
//
//     node screenshots.mjs [DIRECTORY]
//
// It makes a model, profiles a handful of prompts under a recording of power, and writes PNGs to
// DIRECTORY (../docs unless given).
// @ts-check

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { launch, open } from "./browser/page.mjs";
import { Server, recordPower, synthesize, workDirectory } from "./browser/server.mjs";

const only = process.env.ONLY?.split(",");
const target = resolve(process.argv[2] ?? join(import.meta.dirname, "../docs"));
mkdirSync(target, { recursive: true });
const work = workDirectory();
const models = join(work, "models");
mkdirSync(models, { recursive: true });
synthesize(join(models, "llama-64m-q8_0.gguf"), { layers: 8, embd: 512, ff: 2048, heads: 8, "kv-heads": 4, type: "q8_0" });
synthesize(join(models, "qwen3-110m-q8_0.gguf"), { arch: "qwen3", layers: 12, embd: 640, ff: 2560, heads: 10, "kv-heads": 5, type: "q8_0" });
const power = join(work, "power.jsonl");
recordPower(power, { seconds: 1200, rails: { "package-0": 46, "core-0": 31, "dram-0": 7 } });
const server = new Server({
  models,
  db: join(work, "profiles.db"),
  options: ["--power", `replay:${power}`, "--baseline-s", "1"],
});
await server.start();

const PROMPTS = ["Why is the sky blue?", "How many joules does a thought take?", "Write a haiku about entropy.", "Explain the second law of thermodynamics to a ten-year-old."];
/** @type {{ run_id: string }[]} */
const runs = [];
for (let turn = 0; turn < 7; ++turn) {
  runs.push(
    await server.profile({
      model: turn % 2 === 0 ? "llama-64m-q8_0.gguf" : "qwen3-110m-q8_0.gguf",
      prompt: turn < 6 ? PROMPTS[1] : PROMPTS[turn % PROMPTS.length],
      depth: turn < 4 ? "module" : "deep",
      max_tokens: turn < 6 ? 64 : 96,
      tags: turn % 2 === 0 ? ["baseline"] : ["qwen3", "candidate"],
      experiment: "architecture",
    }),
  );
}
const last = runs.at(-1);
const browser = await launch();

/**
 * @param {string} name
 * @param {string} hash
 * @param {{ colorScheme?: "light" | "dark", width?: number, height?: number, whole?: boolean,
 *           before?: (page: import("playwright-core").Page) => Promise<unknown> }} how
 */
async function shoot(name, hash, { colorScheme = "dark", width = 1440, height = 1000, whole = true, before } = {}) {
  if (only && !only.some((part) => name.includes(part))) {
    return;
  }
  const { context, page, account } = await open(browser, { viewport: { width, height }, colorScheme });
  await page.goto(`${server.url}/${hash}`);
  await page.waitForFunction(() => document.fonts.status === "loaded");
  await before?.(page);
  await page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
  await page.screenshot({ path: join(target, `${name}.png`), fullPage: whole });
  for (const complaint of account.complaints) {
    console.error(`${name}: ${complaint}`);
  }
  await context.close();
  console.log(join(target, `${name}.png`));
}

/** @param {import("playwright-core").Page} page */
const midRun = async (page) => {
  await page.getByLabel("Prompt").fill("How many joules does a thought take?");
  await page.getByLabel("Output tokens").fill("700");
  await page.getByRole("button", { name: "Start run" }).click();
  await page.waitForFunction(() => document.querySelectorAll(".tokens span").length > 260, null, { timeout: 60_000 });
};
await shoot("dashboard-live", "#/live", { before: midRun });
for (const colorScheme of /** @type {("dark" | "light")[]} */ (["dark", "light"])) {
  const suffix = colorScheme === "dark" ? "" : "-light";
  const charts = async (/** @type {import("playwright-core").Page} */ page) =>
    page.locator("canvas").first().waitFor();
  await shoot(`dashboard-analysis${suffix}`, `#/run/${last?.run_id}`, { colorScheme, before: charts });
  await shoot(`dashboard-history${suffix}`, "#/history", {
    colorScheme,
    before: (page) => page.locator("tbody tr").first().waitFor(),
  });
  await shoot(`dashboard-compare${suffix}`, `#/compare/${runs[4]?.run_id},${runs[5]?.run_id}`, { colorScheme, before: charts });
}
await browser.close();
await server.stop();
