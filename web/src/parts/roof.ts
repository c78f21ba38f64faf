// The cost of operations' work, and the roof: the lowest cost of a FLOP and of a byte in the run.

import type { OperationFigure } from "../types";

export interface Cost {
  operation: OperationFigure;
  intensity: number; // FLOP/byte
  pj_per_flop: number;
  error: number | null; // error of pj_per_flop
  pj_per_byte: number;
}

export interface Roof {
  pj_per_flop: number;
  pj_per_byte: number;
}

/** For operations whose work and energy are known and positive. */
export function costs(operations: OperationFigure[]): Cost[] {
  return operations.flatMap((operation) => {
    const { flops, bytes, energy_mj } = operation;
    if (!flops || !bytes || !energy_mj || energy_mj <= 0) {
      return [];
    }
    const error = operation.quality.standard_error_mj;
    return [
      {
        operation,
        intensity: flops / bytes,
        pj_per_flop: (energy_mj * 1e9) / flops,
        error: error === null ? null : (error * 1e9) / flops,
        pj_per_byte: (energy_mj * 1e9) / bytes,
      },
    ];
  });
}

/** Uses energies above two standard errors, like `enprof show`. */
export function roofOf(list: Cost[]): Roof | null {
  const sure = list.filter((cost) => cost.error === null || cost.pj_per_flop > 2 * cost.error);
  return sure.length === 0
    ? null
    : {
        pj_per_flop: Math.min(...sure.map((cost) => cost.pj_per_flop)),
        pj_per_byte: Math.min(...sure.map((cost) => cost.pj_per_byte)),
      };
}

export const roofAt = (roof: Roof, intensity: number) =>
  Math.max(roof.pj_per_flop, roof.pj_per_byte / intensity);

export const isPower = (value: number) => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9;

/** The ends of a logarithmic axis, which has labels only at powers of ten: it contains at least one. */
export function decades(left: number, right: number): [number, number] {
  const first = Math.floor(Math.log10(left));
  const last = Math.ceil(Math.log10(right));
  return last - first > 1 ? [left, right] : [10 ** first, 10 ** last];
}
