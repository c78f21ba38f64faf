// Runs made by somebody who means ill: every text in them tries to be more than text.
// @ts-check

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { exactly, models, page, profile, serve, server, start, visit } from "./fixture.mjs";
import { program, recordPower } from "./server.mjs";

const work = mkdtempSync(join(tmpdir(), "enprof-hostile-"));
afterAll(() => rmSync(work, { recursive: true }));

const ATTACKS = [
  '<form action="http://evil.invalid/" data-evil><input name=a><button>Sign in</button></form>',
  "<img src=x data-evil onerror=window.evil=1>",
  '"><script data-evil>window.evil=1</script>',
  "</script><svg data-evil onload=window.evil=1>",
  "javascript:window.evil=1//",
  "{a|{b}} {value|{c}} ${window.evil=1} {{evil}} %s %n",
  "\u202egnp.exe\u2066 \u0000\u001b]0;evil\u0007\r\n",
  "👩‍👩‍👧‍👦🏴‍☠️ שלום مرحبا",
  "&lt;b data-evil&gt;&quot;&#x27;' onmouseover='window.evil=1",
  "__proto__", // of no length worth speaking of, and a name that objects have
  "constructor", // another
  `${"long".repeat(600)}<b data-evil>`,
];
/** What enprof chooses among itself: another word there is refused. */
const FIXED = new Set([
  "run_id", "status", "started_at", "depth", "phase", "method", "kind", "scope", "quantity", "finish_reason", "events",
  "verdict", "level",
]);

/**
 * The same document with an attack in each of its texts; what was called alike is so afterwards.
 * @param {unknown} value @param {string} [key] @returns {unknown}
 */
function attacked(value, key = "") {
  if (Array.isArray(value)) {
    return value.map((entry) => attacked(entry, key));
  }
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, attacked(entry, name)]));
  }
  if (typeof value !== "string" || FIXED.has(key)) {
    return value;
  }
  const place = [...value].reduce((sum, letter) => sum + (letter.codePointAt(0) ?? 0), 0);
  const attack = ATTACKS[value === "package-0" ? 0 : place % ATTACKS.length];
  return attack === "__proto__" || attack === "constructor" ? attack : `${attack} ${value}`;
}

/** Watches for what no text may bring about: elements, scripts, addresses that are code. */
const guard = () =>
  page.addInitScript(() => {
    const found = new Set();
    const look = (/** @type {Node} */ node) => {
      if (node instanceof Element) {
        for (const element of [node, ...node.querySelectorAll("*")]) {
          if (
            element.matches("[data-evil], iframe, object, embed, svg, base, meta[http-equiv], form[action], [src='x']") ||
            (element.tagName === "SCRIPT" && !element.getAttribute("src")?.startsWith("/assets/")) ||
            [...element.attributes].some(({ name, value }) => name.startsWith("on") || /^\s*javascript:/i.test(value) && /^(href|src|action|formaction)$/.test(name))
          ) {
            found.add(element.outerHTML.slice(0, 200));
          }
        }
      }
    };
    new MutationObserver((records) =>
      records.forEach((record) => {
        record.addedNodes.forEach(look);
        if (record.type === "attributes") {
          look(record.target);
        }
      }),
    ).observe(document, { subtree: true, childList: true, attributes: true });
    Object.assign(window, { foundEvil: found });
  });

/** @returns {Promise<string[]>} */
const found = () =>
  page.evaluate(() => {
    // @ts-expect-error: of the guard, and of the attacks
    const { foundEvil, evil } = window;
    return [...foundEvil, ...(evil === undefined ? [] : ["a script ran"])];
  });

/** Points at all that a chart may tell of; the tooltips' texts. */
async function pointEverywhere() {
  await page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
  const said = new Set();
  for (const chart of await page.locator(".chart").all()) {
    await chart.scrollIntoViewIfNeeded();
    const box = await chart.boundingBox();
    if (!box) {
      continue;
    }
    for (let row = 1; row <= 4; ++row) {
      for (let column = 1; column <= 7; ++column) {
        await page.mouse.move(box.x + (box.width * column) / 8, box.y + (box.height * row) / 5);
      }
      for (const text of await chart.locator(".tip").allInnerTexts()) {
        said.add(text);
      }
    }
  }
  return [...said].join("\n");
}

const fitsItsWindow = async () =>
  expect(await page.evaluate(() => (document.scrollingElement?.scrollWidth ?? Infinity) - innerWidth)).toBeLessThanOrEqual(0);

const POINTING_MS = 240_000; // hundreds of places, on a machine that may be busy

describe("a hostile run", { timeout: POINTING_MS }, () => {
  /** @type {string[]} */
  let ids;
  beforeEach(async () => {
    const run = await profile({ depth: "deep", max_tokens: 24, tags: ["a", "bc"], experiment: "x" });
    const document = await server.ask(`/api/profiling/export/${run.run_id}?format=json`);
    document.warnings = Array.from({ length: ATTACKS.length }, (_, place) => ({
      component: "store", code: String.fromCharCode(97 + place), message: `message ${String.fromCharCode(97 + place)}`,
      hint: `hint ${String.fromCharCode(97 + place)}`,
    }));
    document.tags = Array.from({ length: ATTACKS.length }, (_, place) => String.fromCharCode(97 + place));
    ids = ["0123456789abcdef", "fedcba9876543210"];
    const db = join(work, `${ids.join()}-${Math.random()}.db`);
    for (const run_id of ids) {
      const file = join(work, `${run_id}.json`);
      writeFileSync(file, JSON.stringify({ .../** @type {object} */ (attacked(document)), run_id }));
      execFileSync(program(), ["import", file, "--db", db], { stdio: "pipe" });
    }
    await serve({ db });
    await guard();
  });

  it("is only text in its analysis, in all that its charts tell, and on a telephone", async () => {
    await visit(`#/run/${ids[0]}`);
    await page.getByText("Costliest operations").waitFor();
    const said = await pointEverywhere();
    expect(said).toContain("<form action=");
    expect(said).toContain("W");
    await page.getByLabel("Operations of").selectOption({ index: 2 });
    await page.getByText(/^Operations of .*/).waitFor();
    await page.getByRole("slider", { name: "Output token" }).focus();
    for (let turn = 0; turn < 6; ++turn) {
      await page.keyboard.press("ArrowRight");
    }
    await page.getByRole("region", { name: "Response, token by token" }).hover();
    await fitsItsWindow();
    await page.setViewportSize({ width: 390, height: 1200 });
    await pointEverywhere();
    await fitsItsWindow();
    expect(await found()).toEqual([]);
  });

  it("is only text in the history and beside another run", async () => {
    await visit("#/history");
    await exactly(2);
    await page.getByLabel("Only tag").selectOption({ index: 3 });
    await exactly(2);
    await page.getByRole("button", { name: /^Edit the tags/ }).first().click();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: /^Delete run/ }).first().click();
    await page.keyboard.press("Escape");
    await fitsItsWindow();
    await page.setViewportSize({ width: 768, height: 900 });
    await fitsItsWindow();
    await page.setViewportSize({ width: 1440, height: 1000 });
    await visit(`#/compare/${ids.join(",")}`);
    await page.getByRole("img", { name: /^Decode energy of each component/ }).waitFor();
    await pointEverywhere();
    await fitsItsWindow();
    expect(await found()).toEqual([]);
  });
});

describe("a hostile machine", { timeout: POINTING_MS }, () => {
  it("is only text while a run goes on: rails, models, prompts, tags", async () => {
    const recording = join(work, "power.jsonl");
    const rails = Object.fromEntries(ATTACKS.slice(0, 6).map((attack, place) => [`${attack}${place}`, 10 + place]));
    recordPower(recording, { rails, seconds: 120 });
    const hostile = "<img src=x data-evil onerror=window.evil=1>.gguf";
    copyFileSync(join(models, "small.gguf"), join(models, hostile));
    try {
      await serve({ power: `replay:${recording}` });
      await guard();
      await visit("#/live");
      await page.getByLabel("Model").selectOption(hostile);
      await page.getByLabel("Tags").fill(`${ATTACKS[1]}, ${ATTACKS[5]}`);
      await page.getByLabel("Experiment").fill(ATTACKS[0] ?? "");
      await start(ATTACKS.slice(0, 6).join(" "), 4000);
      await page.getByRole("img", { name: /^Power against time/ }).locator("canvas").first().waitFor();
      await page.getByRole("img", { name: "Heatmap of decode energy" }).locator("canvas").first().waitFor();
      const said = await pointEverywhere();
      expect(said).toContain("<form action=");
      await page.getByRole("button", { name: "Cancel", exact: true }).click();
      await page.getByRole("link", { name: "Analyse this run" }).waitFor();
      await fitsItsWindow();
      expect(await found()).toEqual([]);
    } finally {
      rmSync(join(models, hostile));
    }
  });
});
