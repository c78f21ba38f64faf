// Figures of the page on a run of a million operations, a JSON line each, as tools/bench wants them:
//
//     node first-paint.mjs DATABASE RUN ROUNDS
//
// ENPROF names the program. Each round has a browser profile of its own: nothing is cached.
// @ts-check

import { dirname, join, resolve } from "node:path";
import { launch, open } from "./browser/page.mjs";
import { Server } from "./browser/server.mjs";

const [database = "", run = "", rounds = "7"] = process.argv.slice(2);
const CHARTS = 6; // power, heatmap, tokens, treemap, roofline, flow

/** @param {number[]} values */
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
/** @param {string} name @param {number} value @param {string} unit */
const figure = (name, value, unit) => console.log(JSON.stringify({ name, value, unit }));

const server = new Server({
  models: join(dirname(resolve(database)), "no-models"),
  db: database,
  options: ["--power", "none"],
});
await server.start();
const browser = await launch();
/** @type {{ paint: number, main: number, all: number, answer: number }[]} */
const found = [];
let page_bytes = 0;
let requests = 0;
try {
  for (let round = 0; round < Number(rounds); ++round) {
    const { context, page, account } = await open(browser);
    page_bytes = 0;
    requests = 0;
    page.on("response", (response) => {
      const { pathname } = new URL(response.url());
      if (pathname === "/" || pathname === "/icon.svg" || pathname.startsWith("/assets/")) {
        page_bytes += Number(response.headers()["content-length"] ?? NaN);
        requests += 1;
      }
    });
    await page.goto(`${server.url}/#/run/${run}`);
    await page.waitForFunction(
      (charts) => performance.getEntriesByName("chart", "mark").length >= charts,
      CHARTS,
    );
    found.push(
      await page.evaluate(() => {
        const marks = performance.getEntriesByName("chart", "mark");
        const of = (/** @type {string} */ label) =>
          marks.find((mark) => /** @type {PerformanceMark} */ (mark).detail.startsWith(label))
            ?.startTime ?? NaN;
        const answer = performance
          .getEntriesByType("resource")
          .find((entry) => /\/api\/profiling\/run\/[^/]+$/.test(entry.name));
        return {
          paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN,
          main: of("Power against time"),
          all: Math.max(...marks.map((mark) => mark.startTime)),
          answer: answer?.duration ?? NaN,
        };
      }),
    );
    if (account.complaints.length > 0) {
      throw new Error(account.complaints.join("\n"));
    }
    await context.close();
  }
} finally {
  await browser.close();
  await server.stop();
}
figure("dashboard.first_paint", median(found.map((round) => round.paint)), "ms");
figure("dashboard.main_chart", median(found.map((round) => round.main)), "ms");
figure("dashboard.all_charts", median(found.map((round) => round.all)), "ms");
figure("dashboard.control_answer", median(found.map((round) => round.answer)), "ms");
figure("dashboard.page", page_bytes / 1e6, "MB");
figure("dashboard.page_files", requests, "files");
