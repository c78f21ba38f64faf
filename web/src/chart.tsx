// An ECharts drawing that follows its box and the theme.

import {
  BarChart,
  CustomChart,
  HeatmapChart,
  LineChart,
  SankeyChart,
  ScatterChart,
  TreemapChart,
} from "echarts/charts";
import {
  DataZoomComponent,
  GridComponent,
  LegendComponent,
  MarkAreaComponent,
  MarkLineComponent,
  TooltipComponent,
  VisualMapComponent,
} from "echarts/components";
import { init, use, type EChartsCoreOption, type EChartsType } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { useEffect, useRef } from "react";
import { useTheme } from "./theme";

use([
  BarChart,
  CustomChart,
  HeatmapChart,
  LineChart,
  SankeyChart,
  ScatterChart,
  TreemapChart,
  DataZoomComponent,
  GridComponent,
  LegendComponent,
  MarkAreaComponent,
  MarkLineComponent,
  TooltipComponent,
  VisualMapComponent,
  CanvasRenderer,
]);

export interface Palette {
  text: string;
  muted: string;
  line: string;
  panel: string;
  series: string[];
  heat: string[];
}

/** Colours from the style sheet, for what is drawn on a canvas. */
export function palette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const light = document.documentElement.dataset.theme === "light";
  return {
    text: color("--text"),
    muted: color("--muted"),
    line: color("--line"),
    panel: color("--panel"),
    series: [
      color("--accent"),
      color("--blue"),
      color("--green"),
      color("--violet"),
      color("--red"),
      "#38bdc8",
      "#d98ad1",
      "#9bb04a",
    ],
    heat: light
      ? ["#eef2f8", "#f9d48c", "#ea9a2c", "#b8480f", "#5e1406"]
      : ["#18212d", "#5b3a12", "#b8690f", "#ffb02e", "#fff1cf"],
  };
}

/** An axis with its name and unit, in the colours of the theme. */
export function axis(name: string, colors: Palette, more: object = {}) {
  return {
    name,
    nameLocation: "middle" as const,
    nameGap: 30,
    nameTextStyle: { color: colors.muted, fontSize: 12 },
    axisLabel: { color: colors.muted, hideOverlap: true },
    axisLine: { lineStyle: { color: colors.line } },
    splitLine: { lineStyle: { color: colors.line, opacity: 0.5 } },
    ...more,
  };
}

export function tooltip(colors: Palette, more: object = {}) {
  return {
    backgroundColor: colors.panel,
    borderColor: colors.line,
    textStyle: { color: colors.text, fontSize: 12 },
    confine: true,
    ...more,
  };
}

interface Props {
  label: string; // for those who do not see it
  height: number;
  option: (colors: Palette) => EChartsCoreOption;
  onClick?: (parameters: { data?: unknown; dataIndex: number; name: string }) => void;
}

export function Chart({ label, height, option, onClick }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<EChartsType | null>(null);
  const { theme } = useTheme();
  const click = useRef(onClick);
  click.current = onClick;

  useEffect(() => {
    const element = box.current;
    if (!element) {
      return;
    }
    const drawing = init(element, null, { renderer: "canvas" });
    chart.current = drawing;
    drawing.on("click", (parameters) =>
      click.current?.(parameters as unknown as { data?: unknown; dataIndex: number; name: string }),
    );
    const observer = new ResizeObserver(() => drawing.resize());
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawing.dispose();
      chart.current = null;
    };
  }, []);

  useEffect(() => {
    chart.current?.setOption(
      { animation: false, textStyle: { fontFamily: "inherit" }, ...option(palette()) },
      { notMerge: true, lazyUpdate: true },
    );
  }, [option, theme]);

  return <div ref={box} className="chart" style={{ height }} role="img" aria-label={label} />;
}
