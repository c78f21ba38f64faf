// The requests of a program that is measured, from the events of its run. The list is bounded.

export interface LiveRequest {
  number: number;
  sequence: number | null;
  begin_ms: number; // since the run began
  end_ms: number | null; // null: in flight
  prompt_tokens: number;
  output_tokens: number;
  time_to_first_token_ms: number | null;
}

export interface LiveRequests {
  list: readonly LiveRequest[]; // by number: in the order in which they began
  left_out: number; // of those that began, by now
  begun: number;
  in_flight: number;
  output_tokens: number;
  tokens_per_second: number | null;
  mean_sequences: number | null; // in a pass
  energy_per_output_token_mj: number | null;
}

/** The latest ones, and all in flight that the server lists. */
export const MOST_REQUESTS = 500;

const num = (value: unknown): number | null => (typeof value === "number" ? value : null);
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

function requestOf(entry: unknown): LiveRequest | null {
  const data = (typeof entry === "object" && entry !== null ? entry : {}) as Record<string, unknown>;
  const number = num(data.number);
  const begin = num(data.begin_ms);
  return number === null || begin === null
    ? null
    : {
        number,
        sequence: num(data.sequence),
        begin_ms: begin,
        end_ms: num(data.end_ms),
        prompt_tokens: num(data.prompt_tokens) ?? 0,
        output_tokens: num(data.output_tokens) ?? 0,
        time_to_first_token_ms: num(data.time_to_first_token_ms),
      };
}

export class LiveRequestsRecord {
  private known = new Map<number, LiveRequest>();
  private at = 0; // of the latest event
  private sums: Omit<LiveRequests, "list" | "left_out"> = {
    begun: 0,
    in_flight: 0,
    output_tokens: 0,
    tokens_per_second: null,
    mean_sequences: null,
    energy_per_output_token_mj: null,
  };

  /** Applies a request_metrics event. Of each number its latest entry holds. */
  apply(data: Record<string, unknown>, t_ms: number) {
    const running = new Set<number>();
    for (const entry of list(data.running)) {
      const request = requestOf(entry);
      if (request) {
        running.add(request.number);
        this.known.set(request.number, { ...request, end_ms: null });
      }
    }
    for (const entry of list(data.ended)) {
      const request = requestOf(entry);
      if (request) {
        this.known.set(request.number, request);
      }
    }
    for (const number of list(data.taken_back)) {
      this.known.delete(num(number) ?? -1);
    }
    const in_flight = num(data.in_flight) ?? 0;
    if (in_flight <= running.size) {
      // The server lists all: the end of any other was missed, and was after the event before.
      this.endAllBut(running, this.at);
    }
    this.at = t_ms;
    this.sums = {
      begun: num(data.requests) ?? 0,
      in_flight,
      output_tokens: num(data.output_tokens) ?? 0,
      tokens_per_second: num(data.tokens_per_second),
      mean_sequences: num(data.mean_sequences),
      energy_per_output_token_mj: num(data.energy_per_output_token_mj),
    };
    this.forget();
  }

  /** The run has ended. */
  end(t_ms: number) {
    this.endAllBut(new Set(), t_ms);
    this.sums = { ...this.sums, in_flight: 0, tokens_per_second: null };
  }

  get picture(): LiveRequests {
    const shown = [...this.known.values()].sort((a, b) => a.number - b.number);
    return { ...this.sums, list: shown, left_out: Math.max(0, this.sums.begun - shown.length) };
  }

  private endAllBut(running: Set<number>, at: number) {
    for (const [number, request] of this.known) {
      if (request.end_ms === null && !running.has(number)) {
        this.known.set(number, { ...request, end_ms: Math.max(request.begin_ms, at) });
      }
    }
  }

  /** Leaves out the oldest that have ended. */
  private forget() {
    let more = this.known.size - MOST_REQUESTS;
    if (more <= 0) {
      return;
    }
    for (const number of [...this.known.keys()].sort((a, b) => a - b)) {
      if (more > 0 && this.known.get(number)?.end_ms !== null) {
        this.known.delete(number);
        --more;
      }
    }
  }
}
