// An ECharts drawing that follows the size of its box and the theme.

import type { EChartsCoreOption, EChartsType } from "echarts/core";
import { useEffect, useRef, useState } from "react";
import { short } from "./format";
import { useTheme } from "./theme";
import { State } from "./ui";
import "./chart.css";

export const FONT = '"Inter Variable", system-ui, "Segoe UI", Roboto, sans-serif';

// Text on a canvas does not change when its font is loaded, so wait for the font.
const ready = Promise.all([
  import("./echarts"),
  document.fonts.load(`12px ${FONT}`).catch(() => []),
]).then(([module]) => module);

ready.catch(() => undefined); // each chart reports the failure

export interface Palette {
  text: string;
  muted: string;
  line: string;
  panel: string;
  raised: string;
  series: string[];
  heat: string[];
  onColour: string; // text on a coloured area
  phases: Record<string, string>;
}

/** The style sheet's colours, for drawing on a canvas. */
export function palette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(name).trim();
  return {
    text: color("--text"),
    muted: color("--muted"),
    line: color("--line"),
    panel: color("--panel"),
    raised: color("--panel-2"),
    series: ["--accent", "--blue", "--green", "--violet", "--red", "--teal", "--pink"].map(color),
    heat: ["--heat-0", "--heat-1", "--heat-2", "--heat-3", "--heat-4"].map(color),
    onColour: color("--on-colour"),
    phases: {
      pre_inference: color("--pre-inference"),
      prefill: color("--prefill"),
      decode: color("--decode"),
      post_inference: color("--post-inference"),
    },
  };
}

/** An axis with its name and unit, in the theme's colours. */
export function axis(name: string, colors: Palette, more: object = {}) {
  return {
    name,
    nameLocation: "middle" as const,
    nameGap: 30,
    nameTextStyle: { color: colors.muted, fontSize: 11.5 },
    axisLabel: { color: colors.muted, hideOverlap: true, fontSize: 11 },
    axisLine: { lineStyle: { color: colors.line } },
    axisTick: { lineStyle: { color: colors.line } },
    splitLine: { lineStyle: { color: colors.line, opacity: 0.55 } },
    ...more,
  };
}

/** A part of a tooltip line: plain text, strong text, or a dot in a series' colour. */
export type Part = string | { strong: string } | { dot: string };
export type Line = Part[];

/** Names come from files of others, so they become text nodes and are never parsed as HTML. */
function drawn(lines: Line[]): HTMLElement {
  const box = document.createElement("div");
  box.className = "tip";
  for (const line of lines) {
    const row = document.createElement("div");
    for (const part of line) {
      if (typeof part === "string") {
        row.append(Object.assign(document.createElement("bdi"), { textContent: short(part) }));
      } else if ("strong" in part) {
        row.append(Object.assign(document.createElement("b"), { textContent: short(part.strong) }));
      } else {
        const dot = document.createElement("span");
        dot.className = "dot";
        dot.style.background = part.dot;
        row.append(dot);
      }
      row.append(" ");
    }
    box.append(row);
  }
  return box;
}

/** `lines` gets ECharts' item; without an item there is no tooltip. */
export function tooltip<Item>(colors: Palette, lines: (item: Item) => Line[], more: object = {}) {
  return {
    formatter: (item: Item) => {
      const said = lines(item);
      return said.length === 0 ? "" : drawn(said);
    },
    backgroundColor: colors.raised,
    borderColor: colors.line,
    padding: [8, 11],
    textStyle: { color: colors.text, fontSize: 12, fontFamily: FONT },
    extraCssText: "box-shadow: 0 6px 24px rgb(0 0 0 / 0.28); border-radius: 8px;",
    confine: true,
    ...more,
  };
}

export const legend = (colors: Palette, more: object = {}) => ({
  top: 0,
  left: 0,
  itemWidth: 12,
  itemHeight: 8,
  itemGap: 16,
  icon: "roundRect",
  inactiveColor: colors.line,
  textStyle: { color: colors.muted, fontSize: 12 },
  formatter: (name: string) => short(name, 32),
  ...more,
});

interface Props {
  label: string; // for screen readers
  height: number;
  option: (colors: Palette) => EChartsCoreOption;
  onClick?: (parameters: { data?: unknown; dataIndex: number; name: string }) => void;
}

export function Chart({ label, height, option, onClick }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [chart, setChart] = useState<EChartsType | null>(null);
  const [failed, setFailed] = useState(false);
  const { theme } = useTheme();
  const drawnIn = useRef<string | null>(null); // the theme it was drawn in
  const click = useRef(onClick);
  click.current = onClick;

  useEffect(() => {
    const element = box.current;
    let drawing: EChartsType | null = null;
    let gone = false;
    const observer = new ResizeObserver(() => drawing?.resize());
    void ready.then(({ init }) => {
      if (gone || !element) {
        return;
      }
      drawing = init(element, null, { renderer: "canvas" });
      drawing.on("click", (parameters) =>
        click.current?.(parameters as unknown as { data?: unknown; dataIndex: number; name: string }),
      );
      observer.observe(element);
      setChart(drawing);
    }, () => setFailed(true)); // the server went away before the whole page was loaded
    return () => {
      gone = true;
      observer.disconnect();
      drawing?.dispose();
      setChart(null);
    };
  }, []);

  useEffect(() => {
    chart?.setOption(
      { animation: false, textStyle: { fontFamily: FONT }, ...option(palette()) },
      {
        // Keep what the reader pointed at, zoomed into or switched off while data arrive.
        notMerge: drawnIn.current !== theme,
        replaceMerge: ["series"],
        // Immediately: the pointer must not hit shapes of old data.
        lazyUpdate: false,
      },
    );
    const first = drawnIn.current === null;
    drawnIn.current = chart && theme;
    if (chart && first) {
      performance.mark("chart", { detail: label }); // tools/bench dashboard waits for it
    }
  }, [chart, option, theme, label]);

  return failed ? (
    <div className="hold" style={{ height }}>
      <State title="The charts could not be loaded">Reload the page when the server answers.</State>
    </div>
  ) : (
    <div
      ref={box}
      className="chart"
      style={{ height }}
      role="img"
      aria-label={label}
      aria-busy={chart === null}
    />
  );
}
