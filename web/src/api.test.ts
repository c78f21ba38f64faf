import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { api } from "./api";

beforeEach(() => void vi.stubGlobal("sessionStorage", { getItem: () => null }));
afterEach(() => void vi.unstubAllGlobals());

const answer = (body: string, status = 200) =>
  vi.stubGlobal("fetch", () => Promise.resolve(new Response(body, { status })));

it("says what the server says is wrong, and what to do", async () => {
  answer('{"message": "There is no run r", "code": "not_found", "hint": "Look in the history"}', 404);
  await expect(api.run("r")).rejects.toMatchObject({
    message: "There is no run r", status: 404, code: "not_found", hint: "Look in the history",
  });
});

it("says so where there is no answer, or none that can be read", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
  await expect(api.run("r")).rejects.toMatchObject({ message: "The server does not answer.", status: 0 });
  answer("<html>Bad gateway</html>", 502);
  await expect(api.run("r")).rejects.toMatchObject({ message: "The server answered with 502." });
  answer('{"run_id": "r", "tok');
  await expect(api.run("r")).rejects.toMatchObject({ message: "The server's answer was cut off." });
});
