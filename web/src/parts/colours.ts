// One colour per kind of component, the same in every chart.

import type { Palette } from "../chart";

export type Kind = "attention" | "mlp" | "norm" | "head" | "embedding" | "other";

export function kindOf(component: string): Kind {
  if (/norm/.test(component)) {
    return "norm";
  }
  if (/^(q|k|v|o|qkv)_|rope|attention|kv_cache/.test(component)) {
    return "attention";
  }
  if (/gate|up_proj|down_proj|activation|mlp|expert|router|ffn/.test(component)) {
    return "mlp";
  }
  if (/lm_head/.test(component)) {
    return "head";
  }
  return /embedding/.test(component) ? "embedding" : "other";
}

/** In the order of data flow through a model; unknown components come last. */
const FLOW = [
  "embedding", "input_layernorm", "qkv_proj", "q_proj", "q_norm", "k_proj", "k_norm", "v_proj", "rope",
  "kv_cache_store", "attention", "o_proj", "post_attention_layernorm", "router", "gate_proj", "up_proj",
  "gate_up_proj", "activation", "down_proj", "residual", "get_rows", "final_norm", "lm_head",
];

/** Compares components for sorting. */
export function inFlow(a: string, b: string): number {
  const place = (name: string) => {
    const found = FLOW.indexOf(name);
    return found < 0 ? FLOW.length : found;
  };
  return place(a) - place(b) || a.localeCompare(b, "en", { numeric: true });
}

export function kindColour(kind: Kind, colors: Palette): string {
  const [accent, blue, green, violet, , teal] = colors.series;
  const colour = { attention: blue, mlp: accent, norm: violet, head: green, embedding: teal, other: colors.muted };
  return colour[kind] ?? colors.muted;
}

export const componentColour = (component: string, colors: Palette) =>
  kindColour(kindOf(component), colors);
