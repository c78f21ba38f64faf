// Where the joules went, as a tree (treemap) and as flows (Sankey).

import type { Run } from "../types";

export interface Node {
  name: string;
  value: number; // mJ
  children?: Node[];
}

const layerLabel = (layer: number | null) => (layer === null ? "outside the layers" : `layer ${layer}`);

/** Phase ▸ layer ▸ component. What no component has stays with its phase, as "(other)". */
export function energyTree(run: Run): Node[] {
  return run.phases
    .filter((phase) => (phase.energy_mj ?? 0) > 0)
    .map((phase) => {
      const mine = run.components.filter((component) => component.phase === phase.phase);
      const layers = [...new Set(mine.map((component) => component.layer))];
      const children: Node[] = layers.map((layer) => {
        const parts = mine
          .filter((component) => component.layer === layer && (component.energy_mj ?? 0) > 0)
          .map((component) => ({ name: component.component, value: component.energy_mj ?? 0 }));
        return {
          name: layerLabel(layer),
          value: parts.reduce((sum, part) => sum + part.value, 0),
          children: parts,
        };
      });
      const total = phase.energy_mj ?? 0;
      const rest = total - children.reduce((sum, child) => sum + child.value, 0);
      if (children.length > 0 && rest > total * 1e-6) {
        children.push({ name: "(other)", value: rest });
      }
      return { name: phase.phase, value: total, ...(children.length > 0 ? { children } : {}) };
    });
}

export interface Link {
  source: string;
  target: string;
  value: number;
}

/** Run ▸ phase ▸ component ▸ operation class. Operations of deep runs only. */
export function energyFlows(run: Run): { nodes: string[]; links: Link[] } {
  const links = new Map<string, Link>();
  const add = (source: string, target: string, value: number | null) => {
    if (value === null || value <= 0) {
      return;
    }
    const key = `${source}\n${target}`;
    const link = links.get(key) ?? { source, target, value: 0 };
    link.value += value;
    links.set(key, link);
  };
  for (const phase of run.phases) {
    add("run", phase.phase, phase.energy_mj);
    const mine = run.components.filter((component) => component.phase === phase.phase);
    for (const component of mine) {
      add(phase.phase, component.component, component.energy_mj);
    }
    if (mine.length > 0) {
      const known = mine.reduce((sum, component) => sum + (component.energy_mj ?? 0), 0);
      const rest = (phase.energy_mj ?? 0) - known;
      add(phase.phase, "(other)", rest > (phase.energy_mj ?? 0) * 1e-3 ? rest : null);
    }
  }
  for (const operation of run.operations) {
    // A name of its own, as components and operations may be called alike.
    add(operation.component, `${operation.op}\u2009`, operation.energy_mj);
  }
  const list = [...links.values()];
  const nodes = [...new Set(list.flatMap((link) => [link.source, link.target]))];
  return { nodes, links: list };
}
