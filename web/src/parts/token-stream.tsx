// The response, with each token coloured by its joules.

import { memo, useEffect, useMemo, useRef, useState } from "react";
import { about, count, duration, energy, harmless, plusMinus, power, visible } from "../format";
import type { Method } from "../types";
import "./token-stream.css";

export interface StreamToken {
  index: number;
  text: string;
  duration_ms: number;
  energy_mj: number | null;
  standard_error_mj: number | null;
  provisional: boolean;
}

/** To keep the page fast, only the end of a long response is shown. */
const MOST = 3000;
const SHADES = 11;

const Piece = memo(function Piece({
  token,
  shade,
  selected,
}: {
  token: StreamToken;
  shade: number;
  selected: boolean;
}) {
  return (
    <span
      data-index={token.index}
      className={[
        token.provisional ? "provisional" : token.energy_mj === null ? "unknown" : "",
        selected ? "picked" : "",
      ].join(" ")}
      style={{ background: `color-mix(in srgb, var(--accent) ${shade * 5}%, transparent)` }}
    >
      {harmless(token.text)}
    </span>
  );
});

function Details({ token, method }: { token: StreamToken; method: Method | null }) {
  const watts =
    token.energy_mj === null || token.duration_ms <= 0
      ? null
      : (token.energy_mj / token.duration_ms) * 1e3;
  return (
    <>
      <b>#{token.index}</b> <bdi className="mono">“{visible(token.text)}”</bdi>{" "}
      <b>{about(energy(token.energy_mj), method)}</b> {plusMinus(token.standard_error_mj)}{" "}
      {token.provisional ? "(provisional) " : ""}· {duration(token.duration_ms)} ·{" "}
      {about(power(watts), method)}
    </>
  );
}

export function TokenStream({
  tokens,
  total,
  method,
  follow,
  selected = null,
  onPick,
}: {
  tokens: readonly StreamToken[]; // the latest ones
  total: number; // number of all tokens
  method: Method | null; // of their energies
  follow: boolean;
  selected?: number | null;
  onPick?: (index: number) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [hovered, setHovered] = useState<number | null>(null);
  // While the pointer is on a token, nothing scrolls and no token is removed at the beginning.
  const [held, setHeld] = useState<number | null>(null);
  const latest = tokens.at(-1)?.index ?? 0;
  const following = follow && held === null && hovered === null;
  useEffect(() => {
    if (following && box.current) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [latest, following]);
  const at = hovered ?? selected;
  /** Scrolls the token into view within its box; the page does not scroll. */
  const reveal = (index: number) => {
    const piece = box.current?.querySelector<HTMLElement>(`[data-index="${index}"]`);
    if (box.current && piece) {
      const frame = box.current.getBoundingClientRect();
      const { top, bottom } = piece.getBoundingClientRect();
      box.current.scrollTop += Math.min(0, top - frame.top) + Math.max(0, bottom - frame.bottom);
    }
  };
  useEffect(() => {
    if (selected !== null) {
      reveal(selected); // it may have been chosen in another view
    }
  }, [selected]);

  // Colours span the 5th to 95th percentile, so that one slow token does not make all others pale.
  // If all are similar, they look similar.
  const { any, strong, weak, unknown } = useMemo(() => {
    const known = tokens
      .map((token) => token.energy_mj)
      .filter((value): value is number => value !== null)
      .sort((a, b) => a - b);
    const high = known[Math.floor(known.length * 0.95)] ?? 0;
    return {
      any: known.length > 0,
      strong: high,
      weak: Math.min(known[Math.floor(known.length * 0.05)] ?? 0, 0.7 * high),
      unknown: tokens.some((token) => token.energy_mj === null && !token.provisional),
    };
  }, [tokens]);
  const shown =
    held === null ? tokens.slice(-MOST) : tokens.filter((token) => token.index >= held);
  const pointed = shown.find((token) => token.index === at);
  const step = (by: number) => {
    const place = shown.findIndex((token) => token.index === at);
    const next = shown[place < 0 ? 0 : Math.max(0, Math.min(shown.length - 1, place + by))];
    if (next) {
      setHovered(onPick ? null : next.index);
      onPick?.(next.index);
      reveal(next.index);
    }
  };
  const indexOf = (target: EventTarget) => {
    const index = (target as HTMLElement).dataset.index;
    return index === undefined ? null : Number(index);
  };
  return (
    <>
      {shown.length < total && (
        <div className="note">
          the last {count(shown.length)} of {count(total)}
        </div>
      )}
      <div
        className={`tokens ${onPick ? "pickable" : ""}`}
        ref={box}
        tabIndex={0}
        role="region"
        aria-label="Response, token by token"
        onMouseEnter={() => setHeld(shown[0]?.index ?? null)}
        onMouseOver={(event) => setHovered(indexOf(event.target))}
        onMouseLeave={() => {
          setHeld(null);
          setHovered(null);
        }}
        aria-keyshortcuts="ArrowLeft ArrowRight"
        onBlur={() => setHovered(null)}
        onKeyDown={(event) => {
          if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
            event.preventDefault();
            step(event.key === "ArrowLeft" ? -1 : 1);
          }
        }}
        onClick={(event) => {
          const index = indexOf(event.target);
          if (index !== null) {
            onPick?.(index);
          }
        }}
      >
        {shown.map((token) => (
          <Piece
            key={token.index}
            token={token}
            selected={token.index === (onPick ? selected : at)}
            shade={
              token.energy_mj === null || strong <= weak
                ? 0
                : Math.round(
                    Math.max(0, Math.min(1, (token.energy_mj - weak) / (strong - weak))) * SHADES,
                  )
            }
          />
        ))}
      </div>
      <div className="token-details" aria-live="off">
        {pointed ? (
          <Details token={pointed} method={method} />
        ) : !any ? (
          "joules unknown · point at a token for its time"
        ) : (
          <>
            <span className="swatch" /> least
            <span className="swatch strong" /> most joules
            {unknown && " · grey: not measured"} · point at a token for details
          </>
        )}
      </div>
    </>
  );
}
