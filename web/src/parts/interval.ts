// Statistics of repeated runs: means and differences with 95 % intervals.

/** Student's t at 97.5 %, for 1 to 30 degrees of freedom. */
const T = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145,
  2.131, 2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048,
  2.045, 2.042,
];

/** Fractional degrees of freedom are rounded down, so that an interval is never too narrow. */
export function studentT(freedom: number): number {
  return T[Math.max(1, Math.floor(freedom)) - 1] ?? 1.96 + 2.46 / freedom;
}

/** The standard error of a sum, from the errors of its parts. */
export const rootOfSquares = (errors: number[]) =>
  Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0));

export interface Interval {
  mean: number;
  half: number; // the interval is mean ± half
  count: number;
}

interface Moments {
  count: number;
  mean: number;
  square: number; // squared standard error of the mean
}

function moments(values: number[]): Moments {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance =
    values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1);
  return { count: values.length, mean, square: variance / values.length };
}

/** Null for fewer than two values: one value says nothing about the spread. */
export function interval(values: number[]): Interval | null {
  if (values.length < 2) {
    return null;
  }
  const { count, mean, square } = moments(values);
  return { mean, half: studentT(count - 1) * Math.sqrt(square), count };
}

/** Mean of `b` minus mean of `a`, by Welch: the two may have different spreads. */
export function difference(a: number[], b: number[]): Interval | null {
  if (a.length < 2 || b.length < 2) {
    return null;
  }
  const first = moments(a);
  const second = moments(b);
  const square = first.square + second.square;
  const freedom =
    square === 0
      ? first.count + second.count - 2
      : square ** 2 /
        (first.square ** 2 / (first.count - 1) + second.square ** 2 / (second.count - 1));
  return {
    mean: second.mean - first.mean,
    half: studentT(freedom) * Math.sqrt(square),
    count: first.count + second.count,
  };
}
