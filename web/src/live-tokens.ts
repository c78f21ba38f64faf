// The tokens of a run as they come: the latest with their text, and sums over all.

import type { PhaseName } from "./types";

export interface LiveToken {
  index: number;
  text: string;
  phase: PhaseName;
  duration_ms: number;
  energy_mj: number | null;
  standard_error_mj: number | null;
  provisional: boolean;
}

/** Over all tokens that came, including those that were dropped. */
export interface TokenSums {
  count: number;
  settled: number;
  decoded: number; // tokens of the decode phase
  decode_ms: number;
  known: number; // decoded tokens with known energy
  energy_mj: number;
  with_error: number; // tokens with known standard error
  squares: number; // of their errors, mJ²
}

/** Tokens to keep. Joules settle seconds after a token came, so it must still be here then. */
export const MOST_TOKENS = 65_536;
/** Tokens to show. */
export const MOST_SHOWN = 4096;

export class LiveTokens {
  private ring: LiveToken[] = []; // by index modulo MOST_TOKENS
  private end = 0; // one after the index of the latest
  private shown: readonly LiveToken[] | null = null;
  readonly sums: TokenSums = {
    count: 0, settled: 0, decoded: 0, decode_ms: 0, known: 0, energy_mj: 0, with_error: 0, squares: 0,
  };
  /** Tokens that were dropped before their joules had settled. */
  unsettled = 0;

  /** The number of tokens of the run, even if this page missed some. */
  get total() {
    return this.end;
  }

  /** The latest ones, in order. The same array until something changes. */
  get latest(): readonly LiveToken[] {
    if (this.shown === null) {
      const list: LiveToken[] = [];
      const first = Math.max(0, this.end - MOST_TOKENS);
      for (let index = this.end - 1; index >= first && list.length < MOST_SHOWN; --index) {
        const token = this.at(index);
        if (token) {
          list.push(token);
        }
      }
      this.shown = list.reverse();
    }
    return this.shown;
  }

  at(index: number): LiveToken | undefined {
    const token = this.ring[index % MOST_TOKENS];
    return token?.index === index ? token : undefined;
  }

  set(token: LiveToken) {
    const { index } = token;
    if (!Number.isSafeInteger(index) || index < 0 || index < this.end - MOST_TOKENS) {
      return;
    }
    const before = this.ring[index % MOST_TOKENS];
    if (before?.index === index) {
      this.count(before, -1);
    } else if (before?.provisional) {
      ++this.unsettled;
    }
    this.count(token, 1);
    this.ring[index % MOST_TOKENS] = token;
    this.end = Math.max(this.end, index + 1);
    this.shown = null;
  }

  private count(token: LiveToken, sign: 1 | -1) {
    const { sums } = this;
    sums.count += sign;
    sums.settled += token.provisional ? 0 : sign;
    if (token.phase === "decode") {
      sums.decoded += sign;
      sums.decode_ms += sign * token.duration_ms;
      if (token.energy_mj !== null) {
        sums.known += sign;
        sums.energy_mj += sign * token.energy_mj;
      }
    }
    if (token.standard_error_mj !== null) {
      sums.with_error += sign;
      sums.squares += sign * token.standard_error_mj ** 2;
    }
  }
}
