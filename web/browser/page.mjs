// Chromium with a fresh profile, and a page that keeps account of what goes wrong in it.
// @ts-check

import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const WAIT_MS = 30_000;

/** Chromium's program: ENPROF_CHROMIUM, else Debian's; null where there is none. */
export function browserPath() {
  const path = process.env.ENPROF_CHROMIUM ?? "/usr/bin/chromium";
  return existsSync(path) ? path : null;
}

/**
 * Every address that was asked for; errors of the console, of scripts, and of the security policy.
 * @typedef {{ requests: string[], complaints: string[] }} Account
 */

/** A browser. Its profile is a fresh directory that goes with it. */
export function launch() {
  const path = browserPath();
  if (!path) {
    throw new Error("There is no Chromium: tools/setup --dev installs it, or name it in ENPROF_CHROMIUM");
  }
  return chromium.launch({
    executablePath: path,
    args: [
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      // Chromium's own sandbox refuses to run as root.
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
    ],
  });
}

/**
 * A page in a context of its own.
 * @param {import("playwright-core").Browser} browser
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, ...options });
  context.setDefaultTimeout(WAIT_MS); // less than a test has, so that it says what it waited for
  const page = await context.newPage();
  /** @type {Account} */
  const account = { requests: [], complaints: [] };
  page.on("request", (request) => account.requests.push(request.url()));
  page.on("websocket", (socket) => account.requests.push(socket.url()));
  page.on("console", (message) => {
    if (message.type() === "error") {
      account.complaints.push(`console: ${message.text()}`);
    }
  });
  page.on("pageerror", (error) => account.complaints.push(`script: ${error.message}`));
  await page.exposeFunction("reportViolation", (/** @type {string} */ what) =>
    account.complaints.push(`policy: ${what}`),
  );
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      // @ts-expect-error: put there by exposeFunction
      window.reportViolation(`${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  return { context, page, account };
}
