// The response, each token coloured by its joules.

import { useEffect, useRef } from "react";
import { duration, energy, plusMinus, power, visible } from "../format";

export interface StreamToken {
  index: number;
  text: string;
  duration_ms: number;
  energy_mj: number | null;
  standard_error_mj: number | null;
  provisional: boolean;
}

export function TokenStream({
  tokens,
  follow,
  selected,
  onPick,
}: {
  tokens: StreamToken[];
  follow: boolean;
  selected?: number | null;
  onPick?: (index: number) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (follow && box.current) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [tokens.length, follow]);

  // The 95th percentile is the strongest colour: one slow token must not pale all others.
  const known = tokens
    .map((token) => token.energy_mj)
    .filter((value): value is number => value !== null)
    .sort((a, b) => a - b);
  const strong = known[Math.floor(known.length * 0.95)] ?? 0;
  return (
    <div className="tokens" ref={box} aria-live="off">
      {tokens.map((token) => {
        const share = token.energy_mj === null || strong <= 0 ? 0 : token.energy_mj / strong;
        const alpha = Math.round(Math.min(1, share) * 55);
        const watts =
          token.energy_mj === null || token.duration_ms <= 0
            ? null
            : (token.energy_mj / token.duration_ms) * 1e3;
        return (
          <span
            key={token.index}
            className={token.provisional ? "provisional" : ""}
            style={{
              background: `color-mix(in srgb, var(--accent) ${alpha}%, transparent)`,
              outline: selected === token.index ? "2px solid var(--accent)" : undefined,
              cursor: onPick ? "pointer" : undefined,
            }}
            onClick={() => onPick?.(token.index)}
            title={[
              `#${token.index} "${visible(token.text)}"`,
              `${energy(token.energy_mj)} ${plusMinus(token.standard_error_mj)}${token.provisional ? " (provisional)" : ""}`,
              duration(token.duration_ms),
              power(watts),
            ].join("\n")}
          >
            {token.text}
          </span>
        );
      })}
    </div>
  );
}
