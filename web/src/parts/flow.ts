// Energy as a tree (treemap) and as flows (Sankey): phase ▸ layer ▸ component ▸ operation. Only
// deep runs have operations.

import type { ComponentFigure, LayerOperation, Run } from "../types";

export interface Node {
  name: string;
  value: number; // mJ
  error: number | null; // one standard error, mJ
  component?: string;
  children?: Node[];
}

export const layerLabel = (layer: number | null) =>
  layer === null ? "outside the layers" : `layer ${layer}`;

const sum = (nodes: { value: number }[]) => nodes.reduce((total, node) => total + node.value, 0);

function operationsOf(operations: LayerOperation[], part: ComponentFigure): Node[] {
  return operations
    .filter(
      (operation) =>
        operation.phase === part.phase &&
        operation.layer === part.layer &&
        operation.component === part.component &&
        (operation.energy_mj ?? 0) > 0,
    )
    .map((operation) => ({
      name: operation.op,
      value: operation.energy_mj ?? 0,
      error: null,
      component: part.component,
    }));
}

/** Adds the part that no child has as "(other)". */
function withRest(parts: Node[], whole: number): Node[] {
  const rest = whole - sum(parts);
  return parts.length > 0 && rest > whole * 1e-6
    ? [...parts, { name: "(other)", value: rest, error: null }]
    : parts;
}

export function energyTree(run: Run, operations: LayerOperation[] = []): Node[] {
  return run.phases
    .filter((phase) => (phase.energy_mj ?? 0) > 0)
    .map((phase) => {
      const mine = run.components.filter((component) => component.phase === phase.phase);
      const layers = [...new Set(mine.map((component) => component.layer))];
      const children = layers.map((layer) => {
        const parts = mine
          .filter((part) => part.layer === layer && (part.energy_mj ?? 0) > 0)
          .map((part) => {
            const inner = operationsOf(operations, part);
            return {
              name: part.component,
              value: part.energy_mj ?? 0,
              error: part.quality.standard_error_mj,
              component: part.component,
              // A single operation would only repeat its component's name.
              ...(inner.length > 1 ? { children: inner } : {}),
            };
          });
        return { name: layerLabel(layer), value: sum(parts), error: null, children: parts };
      });
      const value = phase.energy_mj ?? 0;
      const parts = withRest(children, value);
      return {
        name: phase.phase,
        value,
        error: phase.quality.standard_error_mj,
        ...(parts.length > 0 ? { children: parts } : {}),
      };
    });
}

export interface FlowNode {
  id: string;
  label: string;
  column: number; // run, phase, layers, component, operation
}

export interface Link {
  source: string;
  target: string;
  value: number;
}

const MOST_GROUPS = 8;

/** Names of groups of layers: if there are too many layers for a chart, they are grouped. */
export function layerGroups(layers: number[]): (layer: number | null) => string {
  const most = Math.max(...layers, 0) + 1;
  const size = Math.ceil(most / MOST_GROUPS);
  return (layer) => {
    if (layer === null || size === 1) {
      return layerLabel(layer);
    }
    const first = Math.floor(layer / size) * size;
    const last = Math.min(first + size, most) - 1;
    return first === last ? layerLabel(first) : `layers ${first}–${last}`;
  };
}

/** Run ▸ phase ▸ layers ▸ component ▸ operation; `brief`: run ▸ phase ▸ component. */
export function energyFlows(run: Run, brief = false): { nodes: FlowNode[]; links: Link[] } {
  const nodes = new Map<string, FlowNode>();
  const links = new Map<string, Link>();
  const node = (column: number, label: string) => {
    const id = `${column}:${label}`; // a component and an operation may have the same name
    nodes.set(id, { id, label, column });
    return id;
  };
  const add = (source: string, target: string, value: number) => {
    const key = JSON.stringify([source, target]);
    const link = links.get(key) ?? { source, target, value: 0 };
    link.value += value;
    links.set(key, link);
  };
  const groupOf = layerGroups(
    run.components.map((part) => part.layer).filter((layer): layer is number => layer !== null),
  );
  for (const phase of run.phases) {
    const whole = phase.energy_mj ?? 0;
    if (whole <= 0) {
      continue;
    }
    const from = node(1, phase.phase);
    add(node(0, "run"), from, whole);
    let known = 0;
    for (const part of run.components) {
      const value = part.energy_mj ?? 0;
      if (part.phase === phase.phase && value > 0) {
        if (brief) {
          add(from, node(3, part.component), value);
        } else {
          const group = node(2, groupOf(part.layer));
          add(from, group, value);
          add(group, node(3, part.component), value);
        }
        known += value;
      }
    }
    if (known > 0 && whole - known > whole * 1e-3) {
      add(from, node(brief ? 3 : 2, "(other)"), whole - known);
    }
  }
  for (const operation of brief ? [] : run.operations) {
    const component = `3:${operation.component}`;
    if ((operation.energy_mj ?? 0) > 0 && nodes.has(component)) {
      add(component, node(4, operation.op), operation.energy_mj ?? 0);
    }
  }
  return { nodes: [...nodes.values()], links: [...links.values()] };
}
