// Power against time as it comes, reading by reading, in a bounded number of points.

import type { PowerPoint } from "./types";

/** Between two readings of power that the server tells. */
const SAMPLE_MS = 100;
/** Of one line. An hour has eighteen times as many readings. */
export const MOST_POINTS = 2048;

/** Of two windows that touch: the one that holds the joules of both. */
function together([begin, middle, first]: PowerPoint, [, end, second]: PowerPoint): PowerPoint {
  return [begin, end, (first * (middle - begin) + second * (end - middle)) / (end - begin)];
}

/**
 * Where there are too many points, each two that touch become one: the whole run stays in sight, its
 * older part in less detail.
 */
export class PowerLine {
  private kept: PowerPoint[] = [];
  private last: number | null = null; // end of the latest reading
  private shown: readonly PowerPoint[] | null = null;
  /** Readings in the points that hold most. */
  merged = 1;

  /** The same list as long as no reading comes. */
  get points(): readonly PowerPoint[] {
    return (this.shown ??= this.kept.slice());
  }

  /** A reading at that time; null says that there was none, and leaves a gap. */
  add(at: number, mw: number | null) {
    if (this.last !== null && at <= this.last) {
      return;
    }
    const begin = this.last ?? Math.max(0, at - SAMPLE_MS);
    this.last = at;
    if (mw === null || at <= begin) {
      return;
    }
    this.kept.push([begin, at, mw]);
    this.shown = null;
    if (this.kept.length > MOST_POINTS) {
      this.thin();
    }
  }

  /** What came since is not known: the next reading does not reach back to the last one. */
  breakOff() {
    this.last = null;
  }

  private thin() {
    const fewer: PowerPoint[] = [];
    for (let index = 0; index < this.kept.length; ++index) {
      const point = this.kept[index]!;
      const next = this.kept[index + 1];
      if (next && next[0] === point[1]) {
        fewer.push(together(point, next));
        ++index;
      } else {
        fewer.push(point);
      }
    }
    this.merged *= 2;
    this.kept = fewer.slice(-(MOST_POINTS / 2 + 1)); // where gaps are all over, the oldest go
  }
}
