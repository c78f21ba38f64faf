import { expect, it } from "vitest";
import { isCommand } from "./command";

it("knows a command by its engine", () => {
  expect(isCommand("exec")).toBe(true);
  expect(isCommand("llama.cpp v0.5.0")).toBe(false);
  expect(isCommand("")).toBe(false);
  expect(isCommand(null)).toBe(false);
});
