// Phases and sections over time, with their figures.

import { useState } from "react";
import { about, count, duration, energy, energyOf, percent, plusMinus, power, short } from "../format";
import type { Phase, Run, Section } from "../types";
import "./phase-timeline.css";

const colour = (phase: string) => `var(--${phase.replaceAll("_", "-")})`;
/** Sections with a smaller share of their phase are shown only on request. */
const SMALL = 0.005;

function Bar({
  title,
  phases,
  share,
  show,
}: {
  title: string;
  phases: Phase[];
  share: (phase: Phase) => number | null; // null: unknown
  show: (phase: Phase) => string;
}) {
  const known = phases.flatMap((phase) => {
    const value = share(phase);
    return value === null ? [] : [{ phase, value }];
  });
  const all = known.reduce((sum, { value }) => sum + value, 0);
  return (
    <div className="phase-bar">
      <span className="note">{title}</span>
      <div role="img" aria-label={`Phases by ${title}: ${phases.map((phase) => `${phase.phase} ${show(phase)}`).join(", ")}`}>
        {known.length === 0 && <em className="note">not measured</em>}
        {all > 0 &&
          known.map(({ phase, value }) => (
            <span
              key={phase.phase}
              title={`${phase.phase}: ${show(phase)}, ${percent(value / all)}`}
              style={{ flexGrow: value / all, background: colour(phase.phase) }}
            >
              {value / all > 0.2 && `${phase.phase} ${percent(value / all)}`}
            </span>
          ))}
      </div>
    </div>
  );
}

function Figures({ of }: { of: Phase | Section }) {
  return (
    <>
      <td className="num">{duration(of.duration_ms)}</td>
      <td className="num">
        {energyOf(of)}
        <div className="error">{plusMinus(of.quality.standard_error_mj)}</div>
      </td>
      <td className="num">{about(energy(of.dynamic_energy_mj), of.quality.method)}</td>
      <td className="num">{about(power(of.mean_power_mw), of.quality.method)}</td>
    </>
  );
}

export function PhaseTimeline({ phases, sections }: { phases: Phase[]; sections: Run["sections"] }) {
  const [all, setAll] = useState(false);
  const whole = Math.max(1e-9, phases.reduce((sum, phase) => sum + phase.duration_ms, 0));
  const inPhase = (phase: Phase) => sections.filter((section) => section.phase === phase.phase);
  const small = (section: Section) => section.duration_ms < SMALL * whole;
  const hidden = sections.filter(small).length;
  return (
    <>
      <Bar
        title="time"
        phases={phases}
        share={(phase) => phase.duration_ms}
        show={(phase) => duration(phase.duration_ms)}
      />
      <Bar
        title="energy"
        phases={phases}
        share={(phase) => phase.energy_mj}
        show={energyOf}
      />
      <div className="scroll">
        <table className="tight">
          <thead>
            <tr>
              <th>phase, section</th>
              <th className="num">time</th>
              <th className="num">energy</th>
              <th className="num">above idle</th>
              <th className="num">power</th>
            </tr>
          </thead>
          <tbody>
            {phases.map((phase) => [
              <tr key={phase.phase}>
                <td>
                  <span className="key" style={{ background: colour(phase.phase) }} />
                  {phase.phase}
                </td>
                <Figures of={phase} />
              </tr>,
              ...inPhase(phase)
                .filter((section) => all || !small(section))
                .map((section) => (
                  <tr key={`${phase.phase}/${section.name}`} className="muted">
                    <td className="indented">
                      <bdi title={section.name}>{short(section.name, 48)}</bdi>
                      {section.count > 1 ? ` × ${count(section.count)}` : ""}
                    </td>
                    <Figures of={section} />
                  </tr>
                )),
            ])}
          </tbody>
        </table>
      </div>
      {hidden > 0 && (
        <button className="plain small" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "Hide" : "Show"} {hidden} {hidden === 1 ? "section" : "sections"} below {percent(SMALL)} of the time
        </button>
      )}
    </>
  );
}
