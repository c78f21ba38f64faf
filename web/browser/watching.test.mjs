// A run under way, as somebody has it who looks closely, comes late, or stays long.
// @ts-check

import { describe, expect, it } from "vitest";
import { LONG, cancel, manyTokens, page, server, start, tokens, visit } from "./fixture.mjs";

/**
 * Looks at every picture of the browser until the page has shown so many others of the run; the
 * number of those in which `there` was not.
 * @param {string} there a selector
 * @param {number} changes
 */
const missingFrom = (there, changes) =>
  page.evaluate(
    ([selector, count]) =>
      new Promise((done) => {
        const figure = () => [...document.querySelectorAll(".tile .value")].at(-1)?.textContent;
        let last = figure();
        let left = Number(count);
        let missing = 0;
        const look = () => {
          const element = document.querySelector(String(selector));
          const style = element && getComputedStyle(element);
          missing += !style || style.visibility === "hidden" || !element.getClientRects().length ? 1 : 0;
          if (figure() !== last) {
            last = figure();
            left -= 1;
          }
          if (left <= 0) {
            done(missing);
          } else {
            requestAnimationFrame(look);
          }
        };
        look();
      }),
    /** @type {[string, number]} */ ([there, changes]),
  );

describe("a run under way", () => {
  it("keeps the tooltips of its charts while its figures change", async () => {
    await visit("#/live");
    await start("Long", LONG);
    for (const name of [/^Power against time/, /^Heatmap of decode energy/]) {
      const chart = page.getByRole("img", { name });
      await chart.locator("canvas").first().waitFor();
      await chart.evaluate((element) => element.setAttribute("data-pointed", ""));
      const box = await chart.boundingBox();
      await page.mouse.move((box?.x ?? 0) + 100, (box?.y ?? 0) + 60);
      await page.mouse.move((box?.x ?? 0) + 110, (box?.y ?? 0) + 62);
      await page.locator("[data-pointed] .tip").waitFor();
      expect(await missingFrom("[data-pointed] .tip", 25), String(name)).toBe(0);
      await chart.evaluate((element) => element.removeAttribute("data-pointed"));
    }
  });

  it("keeps a rail switched off while its figures change", async () => {
    await page.emulateMedia({ colorScheme: "dark" });
    await visit("#/live");
    await start("Long", LONG);
    await manyTokens(30);
    const chart = page.getByRole("img", { name: /^Power against time/ });
    await chart.locator("canvas").first().waitFor();
    const colours = () =>
      chart.locator("canvas").first().evaluate((canvas) => {
        const { width, height } = /** @type {HTMLCanvasElement} */ (canvas);
        const context = /** @type {HTMLCanvasElement} */ (canvas).getContext("2d");
        const { data } = context?.getImageData(0, 60, width, height - 100) ?? { data: new Uint8ClampedArray() };
        let accent = 0; // pixels of the first rail
        for (let at = 0; at < data.length; at += 4) {
          accent += (data[at] ?? 0) > 240 && Math.abs((data[at + 1] ?? 0) - 176) < 8 && (data[at + 2] ?? 0) < 60 ? 1 : 0;
        }
        return accent;
      });
    await expect.poll(colours, { timeout: 10_000 }).toBeGreaterThan(50);
    await chart.click({ position: { x: 30, y: 10 } }); // its name in the legend
    await expect.poll(colours).toBe(0);
    await page.mouse.move(5, 5);
    await missingFrom("body", 15);
    expect(await colours()).toBe(0);
  });

  it("holds a token still that is pointed at, and goes on following when it is left", async () => {
    await visit("#/live");
    await start("Long", LONG);
    await manyTokens(400);
    const box = page.getByRole("region", { name: "Response, token by token" });
    await box.hover({ position: { x: 60, y: 200 } });
    await page.mouse.move(0, 0);
    await expect
      .poll(() => box.evaluate((element) => element.scrollTop + element.clientHeight >= element.scrollHeight - 2))
      .toBe(true);
    await box.hover({ position: { x: 60, y: 150 } });
    const details = page.locator(".token-details b").first();
    await page.mouse.move(((await box.boundingBox())?.x ?? 0) + 70, ((await box.boundingBox())?.y ?? 0) + 120);
    await expect.poll(() => details.count()).toBe(1);
    const pointed = await details.innerText();
    const before = Number(await tokens().last().getAttribute("data-index"));
    await manyTokens(before + 300);
    expect(await details.innerText()).toBe(pointed);
    await page.mouse.move(0, 0);
    await expect
      .poll(() => box.evaluate((element) => element.scrollTop + element.clientHeight >= element.scrollHeight - 60))
      .toBe(true);
  });

  it("says from when on it has power, where its page came late", async () => {
    const { run_id } = await server.ask("/api/profiling/generate", {
      model: "small.gguf", prompt: "Late", max_tokens: LONG, depth: "module",
    });
    // As from a server that has forgotten the begin.
    await page.routeWebSocket(/ws.profiling/, (socket) => {
      const upstream = socket.connectToServer();
      let told = false;
      upstream.onMessage((message) => {
        const events = JSON.parse(String(message));
        const late = events.filter((/** @type {{ t_ms: number }} */ event) => event.t_ms > 700);
        if (late.length > 0) {
          const gap = { seq: late[0].seq - 1, run_id: "", type: "gap", t_ms: 0, data: { missed: late[0].seq - 1 } };
          socket.send(JSON.stringify(told ? late : [gap, ...late]));
          told = true;
        }
      });
    });
    await visit("#/live");
    await page.getByText(/^Power is shown from .* on, when this page came to the run/).waitFor();
    await cancel(run_id);
  });

  it("takes 65,000 events after a reload, shows the latest tokens and says how many there are", async () => {
    const count = 65_000;
    await page.routeWebSocket(/ws.profiling/, (socket) => {
      let seq = 0;
      const event = (/** @type {string} */ type, /** @type {number} */ t_ms, /** @type {object} */ data) => ({
        seq: ++seq, run_id: "0123456789abcdef", type, t_ms, data,
      });
      socket.send(JSON.stringify([event("run_started", 0, {})]));
      for (let index = 0; index < count; index += 500) {
        const rails = [{ name: "package-0", power_mw: 40_000 + index / 10 }];
        socket.send(
          JSON.stringify([
            event("power_sample", index / 5 + 100, { power_mw: 40_000, energy_mj: index, rails }),
            ...Array.from({ length: 500 }, (_, place) =>
              event("token_complete", (index + place) / 5, {
                index: index + place, text: `t${index + place} `, phase: "decode", duration_ms: 0.2, energy_mj: 8,
              }),
            ),
          ]),
        );
      }
    });
    await visit("#/live");
    await manyTokens(count);
    await page.getByText("the last 3,000 of 65,000").waitFor();
    expect(await tokens().count()).toBe(3000);
    await page.locator(".tile").filter({ hasText: "Joules per token" }).getByText("8.000 mJ").waitFor();
    await page.getByRole("img", { name: "Power against time: package-0" }).locator("canvas").first().waitFor();
  });
});

it("draws two characters as two: a token's text is no ligature", async () => {
  await visit("#/live");
  await start("Short", 5);
  await tokens().first().waitFor();
  const drawn = (/** @type {string} */ selector) =>
    page.locator(selector).first().evaluate((element) => {
      const style = getComputedStyle(element);
      return [style.fontVariantLigatures, style.fontFeatureSettings];
    });
  for (const selector of [".tokens [data-index]", "textarea", "main", ".token-details"]) {
    expect(await drawn(selector), selector).toEqual(["none", "normal"]);
  }
});
