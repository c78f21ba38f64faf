// A command that `enprof exec --serve` measures, while it runs.
// @ts-check

import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { expectTrouble, fileIn, page, serveCommand, server, visit } from "./fixture.mjs";

/** Two requests: ten tokens from 30 ms on, and one that begins at 300 ms and does not end. */
function recordPasses() {
  const tokens = (/** @type {number} */ begin, /** @type {number} */ count) =>
    Array.from({ length: count }, (_, step) => ({
      begin_ms: begin + 20 * step,
      end_ms: begin + 20 * step + 18,
      sequences: [step === 0 ? [0, 0, 12, 1] : [0, 11 + step, 1, 1]],
    }));
  const path = fileIn("passes.json");
  writeFileSync(
    path,
    JSON.stringify({
      recorded_passes: 1,
      models: [{ name: "toy", begin_ms: 2, loaded_ms: 20 }],
      contexts: [{ model: 0, positions: 100_000 }],
      passes: [...tokens(30, 10), ...tokens(300, 5000)],
    }),
  );
  return path;
}

const tile = (/** @type {string} */ label) =>
  page.locator(".tile").filter({ hasText: label }).locator(".value");
const bar = (/** @type {number} */ number) =>
  page.getByRole("img", { name: new RegExp(`^Request ${number}: 12 tokens in`) });

describe("a command under way", () => {
  it("has its requests over time, above its power, and says when it has ended", async () => {
    await serveCommand(recordPasses());
    await visit("#/live");
    await bar(1).waitFor();
    await bar(2).waitFor();
    expect(await bar(1).getAttribute("title")).toMatch(/^Request 1: 12 tokens in, 10 out, in /);
    expect(await bar(2).getAttribute("title")).toMatch(/, in flight for /);
    await expect.poll(() => tile("In flight").innerText()).toBe("1");
    await expect.poll(() => tile("Speed").innerText()).toMatch(/tok\/s$/);
    await expect.poll(() => tile("Joules per token").innerText()).toMatch(/J$/);
    await page.getByRole("img", { name: /^Requests in flight over/ }).waitFor();
    await page.getByRole("img", { name: /^Power against time/ }).locator("canvas").first().waitFor();
    expect(await page.getByRole("button", { name: /Start run|Queue run|Cancel/ }).count()).toBe(0);
    expectTrouble();
    await server.endInput();
    await page.getByText("The command has ended, and its server with it.").waitFor();
    expect(await tile("In flight").innerText()).toBe("0");
    expect(await bar(2).getAttribute("title")).not.toMatch(/in flight/);
  });

  it("fits a phone, in the dark, too, and a page that comes late has what is in flight", async () => {
    await serveCommand(recordPasses());
    await page.setViewportSize({ width: 380, height: 800 });
    await page.emulateMedia({ colorScheme: "dark" });
    await expect
      .poll(async () => (await server.ask("/api/health")).running, { timeout: 20_000 })
      .not.toBeNull();
    await visit("#/live");
    await bar(2).waitFor();
    expect(
      await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth),
    ).toBe(0);
    const shown = await bar(2).boundingBox();
    expect((shown?.x ?? 0) + (shown?.width ?? 0)).toBeLessThanOrEqual(380);
  });
});
