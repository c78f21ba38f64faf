import { describe, expect, it } from "vitest";
import type { Run } from "../types";
import { energyFlows, energyTree } from "./flow";

const run = {
  phases: [
    { phase: "prefill", energy_mj: 100 },
    { phase: "decode", energy_mj: 1000 },
    { phase: "post_inference", energy_mj: null },
  ],
  components: [
    { phase: "decode", layer: 0, component: "q_proj", energy_mj: 300 },
    { phase: "decode", layer: 1, component: "q_proj", energy_mj: 200 },
    { phase: "decode", layer: null, component: "lm_head", energy_mj: 400 },
  ],
  operations: [{ phase: "decode", component: "q_proj", op: "MUL_MAT", energy_mj: 500 }],
} as unknown as Run;

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
    expect(tree[0]!.children).toBeUndefined();
  });
});

describe("energyFlows", () => {
  it("flows from the run to its operations, and leaves out what is not known", () => {
    const { nodes, links } = energyFlows(run);
    expect(nodes).not.toContain("post_inference");
    const value = (source: string, target: string) =>
      links.find((link) => link.source === source && link.target === target)?.value;
    expect(value("run", "decode")).toBe(1000);
    expect(value("decode", "q_proj")).toBe(500);
    expect(value("q_proj", "MUL_MAT\u2009")).toBe(500);
    expect(value("decode", "(other)")).toBe(100);
  });
});
