// Requests over time: how many are in flight above, a bar for each below: prompt and output.

import { type CSSProperties } from "react";
import { duration, percent } from "../format";
import { countsOf, rowsOf } from "./in-flight";
import "./request-bars.css";

const ROW_PX = 20;
const FLIGHT_PX = 44;

export interface RequestBar {
  number: number;
  begin: number; // ms
  end: number;
  first_token: number | null; // ms since its begin; null: not known, or not yet
  title: string;
  href?: string; // of its analysis
  is_open?: boolean; // it is in flight
}

/** The share of a bar in which its prompt is computed. */
function promptOf({ begin, end, first_token }: RequestBar): string {
  const share = first_token === null || end <= begin ? 1 : Math.min(1, first_token / (end - begin));
  return percent(share).replace(" ", "");
}

/** `bars`: by begin. */
export function RequestBars({ bars, whole_ms }: { bars: readonly RequestBar[]; whole_ms: number }) {
  const rows = rowsOf([...bars]);
  const counts = countsOf([...bars]);
  const most = Math.max(1, ...counts.map((entry) => entry.count));
  const x = (at: number) => (1000 * at) / whole_ms;
  const y = (value: number) => FLIGHT_PX * (1 - value / most);
  const steps = counts.map(({ at, count: value }) => `H${x(at)}V${y(value)}`).join("");
  return (
    <>
      <div className="note">requests in flight, at most {most}</div>
      <svg
        className="capture-time"
        viewBox={`0 -1 1000 ${FLIGHT_PX + 2}`}
        height={FLIGHT_PX}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Requests in flight over ${duration(whole_ms)}, at most ${most}`}
      >
        <path className="flight" d={`M0 ${FLIGHT_PX}${steps}V${FLIGHT_PX}H1000`} />
      </svg>
      <div className="request-rows" style={{ height: ROW_PX * (Math.max(-1, ...rows) + 1) }}>
        {bars.map((bar, place) => {
          const style = {
            left: `${(100 * bar.begin) / whole_ms}%`,
            width: `${(100 * (bar.end - bar.begin)) / whole_ms}%`,
            top: ROW_PX * (rows[place] ?? 0),
            "--prompt": promptOf(bar),
          } as CSSProperties;
          return bar.href === undefined ? (
            <span
              key={bar.number}
              className={bar.is_open ? "bar open" : "bar"}
              role="img"
              aria-label={bar.title}
              title={bar.title}
              style={style}
            >
              {bar.number}
            </span>
          ) : (
            <a key={bar.number} className="bar" href={bar.href} title={bar.title} style={style}>
              {bar.number}
            </a>
          );
        })}
      </div>
    </>
  );
}
