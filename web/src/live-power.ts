// Power over time, built reading by reading, in a bounded number of points.

import type { PowerPoint } from "./types";

/** The period of power readings from the server. */
const SAMPLE_MS = 100;
/** Per line. An hour has eighteen times as many readings. */
export const MOST_POINTS = 2048;

/** Merges two adjacent windows into one with the joules of both. */
function merge([begin, middle, first]: PowerPoint, [, end, second]: PowerPoint): PowerPoint {
  return [begin, end, (first * (middle - begin) + second * (end - middle)) / (end - begin)];
}

/**
 * If there are too many points, adjacent ones are merged in pairs: the whole run stays visible, its
 * older part in less detail.
 */
export class PowerLine {
  private kept: PowerPoint[] = [];
  private last: number | null = null; // end of the latest reading
  private shown: readonly PowerPoint[] | null = null;
  /** The largest number of readings in one point. */
  merged = 1;

  /** The same array until a reading comes. */
  get points(): readonly PowerPoint[] {
    return (this.shown ??= this.kept.slice());
  }

  /** Adds a reading at that time; null is a missing reading and leaves a gap. */
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

  /** Starts a gap, because readings were missed. */
  startGap() {
    this.last = null;
  }

  private thin() {
    const fewer: PowerPoint[] = [];
    for (let index = 0; index < this.kept.length; ++index) {
      const point = this.kept[index]!;
      const next = this.kept[index + 1];
      if (next && next[0] === point[1]) {
        fewer.push(merge(point, next));
        ++index;
      } else {
        fewer.push(point);
      }
    }
    this.merged *= 2;
    this.kept = fewer.slice(-(MOST_POINTS / 2 + 1)); // with gaps everywhere, drop the oldest
  }
}
