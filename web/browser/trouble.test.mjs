// What the dashboard says, and still does, where something is missing or breaks.
// @ts-check

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  LONG, cancel, exactly, expectTrouble, manyTokens, models, page, profile, row, serve, server, shownTokens, start,
  tokenCount, visit, whole,
} from "./fixture.mjs";

const root = process.platform === "linux" && process.getuid?.() === 0;

describe("trouble", () => {
  it("is told, and ends when the server comes back", async () => {
    expectTrouble();
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
    expectTrouble();
    await visit("#/run/0123456789abcdef");
    await page.getByText("There is no run 0123456789abcdef").waitFor();
  });

  it("is a missing token: the page asks for it, and keeps it", async () => {
    expectTrouble();
    await serve({ options: ["--host", "0.0.0.0", "--token", "s3cret"] });
    await page.goto(server.url);
    await page.getByText("This server asks for its token").waitFor();
    // The last one could not even be sent.
    for (const wrong of ["wrong", "s3cret2", "s3crét€"]) {
      await page.getByLabel("Token", { exact: true }).fill(wrong);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "This token is not the server's" }).waitFor();
      await page.getByRole("alert").waitFor();
      expect(await page.getByText("connection lost").count()).toBe(0);
    }
    await page.getByLabel("Token", { exact: true }).fill("s3cret");
    await page.keyboard.press("Enter");
    await page.getByText("live", { exact: true }).waitFor();
    await start("With a token", 5);
    await page.getByRole("link", { name: "Analyse this run" }).waitFor();

    await page.goto(`${server.url}/?token=another#/history`);
    await page.getByRole("heading", { name: "This token is not the server's" }).waitFor();
    await page.goto(`${server.url}/?token=s3cret#/history`);
    await row("With a token").waitFor();
    expect(page.url()).not.toContain("s3cret");
  });

  it("is a server that was started anew with another token: the page asks for that one", async () => {
    expectTrouble();
    await serve({ options: ["--host", "0.0.0.0", "--token", "s3cret"] });
    await page.goto(`${server.url}/?token=s3cret#/live`);
    await page.getByText("live", { exact: true }).waitFor();
    await server.stop("SIGKILL");
    await page.getByText("connection lost").waitFor();
    server.arguments = server.arguments.map((argument) => (argument === "s3cret" ? "new" : argument));
    await server.start();
    await page.getByRole("heading", { name: "This token is not the server's" }).waitFor();
    await page.getByLabel("Token", { exact: true }).fill("new");
    await page.keyboard.press("Enter");
    await page.getByText("live", { exact: true }).waitFor();
  });

  it("is a server that refuses the page for another reason: it says which", async () => {
    expectTrouble();
    await page.route("**/api/profiling/runs?*", (route) =>
      route.fulfill({
        status: 403,
        contentType: "application/problem+json",
        body: '{"code": "permission_denied", "message": "The Host header \'x\' does not name this server", "hint": "Use its own address."}',
      }),
    );
    await page.goto(server.url);
    await page.getByRole("heading", { name: "This server does not let this page in" }).waitFor();
    await page.getByText("The Host header 'x' does not name this server").waitFor();
    await page.getByText("Use its own address.").waitFor();
  });

  it("is a connection that is cut in mid-run: nothing of it is missing", async () => {
    expectTrouble();
    /** @type {import("playwright-core").WebSocketRoute[]} */
    const sockets = [];
    await page.routeWebSocket(/ws.profiling/, (socket) => {
      socket.connectToServer();
      sockets.push(socket);
    });
    await visit("#/live");
    await start("Cut", LONG);
    await manyTokens(100);
    await sockets[0]?.close();
    await page.getByText("connection lost").waitFor();
    await page.getByText("live", { exact: true }).waitFor();
    await manyTokens((await tokenCount()) + 100);
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    await page.getByRole("link", { name: "Analyse this run" }).waitFor();
    expect(sockets.length).toBe(2);
    expect(whole(await shownTokens())).toBe(true);
    expect(await page.getByText("missed events").count()).toBe(0);
  });

  it("is a server that is asked too often: it says so, and answers later", async () => {
    expectTrouble(/status of 429/);
    await visit("#/live");
    await page.route("**/api/profiling/runs?*", (route) =>
      route.fulfill({
        status: 429,
        headers: { "Retry-After": "1" },
        contentType: "application/problem+json",
        body: '{"code": "busy", "message": "More than 100 requests a second", "hint": "Wait as long as Retry-After says."}',
      }),
    );
    await page.getByRole("link", { name: "History" }).click();
    await page.getByText("More than 100 requests a second").waitFor();
    await page.getByText("Wait as long as Retry-After says.").waitFor();
    await page.unrouteAll();
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("No runs yet").waitFor();
  });

  it("is a run that cannot be drawn: it says so, and the other views go on", async () => {
    expectTrouble(/TypeError|script: /);
    const run = await profile();
    await page.route(`**/api/profiling/run/${run.run_id}`, (route) =>
      route.fulfill({ json: { ...run, phases: null } }),
    );
    await visit(`#/run/${run.run_id}`);
    await page.getByText("This view cannot be drawn").waitFor();
    await page.getByRole("link", { name: "History" }).click();
    await row("Hello").waitFor();
  });

  it("is charts that did not come: the rest is there", async () => {
    expectTrouble();
    const run = await profile();
    await page.route("**/assets/echarts-*.js", (route) => route.abort("connectionreset"));
    await visit(`#/run/${run.run_id}`);
    await page.getByText("The charts could not be loaded").first().waitFor();
    await page.getByRole("row", { name: /^decode/ }).waitFor();
  });

  it("is a model that cannot be loaded: the run says why, and the next one runs", async () => {
    const broken = join(models, "zz-broken.gguf");
    writeFileSync(broken, "this is no model");
    try {
      await visit("#/live");
      await page.getByLabel("Model").selectOption("zz-broken.gguf");
      await start("In vain", 5);
      await page.getByRole("alert").getByText(/is not a GGUF file/).waitFor();
      // Loading is where it ended: no later step looks as if it had been done.
      const steps = page.getByLabel("Phase of the run").getByRole("listitem");
      expect(await steps.evaluateAll((all) => all.map((step) => step.className))).toEqual(["bad", "", "", "bad"]);
      await page.getByLabel("Model").selectOption("small.gguf");
      await start("After it", 5);
      await page.getByRole("link", { name: "Analyse this run" }).waitFor();
    } finally {
      rmSync(broken);
    }
  });

  it.skipIf(!root)("is a full disk: the run goes on and says what is not saved", async () => {
    const disk = mkdtempSync(join(tmpdir(), "enprof-disk-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=128m", "none", disk]);
    try {
      await serve({ db: join(disk, "profiles.db") });
      await visit("#/live");
      await start("Full", LONG);
      await manyTokens(5);
      expect(() => writeFileSync(join(disk, "filler"), Buffer.alloc(160 << 20))).toThrow("ENOSPC");
      await page.getByText(/warnings?, see below/).waitFor(); // a busy machine may have another
      await page.getByLabel("Warnings").getByText(/is full/).waitFor();
      await page.getByText(/store failing/).waitFor();
      await manyTokens((await tokenCount()) + 20);
      rmSync(join(disk, "filler"));
      await page.getByRole("button", { name: "Cancel" }).click();
      await page.getByRole("link", { name: "Analyse this run" }).click();
      await page.getByRole("heading", { name: "Full" }).waitFor();
      await page.getByText("cancelled", { exact: true }).waitFor();
    } finally {
      expectTrouble(); // the page is still there, and tries again
      await server.stop("SIGKILL");
      execFileSync("umount", ["-l", disk]);
      rmSync(disk, { recursive: true });
    }
  });
});

describe("a machine without a sensor", () => {
  it("has times, and no energy that would look like none", async () => {
    await serve({ power: "none" });
    const run = await profile({ depth: "deep", max_tokens: 12 });
    await visit(`#/run/${run.run_id}`);
    await page.getByText("not measured").first().waitFor();
    await page.getByText("No power was measured").waitFor();
    await page.getByRole("row", { name: /^decode/ }).waitFor();
    // Tokens, areas, flows; the heatmap. The verdict says it in a sentence.
    expect(await page.getByText("No energy was measured", { exact: true }).count()).toBe(4);
    await page.getByText("not comparable: no energy was measured").waitFor();
    await page.getByText("No operation has known work and energy").waitFor();
    await page.getByLabel("Metric").selectOption("duration");
    await page.getByRole("img", { name: "Heatmap of duration" }).locator("canvas").first().waitFor();
    for (const hash of [`#/run/${run.run_id}`, "#/history"]) {
      await visit(hash);
      await page.getByText("Hello").first().waitFor();
      expect(await page.locator("main").innerText()).not.toMatch(/\b0(\.0+)? ?[mµ]?[JW]\b/);
    }
    await visit("#/live");
    await page.getByText("no power source: times only").waitFor();
    await start("Without power", 40);
    await page.getByText("No power source", { exact: true }).waitFor();
    await page.getByRole("link", { name: "Analyse this run" }).waitFor();
    expect(await page.locator("main").innerText()).not.toMatch(/\b0(\.0+)? ?[mµ]?[JW]\b/);
  });

  it("has estimates that are marked as such", async () => {
    await serve({ power: "estimate" });
    const run = await profile({ max_tokens: 400 });
    await visit(`#/run/${run.run_id}`);
    await page.getByText("estimated", { exact: true }).waitFor();
    await page.locator(".tile .value").getByText(/^~.* m?J$/).first().waitFor();
    await page.getByRole("row", { name: /^decode/ }).getByText(/^~.* m?J$/).first().waitFor();
    await visit("#/history");
    await exactly(1);
    await page.getByRole("cell", { name: /^~.* m?J$/ }).first().waitFor();
  });
});

describe("a run that is not over", () => {
  it("is analysed as soon as it is, where that was asked for before", async () => {
    const { run_id } = await server.ask("/api/profiling/generate", {
      model: "small.gguf", prompt: "Not yet", max_tokens: LONG,
    });
    await visit("#/live");
    await manyTokens(300); // while its model loads it has no power to be analysed
    await visit(`#/run/${run_id}`);
    await page.getByText("This run is running").waitFor();
    await cancel(run_id);
    await page.getByRole("heading", { name: "Not yet" }).waitFor();
    await page.getByRole("img", { name: /^Power against time/ }).locator("canvas").first().waitFor();
  });

  it("lets the next ones wait, in sight and without losing sight of itself", async () => {
    await visit("#/live");
    await start("The first", LONG);
    await manyTokens(30);
    await start("The second", 5);
    await start("The third", 5);
    const waiting = page.getByLabel("Waiting runs").getByRole("listitem");
    await waiting.nth(1).waitFor();
    expect(await tokenCount()).toBeGreaterThanOrEqual(30);
    await page.getByText("“The first”").waitFor();
    await waiting.filter({ hasText: "The second" }).getByRole("button").click();
    await waiting.filter({ hasText: "The second" }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    await page.getByText("“The third”").first().waitFor();
    await page.getByRole("link", { name: "Analyse this run" }).waitFor();
    await waiting.first().waitFor({ state: "detached" });
    const statuses = async () => {
      const { runs } = await server.ask("/api/profiling/runs");
      return runs.map((/** @type {{ status: string }} */ run) => run.status).sort();
    };
    await expect.poll(statuses, { timeout: 30_000 }).toEqual(["cancelled", "cancelled", "completed"]);
  });
});
