// The live stream: connects, resumes after a break, and updates the views a few times a second,
// however many events come.

import { token } from "./token";
import { ApiError, api } from "./api";
import { LiveRunRecord, UNDER_WAY, type LiveRun } from "./live-run";
import type { LiveEvent } from "./types";

export type Connection = "connecting" | "open" | "lost";

export interface LiveState {
  connection: Connection;
  retry_s: number | null;
  failures: number; // failed attempts since the connection was last open
  run: LiveRun | null;
}

const ASK_AGAIN_MS = 1000;
/** The shortest time between updates of the views: an update per token would overload a slow machine. */
const SHOW_MS = 80;
const FIRST_RETRY_S = 0.5;
const LONGEST_RETRY_S = 15;

const missedBy = ({ data }: LiveEvent) => (typeof data.missed === "number" ? data.missed : null);

/** The page's only connection. */
export class LiveConnection {
  private state: LiveState = { connection: "connecting", retry_s: null, failures: 0, run: null };
  private run: LiveRunRecord | null = null;
  private readonly listeners = new Set<() => void>();
  private socket: WebSocket | null = null;
  // since=0 requests all events that the server still has, so nothing is lost if a connection
  // breaks before its first event.
  private since = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private gap: LiveEvent | null = null; // the last gap, until another run appears
  private asking: ReturnType<typeof setTimeout> | null = null;
  private showing: ReturnType<typeof setTimeout> | null = null;

  constructor() {
    // Start with the oldest event that the server still has, so that a reload shows the whole run.
    this.connect();
  }

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  snapshot = () => this.state;

  /** Shows a run that was just requested, unless it is shown already. */
  showRequested(run_id: string) {
    if (this.run?.run_id !== run_id) {
      this.run = new LiveRunRecord(run_id, true);
      this.update({});
    }
  }

  retryNow() {
    if (this.timer !== null) {
      clearTimeout(this.timer);
      this.connect();
    }
  }

  private connect() {
    this.timer = null;
    this.update({ connection: "connecting", retry_s: null });
    const parameters = new URLSearchParams({ since: String(this.since) });
    const secret = token();
    if (secret) {
      parameters.set("token", secret);
    }
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws/profiling?${parameters}`);
    this.socket = socket;
    socket.onopen = () => {
      this.update({ connection: "open", retry_s: null, failures: 0 });
      void this.catchUp();
    };
    socket.onmessage = (message) => this.apply(JSON.parse(String(message.data)) as LiveEvent[]);
    socket.onclose = () => {
      if (this.socket === socket) {
        this.scheduleRetry();
      }
    };
  }

  private scheduleRetry() {
    const { failures } = this.state;
    const limit = Math.min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** failures);
    const wait = limit * (0.5 + Math.random() / 2); // so that pages do not reconnect all at once
    this.update({ connection: "lost", retry_s: wait, failures: failures + 1 });
    this.timer = setTimeout(() => this.connect(), wait * 1000);
  }

  private apply(events: LiveEvent[]) {
    let behind = false;
    for (const event of events) {
      this.since = event.seq; // may decrease after a gap, if the new server's clock was set back
      if (event.type === "gap") {
        this.gap = event;
        this.run?.markMissed(missedBy(event));
        behind = true;
        continue;
      }
      if (this.run?.run_id !== event.run_id) {
        this.run = new LiveRunRecord(event.run_id);
        // A run misses only events after its start.
        if (this.gap && event.type !== "run_started" && event.type !== "model_loading") {
          this.run.markMissed(missedBy(this.gap));
        }
        this.gap = null;
      }
      this.run.apply(event);
      behind ||= event.type === "inference_complete" && this.run.isBehind;
    }
    this.showing ??= setTimeout(() => {
      this.showing = null;
      this.update({});
    }, SHOW_MS);
    if (behind) {
      void this.catchUp();
    }
  }

  /**
   * Asks the server for a run of which this page may have missed events, and shows the stored run if it
   * has ended. A run that the server does not know ended with the previous server; a run that was
   * active there is stored as interrupted.
   */
  private async catchUp() {
    const { run } = this;
    if (!run || (!run.isUnderWay && !run.isBehind)) {
      return;
    }
    try {
      const kept = await api.run(run.run_id);
      if (kept.totals && !UNDER_WAY.has(kept.status)) {
        run.replaceBy(kept);
      } else if (!run.isUnderWay) {
        this.askAgain(); // it has ended, and is being saved
      }
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) {
        run.markLost();
      } else if (this.state.connection === "open") {
        this.askAgain(); // otherwise the next connection asks again
      }
    }
    if (this.run === run) {
      this.update({});
    }
  }

  private askAgain() {
    this.asking ??= setTimeout(() => {
      this.asking = null;
      void this.catchUp();
    }, ASK_AGAIN_MS);
  }

  private update(change: Partial<LiveState>) {
    this.state = { ...this.state, ...change, run: this.run?.picture ?? null };
    for (const listener of this.listeners) {
      listener();
    }
  }
}
