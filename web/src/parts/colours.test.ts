import { expect, it } from "vitest";
import { inFlow, kindOf } from "./colours";

it("knows what a component is for", () => {
  expect(["q_proj", "attention", "rope", "kv_cache_store", "o_proj"].map(kindOf)).toEqual(
    Array(5).fill("attention"),
  );
  expect(["up_proj", "gate_proj", "down_proj", "activation"].map(kindOf)).toEqual(
    Array(4).fill("mlp"),
  );
  expect(["post_attention_layernorm", "final_norm"].map(kindOf)).toEqual(["norm", "norm"]);
  expect(["lm_head", "embedding", "(self)", "residual"].map(kindOf)).toEqual([
    "head",
    "embedding",
    "other",
    "other",
  ]);
});

it("sorts components as data flows, and others after them by name", () => {
  expect(["head 10", "lm_head", "down_proj", "head 2", "q_proj", "embedding"].sort(inFlow)).toEqual([
    "embedding",
    "q_proj",
    "down_proj",
    "lm_head",
    "head 2",
    "head 10",
  ]);
});
