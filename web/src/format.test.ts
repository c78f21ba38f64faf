import { describe, expect, it } from "vitest";
import {
  about, bytes, digits, energy, energyOf, harmless, percent, plusMinus, short, si, visible,
} from "./format";

describe("si", () => {
  it("chooses the prefix that leaves one to three digits before the point", () => {
    expect(si(0.0032, "J")).toBe("3.200 mJ");
    expect(si(1234, "W")).toBe("1.234 kW");
    expect(si(0.99999, "J")).toBe("1.000 J");
    expect(si(-0.002, "J")).toBe("−2.000 mJ");
    expect(si(2.5e-12, "J")).toBe("2.500 pJ");
    expect(si(2.5e-15, "J")).toBe("0.002500 pJ");
  });
  it("shows a dash for what was not measured, and zero as zero", () => {
    expect(si(null, "J")).toBe("–");
    expect(si(Number.NaN, "J")).toBe("–");
    expect(si(0, "J")).toBe("0 J");
    expect(energy(undefined)).toBe("–");
    expect(plusMinus(null)).toBe("");
    expect(energyOf({ energy_mj: null, quality: { method: null } })).toBe("–");
    expect(energyOf({ energy_mj: 0, quality: { method: "measured" } })).toBe("0 J");
  });
});

describe("others", () => {
  it("gives an error two digits", () => {
    expect(plusMinus(1.2345)).toBe("± 1.2 mJ");
    expect(plusMinus(0)).toBe("± 0 J");
  });
  it("marks what is estimated, and nothing else", () => {
    expect(energyOf({ energy_mj: 2, quality: { method: "estimated" } })).toBe("~2.000 mJ");
    expect(energyOf({ energy_mj: 2, quality: { method: "attributed" } })).toBe("2.000 mJ");
    expect(about("–", "estimated")).toBe("–");
  });
  it("keeps four digits", () => {
    expect(digits(12345)).toBe("12345");
    expect(digits(0.123456)).toBe("0.1235");
    expect(digits(-0.5, 2)).toBe("−0.50");
  });
  it("formats shares, sizes and invisible characters", () => {
    expect(percent(0.1234)).toBe("12.3 %");
    expect(percent(null)).toBe("–");
    expect(bytes(1023)).toBe("1023 B");
    expect(bytes(1536)).toBe("1.5 KiB");
    expect(visible("a\n b")).toBe("a⏎␣b");
  });
});

describe("text of others", () => {
  it("has no control that hides or turns what follows", () => {
    expect(harmless("a\u202eb\u0000c\u001b[31m\nd\te")).toBe("a⟨202e⟩b⟨0000⟩c⟨001b⟩[31m\nd\te");
    expect(harmless("שלום 👩‍👩‍👧 <b>")).toBe("שלום 👩‍👩‍👧 <b>");
    expect(visible("a\r\n\u2066")).toBe("a␍⏎⟨2066⟩");
  });
  it("is short and on one line in a chart, and no letter of it is cut in two", () => {
    expect(short("two\nlines", 40)).toBe("two lines");
    expect(short("👩".repeat(100), 10)).toBe(`${"👩".repeat(9)}…`);
    expect(short("x".repeat(1e6)).length).toBe(120);
  });
});
