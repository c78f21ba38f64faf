// Energy as nested areas: phase ▸ layer ▸ component ▸ operation.

import { useMemo } from "react";
import { Chart, tooltip, type Palette } from "../chart";
import { about, energy, percent, plusMinus, short } from "../format";
import type { LayerOperation, Run } from "../types";
import { NoEnergy } from "../ui";
import { componentColour } from "./colours";
import { energyTree, type Node } from "./flow";

interface Area {
  name: string;
  value: number;
  error: number | null;
  itemStyle: object;
  children?: Area[];
}

const areas = (nodes: Node[], colors: Palette, depth = 0): Area[] =>
  nodes.map(({ name, value, error, component, children }) => ({
    name: short(name, 60),
    value,
    error,
    itemStyle: {
      opacity: 0.88,
      color: component
        ? componentColour(component, colors)
        : depth === 0
          ? (colors.phases[name] ?? colors.muted)
          : colors.muted,
      borderColor: depth === 0 ? colors.panel : depth === 1 ? colors.raised : colors.panel,
    },
    ...(children ? { children: areas(children, colors, depth + 1) } : {}),
  }));

export function EnergyTreemap({ run, operations }: { run: Run; operations: LayerOperation[] }) {
  const tree = useMemo(() => energyTree(run, operations), [run, operations]);
  const option = useMemo(() => {
    const whole = tree.reduce((sum, node) => sum + node.value, 0);
    return (colors: Palette) => ({
      tooltip: tooltip(
        colors,
        (item: {
          value: number;
          data: { error?: number | null };
          treePathInfo: { name: string }[];
        }) => [
          item.treePathInfo
            .filter((part) => part.name)
            .flatMap((part, place) => (place === 0 ? [part.name] : ["▸", part.name])),
          [
            { strong: about(energy(item.value), run.totals.quality.method) },
            `${plusMinus(item.data?.error)} · ${percent(item.value / whole)}`,
          ],
        ],
      ),
      series: [
        {
          type: "treemap",
          data: areas(tree, colors),
          roam: false,
          nodeClick: "zoomToNode",
          left: 0,
          right: 0,
          top: 0,
          bottom: 30,
          breadcrumb: {
            bottom: 0,
            height: 22,
            itemStyle: {
              color: colors.raised,
              borderColor: colors.line,
              textStyle: { color: colors.text },
            },
            emphasis: { itemStyle: { color: colors.line } },
          },
          upperLabel: {
            show: true,
            height: 19,
            color: colors.text,
            fontSize: 11,
            textBorderWidth: 0,
          },
          visibleMin: 30,
          levels: [
            {
              itemStyle: { gapWidth: 4, borderWidth: 0, borderColor: colors.panel },
              upperLabel: { show: false },
            },
            { itemStyle: { gapWidth: 2, borderWidth: 2, borderColor: colors.raised } },
            { itemStyle: { gapWidth: 1, borderWidth: 2 } },
            { itemStyle: { gapWidth: 1, borderWidth: 1 }, upperLabel: { height: 15, fontSize: 10 } },
            { itemStyle: { gapWidth: 1, borderWidth: 0 }, colorAlpha: [0.75, 1] },
          ],
          label: { color: colors.onColour, fontSize: 11, overflow: "truncate", position: "insideTopLeft" },
        },
      ],
    });
  }, [tree, run]);
  return tree.length === 0 ? (
    <NoEnergy />
  ) : (
    <Chart label="Energy by phase, layer, component and operation" height={430} option={option} />
  );
}
