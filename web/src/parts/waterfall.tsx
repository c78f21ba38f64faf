// The energy of each token with its error, and the running sum.

import { useMemo } from "react";
import { Chart, axis, legend, tooltip, type Palette } from "../chart";
import { about, duration, energyOf, plusMinus, power, si, visible } from "../format";
import type { Token } from "../types";
import { NoEnergy } from "../ui";
import { errorBar } from "./error-bar";

export function Waterfall({
  tokens,
  selected,
  onPick,
}: {
  tokens: Token[];
  selected: number | null;
  onPick: (index: number) => void;
}) {
  const option = useMemo(() => {
    let sum = 0;
    const cumulative = tokens.map((token) => {
      sum += token.energy_mj ?? 0;
      return token.energy_mj === null ? null : sum / 1e3;
    });
    return (colors: Palette) => ({
      grid: { left: 58, right: 52, top: 38, bottom: 68 },
      legend: legend(colors),
      tooltip: tooltip(
        colors,
        (items: { dataIndex: number }[]) => {
          const at = items[0]?.dataIndex ?? 0;
          const token = tokens[at];
          return token
            ? [
                [`#${token.index}`, `“${visible(token.text)}”`],
                [{ strong: energyOf(token) }, plusMinus(token.quality.standard_error_mj)],
                [duration(token.duration_ms), "·", about(power(token.mean_power_mw), token.quality.method)],
                [`so far ${about(si(cumulative[at], "J"), token.quality.method)}`],
              ]
            : [];
        },
        { trigger: "axis" },
      ),
      xAxis: {
        ...axis("output token", colors, { nameGap: 24 }),
        type: "category",
        data: tokens.map((token) => token.index),
      },
      yAxis: [
        axis("energy, mJ", colors, { type: "value", nameGap: 44 }),
        axis("sum, J", colors, { type: "value", nameGap: 38, splitLine: { show: false } }),
      ],
      dataZoom: [
        { type: "inside", zoomOnMouseWheel: "ctrl" },
        {
          type: "slider",
          height: 14,
          bottom: 4,
          borderColor: "transparent",
          backgroundColor: colors.raised,
          fillerColor: `${colors.line}88`,
          showDetail: false,
          showDataShadow: false,
        },
      ],
      series: [
        {
          type: "bar",
          name: "token",
          itemStyle: { color: colors.series[0], borderRadius: [2, 2, 0, 0] },
          data: tokens.map((token) =>
            token.index === selected
              ? { value: token.energy_mj, itemStyle: { color: colors.series[4] } }
              : token.energy_mj,
          ),
          large: tokens.length > 2000,
        },
        {
          type: "custom",
          name: "± one standard error",
          silent: true,
          itemStyle: { color: colors.text },
          data: tokens.flatMap((token, index) => {
            const error = token.quality.standard_error_mj;
            return token.energy_mj === null || error === null
              ? []
              : [[index, Math.max(0, token.energy_mj - error), token.energy_mj + error]];
          }),
          encode: { x: 0, y: [1, 2] },
          renderItem: errorBar(colors.text),
        },
        {
          type: "line",
          name: "sum so far",
          yAxisIndex: 1,
          data: cumulative,
          showSymbol: false,
          lineStyle: { color: colors.series[1], width: 2 },
          itemStyle: { color: colors.series[1] },
        },
      ],
    });
  }, [tokens, selected]);
  return tokens.every((token) => token.energy_mj === null) ? (
    <NoEnergy />
  ) : (
    <Chart
      label="Energy of each output token"
      height={330}
      option={option}
      onClick={(item) => onPick(tokens[item.dataIndex]?.index ?? 0)}
    />
  );
}
