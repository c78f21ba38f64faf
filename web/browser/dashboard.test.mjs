// The dashboard as its users have it: a real server, a real model, a real browser.
// @ts-check

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  LONG, browser, calibrate, exactly, expectTrouble, manyTokens, page, profile, row, rows, serve, server, shownTokens,
  start, tab, tokens, visit, whole,
} from "./fixture.mjs";
import { open } from "./page.mjs";

describe("a new user", () => {
  it("finds every view empty, without an error, from nowhere but the server", async () => {
    await visit("");
    await page.getByText("No run yet").waitFor();
    await page.getByRole("link", { name: "History" }).click();
    await page.getByText("No runs yet").waitFor();
    await page.getByRole("link", { name: "Compare" }).click();
    await page.getByText("Choose two to four runs").waitFor();
    await page.getByRole("link", { name: "Experiments" }).click();
    await page.getByText("No experiments yet").waitFor();
    const hosts = new Set(tab.account.requests.map((address) => new URL(address).host));
    expect([...hosts]).toEqual([`127.0.0.1:${server.port}`]);
    expect(tab.account.requests.length).toBeGreaterThan(5);
  });

  it("starts a run, watches its tokens and rails, and goes on to its analysis", async () => {
    await visit("#/live");
    await page.getByLabel("Tags").fill("first, try");
    const length = page.getByLabel("Output tokens");
    await length.clear();
    await length.pressSequentially("12");
    expect(await length.inputValue()).toBe("12"); // and not 112: it may be empty on the way
    await start("How many joules?", 500);
    await manyTokens(20);
    const rails = "Power against time: package-0, dram-0, core-0";
    await page.getByRole("img", { name: rails }).locator("canvas").first().waitFor();
    await page.getByText("completed").first().waitFor();
    expect(await tokens().count()).toBe(500);
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
    const seen = (await shownTokens()).at(-1);
    await page.reload();
    await manyTokens((seen?.index ?? 0) + 1);
    const shown = await shownTokens();
    expect(whole(shown)).toBe(true);
    expect(shown[0]?.index).toBe(Math.max(0, (shown.at(-1)?.index ?? 0) + 1 - 3000));
    expect(shown).toContainEqual(seen);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("cancelled").first().waitFor();
  });

  it("is shown as interrupted when its server was killed, and the next one runs", async () => {
    expectTrouble();
    await visit("#/live");
    await start("Long", LONG);
    await manyTokens(50);
    await page.waitForTimeout(3000); // as much as has been saved by then comes back
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

  it("has Compare in sight while runs are chosen, however long the list is", async () => {
    for (let count = 0; count < 18; ++count) {
      await profile({ prompt: `Number ${count}.`, max_tokens: 1, depth: "minimal" });
    }
    for (const [width, height] of [[1440, 700], [768, 700], [390, 700]]) {
      await page.setViewportSize({ width: width ?? 0, height: height ?? 0 });
      await visit("#/history");
      await exactly(18);
      const choices = page.getByRole("checkbox", { name: /^Choose run/ });
      await choices.nth(0).check();
      await choices.nth(1).check();
      const compare = page.getByRole("link", { name: "Compare 2 runs" });
      const box = await compare.boundingBox();
      expect((box?.y ?? Infinity) + (box?.height ?? 0), `at ${width} px`).toBeLessThanOrEqual(height ?? 0);
      expect(await page.evaluate(() => document.scrollingElement?.scrollHeight ?? 0)).toBeGreaterThan(height ?? 0);
      await compare.click({ trial: true }); // nothing lies over it
      await page.reload();
    }
  });

  it("keeps energy, per token, status and actions in sight at every width", async () => {
    const run = await profile({ prompt: "A prompt of a usual length, as one writes it", tags: ["one", "two"], max_tokens: 300 });
    for (const width of [1440, 1180, 1024, 768, 700, 390]) {
      await page.setViewportSize({ width, height: 900 });
      await visit("#/history");
      await exactly(1);
      const there = [
        page.locator("td[data-label=energy]"),
        page.locator("td[data-label='output token']"),
        page.locator("td[data-label=status]"),
        page.getByRole("button", { name: `Delete run ${run.run_id}` }),
        page.getByRole("link", { name: `Export run ${run.run_id} as CSV tables` }),
      ];
      for (const part of there) {
        const box = await part.boundingBox();
        expect(box?.x ?? -1, `${part} at ${width} px`).toBeGreaterThanOrEqual(0);
        expect((box?.x ?? 0) + (box?.width ?? Infinity), `${part} at ${width} px`).toBeLessThanOrEqual(width);
      }
      const list = await page.locator(".list").evaluate((element) => element.scrollWidth - element.clientWidth);
      expect(list, `at ${width} px`).toBe(0);
    }
  });

  it("takes days as its reader's clock has them", async () => {
    await profile();
    // Where it is another day than in UTC.
    const timezoneId = new Date().getUTCHours() < 11 ? "Pacific/Pago_Pago" : "Pacific/Kiritimati";
    const there = new Date().toLocaleDateString("sv-SE", { timeZone: timezoneId });
    const { context, page: theirs } = await open(browser, { timezoneId });
    await theirs.goto(`${server.url}/#/history`);
    await theirs.getByLabel("from").fill(there);
    await theirs.getByLabel("to", { exact: true }).fill(there);
    await theirs.locator("tbody tr").waitFor();
    await theirs.getByText(`${there} `).waitFor();
    const utc = new Date().toISOString().slice(0, 10);
    await theirs.getByLabel("from").fill(utc);
    await theirs.getByLabel("to", { exact: true }).fill(utc);
    await theirs.getByText("No run matches").waitFor();
    await context.close();
  });

  it("shows a run that ends while it is looked at, and is ordered on a narrow screen too", async () => {
    await visit("#/history");
    await page.getByText("No runs yet").waitFor();
    await profile({ prompt: "Short" });
    await exactly(1);
    await profile({ prompt: "Long", max_tokens: 200 });
    await exactly(2);
    await page.setViewportSize({ width: 360, height: 800 });
    await page.getByLabel("Order").selectOption("least energy first");
    await page.waitForFunction(() => document.querySelector("tbody tr")?.textContent?.includes("Short"));
  });

  it("keeps the tags that are given to a run", async () => {
    const run = await profile();
    await visit("#/history");
    await page.getByRole("button", { name: /^Edit the tags/ }).click();
    await page.getByLabel("Tags, separated by commas").fill("fast, fast , quantized");
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
    const slider = page.getByRole("slider", { name: "Output token" });
    await slider.press("End");
    await page.getByRole("button", { name: "Play the tokens" }).click(); // from the begin again
    await page.waitForFunction(() => {
      const at = Number(document.querySelector("input[type=range]")?.getAttribute("value"));
      return at > 0 && at < 20;
    });
    await page.getByRole("button", { name: "Pause" }).click();
    await slider.press("Home");
    await page.getByRole("region", { name: "Response, token by token" }).focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    expect(await slider.getAttribute("value")).toBe("1");
    await page.getByLabel("Metric").selectOption("sparsity");
    await page.getByRole("img", { name: "Heatmap of sparsity" }).waitFor();
    for (const chart of ["Power against time", "Energy of each output token", "Energy roofline", "Flow of energy", "Energy by phase"]) {
      await page.getByRole("img", { name: chart }).locator("canvas").first().waitFor();
    }
  });

  it("says that its components were calibrated, when and with which sensors", async () => {
    calibrate();
    await serve();
    const run = await profile();
    await visit(`#/run/${run.run_id}`);
    await page
      .getByText(/^\d{4}-\d\d-\d\d .* · with package-0, dram-0 · .* % of the passes' time · power /)
      .waitFor();
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
    await visit(`#/compare/${first[0].run_id},${first[1].run_id}`);
    await page.getByText("the same work, repeated").first().waitFor();
    await visit(`#/compare/${first[2].run_id},${first[4].run_id}`);
    await page.getByRole("row", { name: /^tokens/ }).getByText("16 out").waitFor();
    await page.getByRole("img", { name: "Decode energy of each component" }).locator("canvas").first().waitFor();
    await page.getByRole("img", { name: "Decode energy of each layer" }).locator("canvas").first().waitFor();
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

it("draws the flow of energy so that a telephone shows all of it, with names that can be read", async () => {
  const run = await profile({ depth: "deep" });
  await page.setViewportSize({ width: 390, height: 900 });
  await visit(`#/run/${run.run_id}`);
  const flow = page.getByRole("img", { name: "Flow of energy from the run to its components" });
  await flow.locator("canvas").first().waitFor();
  const box = await flow.boundingBox();
  expect(box?.width).toBeGreaterThan(300);
  expect(box?.width).toBeLessThanOrEqual(390);
  const panel = page.getByRole("region", { name: "Where the joules flowed" });
  expect(await panel.locator(".scroll").evaluate((element) => element.scrollWidth - element.clientWidth)).toBe(0);
  await page.setViewportSize({ width: 1024, height: 900 });
  await page.getByRole("img", { name: "Flow of energy from the run to its operations" }).waitFor();
});

it("fits a telephone", async () => {
  const runs = [await profile({ depth: "deep" }), await profile({ max_tokens: 16 })];
  await page.setViewportSize({ width: 360, height: 780 });
  const ids = runs.map((run) => run.run_id);
  for (const hash of ["#/live", `#/run/${ids[0]}`, "#/history", `#/compare/${ids.join(",")}`]) {
    await visit(hash);
    await page.locator("section").first().waitFor();
    await page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
    expect(await page.evaluate(() => document.scrollingElement?.scrollWidth), hash).toBe(360);
  }
});

describe("an experiment", () => {
  it("is listed, analysed, and leads to its runs, whatever its name is made of", async () => {
    const name = "a/b <i>&?%";
    const runs = [];
    for (const max_tokens of [8, 12]) {
      for (let turn = 0; turn < 2; ++turn) {
        runs.push(await profile({ experiment: name, max_tokens, tags: [`point=n${max_tokens}`] }));
      }
    }
    await visit("#/experiments");
    await page.getByRole("link", { name }).click();
    await page.getByRole("heading", { name, level: 1 }).waitFor();
    await page.getByRole("region", { name: "Pareto" }).waitFor();
    // Whether these runs may be compared depends on what else the machine does; that is told.
    const points = page.getByRole("region", { name: "Points" }).locator("tbody tr");
    expect(await points.count()).toBe(2);
    expect(await page.getByRole("region", { name: "Quantization" }).textContent()).toMatch(/No answer: /);
    await page.setViewportSize({ width: 360, height: 780 });
    expect(await page.evaluate(() => document.scrollingElement?.scrollWidth)).toBe(360);
    await page.setViewportSize({ width: 1280, height: 900 });
    const address = await page.getByRole("link", { name: "Report as a page" }).getAttribute("href");
    const report = await fetch(`${server.url}${address}`);
    expect(report.status).toBe(200);
    expect(await report.text()).toContain("a/b &lt;i&gt;&amp;?%");
    await points.first().locator("summary").click();
    await points.first().getByRole("link").first().click();
    await page.getByRole("heading", { name: "Hello" }).waitFor();
    expect(page.url()).toContain(`#/run/${runs[0].run_id}`);
  });

  it("that is not there is told, with the one that is meant", async () => {
    expectTrouble();
    await profile({ experiment: "weekly" });
    await visit("#/experiments/weekyl");
    await page.getByText("There is no experiment weekyl").waitFor();
    await page.getByText("Did you mean weekly?").waitFor();
  });
});
