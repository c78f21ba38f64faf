// The cells of an analysis as text. Values are in the units of the API.

import { DASH, bytes, digits, duration, energy, power, si } from "../format";
import type { AnalysisColumn, AnalysisRow, CellKind } from "../types";

const SHOW: Record<Exclude<CellKind, "text">, (value: number) => string> = {
  energy,
  power,
  time: duration,
  speed: (value) => digits(value, 4),
  share: (value) => `${value.toFixed(1).replace("-", "−")} %`,
  count: (value) => si(value, "", 3).trimEnd(),
  bytes,
  number: (value) => String(Number(value.toPrecision(4))).replace("-", "−"),
};

/** Half an interval beside its value: a share of it, but for shares, which are in percent already. */
export function halfText(kind: CellKind, value: number, half: number | null): string {
  if (half === null) {
    return "";
  }
  if (kind === "share") {
    return `± ${half.toFixed(1)} %`;
  }
  if (kind === "number") {
    return `± ${digits(half, 2)}`;
  }
  if (value === 0) {
    return "";
  }
  const share = (100 * half) / Math.abs(value);
  return share < 0.01 ? "± 0.01 %" : `± ${share < 100 ? digits(share, 2) : share.toFixed(0)} %`;
}

/** The value and half its interval; a dash for what is absent. */
export function cellText(column: AnalysisColumn, row: AnalysisRow): { value: string; half: string } {
  const value = row[column.key] ?? null;
  if (value === null || value === "") {
    return { value: DASH, half: "" };
  }
  if (typeof value === "string" || column.kind === "text") {
    return { value: String(value), half: "" };
  }
  const half = column.half_key === null ? null : row[column.half_key];
  return {
    value: SHOW[column.kind](value),
    half: halfText(column.kind, value, typeof half === "number" ? half : null),
  };
}
