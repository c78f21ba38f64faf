import { expect, it } from "vitest";
import LRU from "zrender/lib/core/LRU.js";
import { holdAnyText } from "./text-cache";

it("keeps a text that is the name of a property of every object", () => {
  holdAnyText();
  const before = Object.getOwnPropertyNames(Object.prototype);
  const cache = new LRU<number>(3);
  const names = ["__proto__", "constructor", "toString", "valueOf", "hasOwnProperty"];
  names.forEach((name, width) => {
    expect(cache.get(name)).toBeUndefined();
    cache.put(name, width);
    expect(cache.get(name)).toBe(width);
  });
  expect(cache.len()).toBe(3); // the oldest leave
  expect(cache.get("__proto__")).toBeUndefined();
  expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
});
