/// <reference types="node" />
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

type Colours = Record<string, string>;

const coloursOf = (text: string): Colours =>
  Object.fromEntries([...text.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map((found) => [found[1], found[2]]));
const css = readFileSync(join(import.meta.dirname, "tokens.css"), "utf8"); // vitest imports no
                                                                           // style sheets
const [first = "", second = ""] = css.split(':root[data-theme="light"]');
const dark = coloursOf(first);
const themes: Record<string, Colours> = { dark, light: { ...dark, ...coloursOf(second) } };

/** Relative luminance and contrast as defined by WCAG 2.2. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
function contrast(a: string, b: string): number {
  const [bright = 0, dim = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (bright + 0.05) / (dim + 0.05);
}

const TEXT = ["text", "muted", "accent", "blue", "green", "red"];
const GROUND = ["bg", "panel", "panel-2"];
const FILLED = ["muted", "accent", "blue", "green", "violet", "teal"];

it.each(Object.entries(themes))("text can be read in the %s theme: 4.5 to 1 at least", (_, colours) => {
  const pairs = [
    ...TEXT.flatMap((text) => GROUND.map((ground) => [text, ground])),
    ...FILLED.map((fill) => ["on-colour", fill]),
    ...["accent", "blue", "green", "violet"].map((fill) => ["accent-text", fill]),
  ];
  for (const [text = "", ground = ""] of pairs) {
    expect(contrast(colours[text]!, colours[ground]!), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
  }
});
