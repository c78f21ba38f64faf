import { describe, expect, it } from "vitest";
import { cellText, halfText } from "./analysis-cells";

const column = (kind: "text" | "energy" | "share" | "count" | "number", half_key: string | null = null) => ({
  key: "k", title: "t", kind, half_key,
});

describe("a cell of an analysis", () => {
  it("has its unit, and half its interval beside it", () => {
    expect(cellText(column("energy", "h"), { k: 12.5, h: 0.25 })).toEqual({ value: "12.50 mJ", half: "± 2.0 %" });
    expect(cellText(column("share", "h"), { k: -40, h: 1.25 })).toEqual({ value: "−40.0 %", half: "± 1.3 %" });
    expect(cellText(column("count"), { k: 7_240_000_000 })).toEqual({ value: "7.24 G", half: "" });
    expect(cellText(column("number", "h"), { k: 7, h: 0.1 })).toEqual({ value: "7", half: "± 0.10" });
  });
  it("is a dash where nothing was measured, never zero", () => {
    expect(cellText(column("energy"), { k: null })).toEqual({ value: "–", half: "" });
    expect(cellText(column("energy"), {})).toEqual({ value: "–", half: "" });
    expect(cellText(column("text"), { k: "" })).toEqual({ value: "–", half: "" });
    expect(cellText(column("energy"), { k: 0 })).toEqual({ value: "0 J", half: "" });
  });
  it("does not divide by a value of zero", () => {
    expect(halfText("energy", 0, 1)).toBe("");
    expect(halfText("energy", 1, 0)).toBe("± 0.01 %");
  });
});
