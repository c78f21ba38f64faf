// Numbers for people: three or four digits, the unit with its prefix, a dash for what is not known,
// a tilde before what was estimated.

import type { Method } from "./types";

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

/** 4 significant digits at most, no exponent for usual sizes, a minus that is as wide as a plus. */
export function digits(value: number, count = 4): string {
  if (value === 0) {
    return "0";
  }
  const rounded = Math.abs(Number(value.toPrecision(count))); // 0.99999 has one digit before the point
  const decimals = Math.max(0, count - 1 - Math.floor(Math.log10(rounded)));
  return value.toFixed(Math.min(decimals, 9)).replace("-", "−");
}

/** A value in the base unit, with the prefix that fits: si(0.0032, "J") is "3.200 mJ". */
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
/** Of an error two digits say enough. */
export const plusMinus = (mj: number | null | undefined) =>
  mj === null || mj === undefined ? "" : `± ${si(mj / 1e3, "J", 2)}`;

export const about = (text: string, method: Method | null) =>
  method === "estimated" && text !== DASH ? `~${text}` : text;

/** The energy of anything that has one. */
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
 * What has no shape of its own: control characters but line ends and tabs, and those that turn the
 * direction of all that follows.
 */
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Text of others as it may be shown: controls by their number. */
export const harmless = (text: string) =>
  text.replace(CONTROLS, (control) => `⟨${control.charCodeAt(0).toString(16).padStart(4, "0")}⟩`);

/** A name for a chart: on one line, and no longer than that. */
export function short(text: string, most = 120): string {
  const line = harmless(text.slice(0, 4 * most)).replace(/\s+/g, " ");
  const letters = [...line];
  return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : line;
}

/** A token's text with what cannot be seen made visible. */
export function visible(text: string): string {
  return harmless(text).replaceAll("\n", "⏎").replaceAll("\r", "␍").replaceAll("\t", "⇥").replaceAll(" ", "␣");
}
