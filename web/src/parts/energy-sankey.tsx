// The energy flow as a Sankey diagram: run ▸ phase ▸ layers ▸ component ▸ operation.

import { useMemo } from "react";
import { Chart, tooltip, type Palette } from "../chart";
import { useNarrow } from "../narrow";
import { about, energy, percent, short } from "../format";
import type { Run } from "../types";
import { NoEnergy } from "../ui";
import { componentColour } from "./colours";
import { energyFlows, type FlowNode } from "./flow";

function colourOf(node: FlowNode, colors: Palette): string {
  if (node.column === 0) {
    return colors.text;
  }
  if (node.column === 1) {
    return colors.phases[node.label] ?? colors.muted;
  }
  if (node.column === 3) {
    return componentColour(node.label, colors);
  }
  return node.column === 2 ? (colors.series[5] ?? colors.muted) : colors.muted;
}

/** Prevents ECharts from reading {style|text} in a name as markup. */
const unstyled = (name: string) => name.replaceAll("{", "❴").replaceAll("}", "❵");

export function EnergySankey({ run }: { run: Run }) {
  const narrow = useNarrow();
  const { nodes, links } = useMemo(() => energyFlows(run, narrow), [run, narrow]);
  const option = useMemo(() => {
    const joules = (mj: number) => about(energy(mj), run.totals.quality.method);
    const label = (id: string) => nodes.find((node) => node.id === id)?.label ?? id;
    const whole = links
      .filter((link) => link.source === "0:run")
      .reduce((sum, link) => sum + link.value, 0);
    // A node that is too thin has no label; its tooltip shows the name.
    const size = new Map<string, number>();
    for (const link of links) {
      size.set(link.target, (size.get(link.target) ?? 0) + link.value);
    }
    return (colors: Palette) => ({
      tooltip: tooltip(
        colors,
        (item: { name: string; value: number; data: { source?: string; target?: string } }) => [
          item.data.source && item.data.target
            ? [label(item.data.source), "▸", label(item.data.target)]
            : [label(item.name)],
          [{ strong: joules(item.value) }, `· ${percent(item.value / whole)}`],
        ],
      ),
      series: [
        {
          type: "sankey",
          left: 2,
          right: narrow ? 168 : 185,
          top: 6,
          bottom: 6,
          nodeGap: 12,
          nodeWidth: 12,
          draggable: false,
          data: nodes.map((node) => ({
            name: node.id,
            depth: narrow ? Math.min(node.column, 2) : node.column,
            itemStyle: { color: colourOf(node, colors), borderWidth: 0 },
            label: {
              show: node.column === 0 || (size.get(node.id) ?? 0) > whole * 0.002,
              // A function, because ECharts would replace {a}, {b} and {c} in a string.
              formatter: () => {
                const value = `{value|${joules(size.get(node.id) ?? whole)}}`;
                // Two columns on a phone have no room for both side by side.
                return narrow && node.column < 2
                  ? `${unstyled(short(node.label, 9))}\n${value}`
                  : `${unstyled(short(node.label, narrow ? 15 : 34))}  ${value}`;
              },
            },
          })),
          links,
          label: {
            color: colors.text,
            fontSize: 11.5,
            rich: { value: { color: colors.muted, fontSize: 11, lineHeight: 15 } },
          },
          lineStyle: { color: "gradient", opacity: 0.26 },
          emphasis: { focus: "trajectory", lineStyle: { opacity: 0.5 } },
        },
      ],
    });
  }, [run, nodes, links, narrow]);
  if (links.length === 0) {
    return <NoEnergy />;
  }
  const tallest = Math.max(
    ...[0, 1, 2, 3, 4].map((column) => nodes.filter((node) => node.column === column).length),
  );
  return (
    <div className="scroll">
      <div style={narrow ? undefined : { minWidth: 760 }}>
        <Chart
          label={`Flow of energy from the run to its ${narrow ? "components" : "operations"}`}
          height={Math.min(680, Math.max(360, 30 * tallest))}
          option={option}
        />
        {narrow && <p className="note">Layers and operations are shown on wider screens.</p>}
      </div>
    </div>
  );
}
