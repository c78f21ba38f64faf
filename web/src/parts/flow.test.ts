import { describe, expect, it } from "vitest";
import type { LayerOperation, Run } from "../types";
import { energyFlows, energyTree, layerGroups } from "./flow";

const quality = { standard_error_mj: 1 };
const run = {
  phases: [
    { phase: "prefill", energy_mj: 100, quality },
    { phase: "decode", energy_mj: 1000, quality },
    { phase: "post_inference", energy_mj: null, quality },
  ],
  components: [
    { phase: "decode", layer: 0, component: "q_proj", energy_mj: 300, quality },
    { phase: "decode", layer: 1, component: "q_proj", energy_mj: 200, quality },
    { phase: "decode", layer: null, component: "lm_head", energy_mj: 400, quality },
  ],
  operations: [{ phase: "decode", component: "q_proj", op: "MUL_MAT", energy_mj: 500 }],
} as unknown as Run;
const operation = (layer: number, op: string, energy_mj: number) =>
  ({ phase: "decode", layer, component: "q_proj", op, energy_mj }) as LayerOperation;

describe("energyTree", () => {
  it("adds up at each level", () => {
    const tree = energyTree(run);
    expect(tree.map((node) => node.name)).toEqual(["prefill", "decode"]);
    const decode = tree[1]!;
    expect(decode.children!.reduce((sum, child) => sum + child.value, 0)).toBe(decode.value);
    expect(decode.children!.map((child) => child.name)).toEqual([
      "layer 0",
      "layer 1",
      "outside the layers",
      "(other)",
    ]);
    expect(decode.error).toBe(1);
    expect(tree[0]!.children).toBeUndefined();
  });

  it("goes down to the operations of each layer, where a component has several", () => {
    const tree = energyTree(run, [
      operation(0, "MUL_MAT", 280),
      operation(0, "ADD", 20),
      operation(1, "MUL_MAT", 200),
    ]);
    const layers = tree[1]!.children!;
    expect(layers[0]!.children![0]!.children!.map((node) => [node.name, node.value])).toEqual([
      ["MUL_MAT", 280],
      ["ADD", 20],
    ]);
    expect(layers[1]!.children![0]!.children).toBeUndefined();
  });
});

describe("energyFlows", () => {
  it("flows from the run to its operations, and leaves out what is not known", () => {
    const { nodes, links } = energyFlows(run);
    expect(nodes.map((node) => node.label)).not.toContain("post_inference");
    const value = (source: string, target: string) =>
      links.find((link) => link.source === source && link.target === target)?.value;
    expect(value("0:run", "1:decode")).toBe(1000);
    expect(value("1:decode", "2:layer 0")).toBe(300);
    expect(value("2:layer 1", "3:q_proj")).toBe(200);
    expect(value("3:q_proj", "4:MUL_MAT")).toBe(500);
    expect(value("1:decode", "2:(other)")).toBe(100);
  });

  it("flows straight to the components where there is little room", () => {
    const { nodes, links } = energyFlows(run, true);
    expect(new Set(nodes.map((node) => node.column))).toEqual(new Set([0, 1, 3]));
    const value = (source: string, target: string) =>
      links.find((link) => link.source === source && link.target === target)?.value;
    expect(value("1:decode", "3:q_proj")).toBe(500);
    expect(value("1:decode", "3:(other)")).toBe(100);
  });

  it("takes layers together where they are more than a chart can show", () => {
    const few = layerGroups([0, 1, 2]);
    expect([few(2), few(null)]).toEqual(["layer 2", "outside the layers"]);
    const many = layerGroups(Array.from({ length: 33 }, (_, layer) => layer));
    expect([many(0), many(4), many(5), many(32)]).toEqual([
      "layers 0–4",
      "layers 0–4",
      "layers 5–9",
      "layers 30–32",
    ]);
  });
});
