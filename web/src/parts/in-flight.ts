// Requests of a capture over time: in which row each is drawn, and how many are in flight.

export interface Interval {
  begin: number;
  end: number;
}

/** By interval, the first row in which it does not overlap one before it. By begin. */
export function rowsOf(intervals: Interval[]): number[] {
  const ends: number[] = []; // by row
  return intervals.map(({ begin, end }) => {
    let row = ends.findIndex((until) => until <= begin);
    if (row < 0) {
      row = ends.length;
    }
    ends[row] = end;
    return row;
  });
}

/** How many intervals there are from each time on, by time; ends come before begins. */
export function countsOf(intervals: Interval[]): { at: number; count: number }[] {
  const edges = intervals
    .flatMap(({ begin, end }) => [
      { at: begin, step: 1 },
      { at: end, step: -1 },
    ])
    .sort((a, b) => a.at - b.at || a.step - b.step);
  const counts: { at: number; count: number }[] = [];
  let count = 0;
  for (const { at, step } of edges) {
    count += step;
    const last = counts[counts.length - 1];
    if (last?.at === at) {
      last.count = count;
    } else {
      counts.push({ at, count });
    }
  }
  return counts;
}
