// Formats numbers for people: three or four digits, the unit with its prefix, a dash for an unknown
// value, a tilde before an estimate.

import type { Method, Quality, VerdictLevel } from "./types";

const PREFIXES: [number, string][] = [
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
  [1, ""],
  [1e-3, "m"],
  [1e-6, "µ"],
  [1e-9, "n"],
  [1e-12, "p"],
];

export const DASH = "–";

/** At most 4 significant digits, no exponent for usual sizes, and a minus as wide as a plus. */
export function digits(value: number, count = 4): string {
  if (value === 0) {
    return "0";
  }
  const rounded = Math.abs(Number(value.toPrecision(count))); // 0.99999 rounds to one digit before
                                                              // the point
  const decimals = Math.max(0, count - 1 - Math.floor(Math.log10(rounded)));
  return value.toFixed(Math.min(decimals, 9)).replace("-", "−");
}

/** A value in the base unit with a fitting prefix: si(0.0032, "J") is "3.200 mJ". */
export function si(value: number | null | undefined, unit: string, count = 4): string {
  if (value === null || value === undefined || !Number.isFinite(value)) {
    return DASH;
  }
  if (value === 0) {
    return `0 ${unit}`;
  }
  const size = Math.abs(value);
  const [factor, prefix] =
    PREFIXES.find(([limit]) => size >= limit * 0.99995) ?? PREFIXES[PREFIXES.length - 1]!;
  return `${digits(value / factor, count)} ${prefix}${unit}`;
}

const milli = (value: number | null | undefined) =>
  value === null || value === undefined ? null : value / 1e3;

export const energy = (mj: number | null | undefined) => si(milli(mj), "J");
export const power = (mw: number | null | undefined) => si(milli(mw), "W");
export const duration = (ms: number | null | undefined) => si(milli(ms), "s");
/** An error with two digits. */
export const plusMinus = (mj: number | null | undefined) =>
  mj === null || mj === undefined ? "" : `± ${si(mj / 1e3, "J", 2)}`;

/** The uncertainty of a figure as a whole; without the sensor's part where that is not known. */
export const uncertaintyOf = (quality: Quality) =>
  plusMinus(quality.standard_uncertainty_mj ?? quality.standard_error_mj);

export const verdictWords = (level: VerdictLevel | null) =>
  level === null ? "not judged" : level.replace("_", " ");

/** What an energy per output token makes of a million of them, in Wh, and its price in USD. */
export const wattHours = (mj: number | null) => (mj === null ? null : (mj * 1e6) / 3.6e6);

export const about = (text: string, method: Method | null) =>
  method === "estimated" && text !== DASH ? `~${text}` : text;

/** The energy of a figure. */
export const energyOf = (figure: { energy_mj: number | null; quality: { method: Method | null } }) =>
  about(energy(figure.energy_mj), figure.quality.method);

export function percent(share: number | null | undefined): string {
  return share === null || share === undefined || !Number.isFinite(share)
    ? DASH
    : `${(share * 100).toFixed(1)} %`;
}

export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? DASH : value.toLocaleString("en-US");
}

/** "1 run", "2 runs": a number with a noun whose plural ends in s. */
export const counted = (value: number | null | undefined, noun: string) =>
  `${count(value)} ${noun}${value === 1 ? "" : "s"}`;

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) {
    return DASH;
  }
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit + 1 < units.length) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}

/** A point in time, as text or milliseconds since 1970, in local time. */
export function when(moment: string | number): string {
  const time = new Date(moment);
  return Number.isNaN(time.getTime())
    ? String(moment)
    : time.toLocaleString("sv-SE", { dateStyle: "short", timeStyle: "medium" });
}

/**
 * Characters without a shape of their own: control characters except line ends and tabs, and those
 * that change the direction of the text after them.
 */
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Text from others, made safe to show: control characters become their code points. */
export const harmless = (text: string) =>
  text.replace(CONTROLS, (control) => `⟨${control.charCodeAt(0).toString(16).padStart(4, "0")}⟩`);

/** A name for a chart: on one line, and at most this long. */
export function short(text: string, most = 120): string {
  const line = harmless(text.slice(0, 4 * most)).replace(/\s+/g, " ");
  const letters = [...line];
  return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : line;
}

/** A token's text with invisible characters made visible. */
export function visible(text: string): string {
  return harmless(text).replaceAll("\n", "⏎").replaceAll("\r", "␍").replaceAll("\t", "⇥").replaceAll(" ", "␣");
}
