// One colour for each kind of component, the same in every chart.

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

export function kindColour(kind: Kind, colors: Palette): string {
  const [accent, blue, green, violet, , teal] = colors.series;
  const colour = { attention: blue, mlp: accent, norm: violet, head: green, embedding: teal, other: colors.muted };
  return colour[kind] ?? colors.muted;
}

export const componentColour = (component: string, colors: Palette) =>
  kindColour(kindOf(component), colors);
