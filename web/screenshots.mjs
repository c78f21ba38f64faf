// Takes a picture of every view in Chromium, with the data of simulated runs, so that they are the same
// each time (`make pictures`):
//
//     node screenshots.mjs [DIRECTORY [NAME…]]
//
// It plays scripts against recordings of power on a simulated clock, serves the runs, and writes PNGs to
// DIRECTORY (../docs unless given): all of them, or those whose names hold one of the NAMEs. ENPROF names
// the program (../build/release/bin/enprof), beside which lies enprof_pictures.
// @ts-check

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import UPNG from "upng-js";
import { launch, open } from "./browser/page.mjs";
import { Server, synthesize, workDirectory } from "./browser/server.mjs";
import { FAMILY, MODELS, simulate, typeOf } from "./browser/simulated.mjs";

/** @typedef {import("playwright-core").Page} Page */

const [directory = join(import.meta.dirname, "../docs"), ...names] = process.argv.slice(2);
const target = resolve(directory);
mkdirSync(target, { recursive: true });
const work = workDirectory();

const PROMPT = "How many joules does a thought take?";
const OTHERS = ["Why is the sky blue?", "Write a haiku about entropy.", "What does a watt weigh?"];
let seconds = 0;
/** A while after the last one. */
const later = () => new Date(Date.UTC(2026, 10, 29, 9, 30, (seconds += 47)));
/** @type {(shape: import("./browser/simulated.mjs").Shape, tags: string[]) => import("./browser/simulated.mjs").Order} */
const ordered = (shape, tags) => ({
  shape, prompt: PROMPT, prompt_tokens: 10, output_tokens: 96, experiment: "architecture", tags, started_at: later(),
});
const orders = [];
for (let turn = 0; turn < 4; ++turn) {
  orders.push(ordered(MODELS.llama, ["baseline"]), ordered(MODELS.qwen, ["candidate", "qwen3"]));
}
for (const prompt of OTHERS) {
  orders.push({
    ...ordered(MODELS.llama, ["smoke"]), prompt, prompt_tokens: 8, output_tokens: 32, experiment: "",
    depth: /** @type {const} */ ("minimal"),
  });
}
orders.push({ ...ordered(MODELS.llama, ["baseline", "deep"]), depth: /** @type {const} */ ("deep") });
/** An experiment over sizes, types, a mixture and contexts, as enprof bench would tag it. */
const ROUNDS = 3;
/** @type {(shape: import("./browser/simulated.mjs").Shape, prompt: number) => { shape: typeof shape, prompt: number }} */
const pointOf = (shape, prompt) => ({ shape, prompt });
const points = [
  ...FAMILY.sizes.map((shape) => pointOf(shape, 64)),
  ...[FAMILY.q4, FAMILY.f16, FAMILY.mixture].map((shape) => pointOf(shape, 64)),
  ...[128, 256, 512, 1024].map((prompt) => pointOf(/** @type {import("./browser/simulated.mjs").Shape} */ (FAMILY.sizes[3]), prompt)),
];
const designed = [];
for (const [experiment, day] of /** @type {const} */ ([["nightly-1", 27], ["nightly-2", 28], ["family", 29]])) {
  for (let round = 1; round <= ROUNDS; ++round) {
    for (const [index, { shape, prompt }] of (experiment === "family" ? points : points.slice(0, 2)).entries()) {
      const file = `${shape.name.replaceAll(" ", "-").toLowerCase()}-${typeOf(shape).toLowerCase()}.gguf`;
      designed.push({
        shape, prompt: "(512 tokens that mean nothing)", prompt_tokens: prompt, output_tokens: 24, experiment,
        tags: [`point=${file} p${prompt} n24`, `round=${round}`, "machine=a simulated one", `commit=${day}a${day}b`],
        started_at: new Date(Date.UTC(2026, 10, day, 2, round, 3 * index)),
      });
    }
  }
}
const runs = simulate(work, "profiles.db", orders);
simulate(work, "family.db", designed);
const chosen = [runs[6], runs[7]];
const deep = runs.at(-1);
// One that goes on while its picture is taken: what a watcher hears comes from a file.
simulate(work, "live.db", [
  { ...ordered(MODELS.qwen, ["demo"]), output_tokens: 200, live: "live.json", provisional: 14 },
]);
const live = readFileSync(join(work, "live.json"), "utf8");

const models = join(work, "models"); // for the list in the form
mkdirSync(models);
synthesize(join(models, "qwen3-180m-q8_0.gguf"), {
  arch: "qwen3", layers: 12, embd: 512, ff: 2048, heads: 8, "kv-heads": 4, type: "q8_0",
});
/** @type {(db: string) => Server} */
const serverOf = (db) =>
  new Server({ models, db: join(work, db), cwd: work, options: ["--power", `replay:${db}-0.jsonl`] });

const browser = await launch();
let server = serverOf("profiles.db");
await server.start();

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
  const { context, page, account } = await open(browser, {
    viewport: { width, height }, colorScheme, locale: "en-US", timezoneId: "UTC",
  });
  if (hash === "#/live") {
    await page.routeWebSocket(/ws.profiling/, (socket) => socket.send(live));
  }
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
  writeFileSync(join(target, `${name}.png`), smaller(await page.screenshot({ animations: "disabled" })));
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
  await page.getByLabel("Output tokens").fill("400");
  await page.getByLabel("Tags").fill("demo");
  await page.getByText(`“${PROMPT}”`).waitFor();
  await page.locator(".tokens span").nth(199).waitFor();
  await charts(page);
};
/** @param {Page} page */
const rows = (page) => page.locator("tbody tr").nth(3).waitFor();
/** @param {Page} page */
const chosenRows = async (page) => {
  await rows(page);
  await page.getByLabel(`Choose run ${chosen[0]}`).check();
  await page.getByLabel(`Choose run ${chosen[1]}`).check();
};
/** @param {Page} page */
const charts = (page) => page.locator("canvas").nth(1).waitFor();
/** @param {Page} page */
const operations = async (page) => {
  await charts(page);
  await page.getByText("Costliest operations").waitFor();
};

const analysis = `#/run/${deep}`;
const compare = `#/compare/${chosen.join(",")}`;
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
await server.stop();
server = serverOf("live.db");
await server.start();
for (const colorScheme of /** @type {const} */ (["dark", "light"])) {
  const end = colorScheme === "dark" ? "" : "-light";
  await shoot(`dashboard-live${end}`, "#/live", { colorScheme, height: 1080, before: midRun });
}
await shoot("dashboard-live-narrow", "#/live", { ...narrow, before: midRun });
await server.stop();
server = serverOf("family.db");
await server.start();
for (const colorScheme of /** @type {const} */ (["dark", "light"])) {
  const end = colorScheme === "dark" ? "" : "-light";
  await shoot(`dashboard-experiments${end}`, "#/experiments/family", { colorScheme, height: 1900, before: charts });
}
await shoot("dashboard-experiments-narrow", "#/experiments/family", { ...narrow, before: charts });
await browser.close();
await server.stop();
