// A real `enprof serve` with a small model of dummy weights, for tests, screenshots and benchmarks.
// @ts-check

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const START_MS = 60_000;

/** The program to drive: ENPROF, else what `make build` made. */
export function program() {
  const path = resolve(
    process.env.ENPROF ?? join(import.meta.dirname, "../../build/release/bin/enprof"),
  );
  if (!existsSync(path)) {
    throw new Error(`There is no ${path}: run make build, or name the program in ENPROF`);
  }
  return path;
}

/** A directory that is gone when this process ends. */
export function workDirectory() {
  const path = mkdtempSync(join(tmpdir(), "enprof-browser-"));
  process.on("exit", () => rmSync(path, { recursive: true, force: true }));
  return path;
}

/**
 * A model of that shape with dummy weights: its text means nothing, its time and energy do.
 * @param {string} path
 * @param {Record<string, string | number>} shape options of `enprof model synth`
 */
export function synthesize(path, shape) {
  const options = Object.entries(shape).flatMap(([name, value]) => [`--${name}`, String(value)]);
  execFileSync(program(), ["model", "synth", "-o", path, ...options], { stdio: "pipe" });
}

/**
 * A recording of power for `--power replay:FILE`: rails whose power wanders, each window as a sensor
 * would tell it.
 * @param {string} path
 * @param {{ seconds?: number, step_ms?: number, rails?: Record<string, number> }} [shape]
 */
export function recordPower(path, { seconds = 600, step_ms = 10, rails = { cpu: 42 } } = {}) {
  let state = 1;
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const lines = [];
  const wander = new Map(Object.keys(rails).map((rail) => [rail, 0]));
  for (let begin = 0; begin < seconds * 1e3; begin += step_ms) {
    for (const [domain, watts] of Object.entries(rails)) {
      const drift = 0.97 * (wander.get(domain) ?? 0) + 0.03 * (random() - 0.5) * watts;
      wander.set(domain, drift);
      const power = watts + 2 * drift + 0.08 * (random() - 0.5) * watts;
      lines.push(JSON.stringify({ domain, begin_ms: begin, end_ms: begin + step_ms, energy_mj: power * step_ms }));
    }
  }
  writeFileSync(path, lines.join("\n") + "\n");
}

export class Server {
  /** @type {import("node:child_process").ChildProcess | null} */
  #process = null;
  #said = "";
  port = 0;

  /**
   * `command`: that of `enprof exec --serve`; without one it is `enprof serve`.
   * @param {{ models: string, db: string, options?: string[], cwd?: string, command?: string[] }} setup
   */
  constructor({ models, db, options = [], cwd = ".", command }) {
    this.cwd = cwd;
    mkdirSync(models, { recursive: true });
    this.command = command;
    this.arguments = [...(command ? [] : ["--models-dir", models]), "--db", db, "--baseline-s", "0", ...options];
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it, on the port that it had before where it had one. */
  async start() {
    this.#said = "";
    const words = this.command
      ? ["exec", "--serve", String(this.port), ...this.arguments, "--", ...this.command]
      : ["serve", "--port", String(this.port), ...this.arguments];
    const child = spawn(program(), words, {
      stdio: ["pipe", "ignore", "pipe"],
      cwd: this.cwd,
    });
    this.#process = child;
    await new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`enprof serve did not start:\n${this.#said}`)),
        START_MS,
      );
      child.stderr.setEncoding("utf8");
      child.stderr.on("data", (/** @type {string} */ text) => {
        this.#said += text;
        const address = /serving .*http:\/\/[^/]*:(\d+)\//.exec(this.#said);
        if (address) {
          clearTimeout(timer);
          this.port = Number(address[1]);
          resolve(null);
        }
      });
      child.once("exit", (code) => {
        clearTimeout(timer);
        reject(new Error(`enprof serve ended with ${code}:\n${this.#said}`));
      });
    });
  }

  /** Ends the standard input of the command, and waits until its server has ended. */
  async endInput() {
    const child = this.#process;
    if (child && child.exitCode === null) {
      const ended = once(child, "exit");
      child.stdin?.end();
      await ended;
    }
  }

  /** @param {NodeJS.Signals} [signal] SIGKILL: as a crash would end it */
  async stop(signal = "SIGTERM") {
    const child = this.#process;
    this.#process = null;
    child?.stdin?.destroy(); // a command may outlive its server
    if (child && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill(signal);
      await ended;
    }
  }

  /**
   * Status 2xx and the answer's JSON.
   * @param {string} path
   * @param {unknown} [body]
   */
  async ask(path, body) {
    const answer = await fetch(this.url + path, {
      method: body === undefined ? "GET" : "POST",
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) {
      throw new Error(`${path} answered ${answer.status}: ${text}`);
    }
    return JSON.parse(text);
  }

  /**
   * Makes a run and waits for its end.
   * @param {Record<string, unknown>} order
   */
  async profile(order) {
    const { run_id } = await this.ask("/api/profiling/generate", order);
    for (;;) {
      const run = await this.ask(`/api/profiling/run/${run_id}`);
      if (run.totals) {
        return run;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
