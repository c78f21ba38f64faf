// The charts of one run.

import { useMemo } from "react";
import { Chart, axis, tooltip, type Palette } from "../chart";
import { digits, duration, energy, plusMinus, power, visible } from "../format";
import type { OperationFigure, Phase, Run, Token } from "../types";
import { energyFlows, energyTree } from "./flow";

export function PhaseTimeline({ phases, sections }: { phases: Phase[]; sections: Run["sections"] }) {
  const total = phases.reduce((sum, phase) => sum + phase.duration_ms, 0);
  const joules = phases.reduce((sum, phase) => sum + (phase.energy_mj ?? 0), 0);
  const colors = ["var(--muted)", "var(--blue)", "var(--accent)", "var(--violet)"];
  const bar = (title: string, share: (phase: Phase) => number, all: number) => (
    <div>
      <div className="note">{title}</div>
      <div
        style={{ display: "flex", height: 26, borderRadius: 6, overflow: "hidden", gap: 1 }}
        role="img"
        aria-label={title}
      >
        {phases.map((phase, index) => (
          <div
            key={phase.phase}
            title={`${phase.phase}\n${duration(phase.duration_ms)}\n${energy(phase.energy_mj)} ${plusMinus(phase.quality.standard_error_mj)}\n${power(phase.mean_power_mw)}`}
            style={{
              flexGrow: all > 0 ? share(phase) / all : 0,
              background: colors[index % colors.length],
              minWidth: 2,
            }}
          />
        ))}
      </div>
    </div>
  );
  return (
    <div className="form">
      {bar("time", (phase) => phase.duration_ms, total)}
      {bar("energy", (phase) => phase.energy_mj ?? 0, joules)}
      <div className="scroll">
        <table>
          <thead>
            <tr>
              <th>phase / section</th>
              <th className="num">time</th>
              <th className="num">energy</th>
              <th className="num">dynamic</th>
              <th className="num">mean power</th>
            </tr>
          </thead>
          <tbody>
            {phases.map((phase, index) => [
              <tr key={phase.phase}>
                <td>
                  <span
                    className="dot"
                    style={{
                      display: "inline-block",
                      width: 9,
                      height: 9,
                      borderRadius: 3,
                      marginRight: 7,
                      background: colors[index % colors.length],
                    }}
                  />
                  {phase.phase}
                </td>
                <td className="num">{duration(phase.duration_ms)}</td>
                <td className="num">
                  {energy(phase.energy_mj)}{" "}
                  <span className="muted">{plusMinus(phase.quality.standard_error_mj)}</span>
                </td>
                <td className="num">{energy(phase.dynamic_energy_mj)}</td>
                <td className="num">{power(phase.mean_power_mw)}</td>
              </tr>,
              ...sections
                .filter((section) => section.phase === phase.phase)
                .map((section) => (
                  <tr key={`${phase.phase}/${section.name}`} className="muted">
                    <td style={{ paddingLeft: 32 }}>
                      {section.name} {section.count > 1 ? `× ${section.count}` : ""}
                    </td>
                    <td className="num">{duration(section.duration_ms)}</td>
                    <td className="num">{energy(section.energy_mj)}</td>
                    <td className="num">{energy(section.dynamic_energy_mj)}</td>
                    <td className="num">{power(section.mean_power_mw)}</td>
                  </tr>
                )),
            ])}
          </tbody>
        </table>
      </div>
    </div>
  );
}

interface DrawingApi {
  value: (dimension: number) => number;
  coord: (point: number[]) => number[];
  size: (of: number[]) => number[];
}

/** A stroke from low to high with a cap at either end. */
function errorBar(color: string) {
  return (_: unknown, api: DrawingApi) => {
    const [x = 0, low = 0] = api.coord([api.value(0), api.value(1)]);
    const [, high = 0] = api.coord([api.value(0), api.value(2)]);
    const half = Math.min(4, (api.size([1, 0])[0] ?? 8) / 4);
    const style = { stroke: color, lineWidth: 1, opacity: 0.6 };
    const line = (x1: number, y1: number, x2: number, y2: number) => ({
      type: "line",
      shape: { x1, y1, x2, y2 },
      style,
    });
    return {
      type: "group",
      children: [
        line(x, low, x, high),
        line(x - half, low, x + half, low),
        line(x - half, high, x + half, high),
      ],
    };
  };
}

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
      grid: { left: 60, right: 60, top: 30, bottom: 62 },
      legend: { top: 0, left: 0, textStyle: { color: colors.muted } },
      tooltip: tooltip(colors, {
        trigger: "axis",
        formatter: (items: { dataIndex: number }[]) => {
          const token = tokens[items[0]?.dataIndex ?? 0];
          return token
            ? `#${token.index} "${visible(token.text).replaceAll("<", "&lt;")}"<br><b>${energy(token.energy_mj)}</b> ${plusMinus(token.quality.standard_error_mj)}<br>${duration(token.duration_ms)} · ${power(token.mean_power_mw)}`
            : "";
        },
      }),
      xAxis: {
        ...axis("output token", colors),
        type: "category",
        data: tokens.map((token) => token.index),
      },
      yAxis: [
        axis("energy, mJ", colors, { type: "value", nameGap: 44 }),
        axis("sum, J", colors, { type: "value", nameGap: 44, splitLine: { show: false } }),
      ],
      dataZoom: [
        { type: "inside" },
        { type: "slider", height: 16, bottom: 6, borderColor: colors.line },
      ],
      series: [
        {
          type: "bar",
          name: "token",
          data: tokens.map((token) => ({
            value: token.energy_mj,
            itemStyle: { color: token.index === selected ? colors.series[4] : colors.series[0] },
          })),
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
          name: "cumulative",
          yAxisIndex: 1,
          data: cumulative,
          showSymbol: false,
          lineStyle: { color: colors.series[1], width: 2 },
          itemStyle: { color: colors.series[1] },
        },
      ],
    });
  }, [tokens, selected]);
  return (
    <Chart
      label="Energy of each output token"
      height={270}
      option={option}
      onClick={(item) => onPick(tokens[item.dataIndex]?.index ?? 0)}
    />
  );
}

export function EnergyTreemap({ run }: { run: Run }) {
  const option = useMemo(() => {
    const data = energyTree(run);
    return (colors: Palette) => ({
      color: colors.series,
      tooltip: tooltip(colors, {
        formatter: (item: { name: string; value: number; treePathInfo: { name: string }[] }) =>
          `${item.treePathInfo
            .map((part) => part.name)
            .filter((name) => name)
            .join(" ▸ ")}<br><b>${energy(item.value)}</b>`,
      }),
      series: [
        {
          type: "treemap",
          data,
          roam: false,
          left: 0,
          right: 0,
          top: 0,
          bottom: 26,
          breadcrumb: {
            itemStyle: { color: colors.line, textStyle: { color: colors.text } },
            bottom: 0,
          },
          itemStyle: { borderColor: colors.panel, borderWidth: 1, gapWidth: 1 },
          upperLabel: { show: true, height: 20, color: "#fff", fontSize: 11 },
          visibleMin: 40,
          levels: [
            { itemStyle: { gapWidth: 3 }, upperLabel: { show: false } },
            { colorSaturation: [0.35, 0.75], itemStyle: { gapWidth: 2 } },
            { colorSaturation: [0.3, 0.65], itemStyle: { gapWidth: 1 } },
          ],
          label: { color: "#fff", fontSize: 11 },
        },
      ],
    });
  }, [run]);
  return <Chart label="Energy by phase, layer and component" height={360} option={option} />;
}

export function EnergySankey({ run }: { run: Run }) {
  const option = useMemo(() => {
    const { nodes, links } = energyFlows(run);
    return (colors: Palette) => ({
      tooltip: tooltip(colors, {
        formatter: (item: { name: string; value: number; data: { source?: string; target?: string } }) =>
          item.data.source
            ? `${item.data.source} ▸ ${item.data.target}<br><b>${energy(item.value)}</b>`
            : `${item.name}<br><b>${energy(item.value)}</b>`,
      }),
      series: [
        {
          type: "sankey",
          left: 4,
          right: 110,
          top: 8,
          bottom: 8,
          nodeGap: 7,
          nodeWidth: 14,
          draggable: false,
          data: nodes.map((name, index) => ({
            name,
            itemStyle: { color: colors.series[index % colors.series.length], borderWidth: 0 },
          })),
          links,
          label: { color: colors.text, fontSize: 11 },
          lineStyle: { color: "source", opacity: 0.28 },
          emphasis: { focus: "adjacency" },
        },
      ],
    });
  }, [run]);
  return <Chart label="Flow of energy from the run to its operations" height={460} option={option} />;
}

/** Operations by intensity (FLOP/byte) and energy a FLOP: what moves bytes lies left and high. */
export function Roofline({ operations }: { operations: OperationFigure[] }) {
  const points = useMemo(
    () =>
      operations.filter(
        (operation) =>
          (operation.flops ?? 0) > 0 && (operation.bytes ?? 0) > 0 && (operation.energy_mj ?? 0) > 0,
      ),
    [operations],
  );
  const option = useMemo(() => {
    const most = Math.max(...points.map((point) => point.energy_mj ?? 0), 1e-9);
    const phases = [...new Set(points.map((point) => point.phase))];
    return (colors: Palette) => ({
      grid: { left: 74, right: 20, top: 34, bottom: 52 },
      legend: { top: 0, left: 0, textStyle: { color: colors.muted } },
      tooltip: tooltip(colors, {
        formatter: (item: { data: { operation: OperationFigure } }) => {
          const { operation } = item.data;
          const joules = (operation.energy_mj ?? 0) / 1e3;
          return `${operation.component} · ${operation.op} (${operation.phase})<br><b>${energy(operation.energy_mj)}</b> ${plusMinus(operation.quality.standard_error_mj)}<br>${digits((joules / (operation.flops ?? 1)) * 1e12)} pJ/FLOP · ${digits((joules / (operation.bytes ?? 1)) * 1e12)} pJ/byte`;
        },
      }),
      xAxis: axis("arithmetic intensity, FLOP/byte", colors, { type: "log" }),
      yAxis: axis("energy, pJ/FLOP", colors, { type: "log", nameGap: 54 }),
      series: phases.map((phase, index) => ({
        type: "scatter",
        name: phase,
        itemStyle: { color: colors.series[index], opacity: 0.75 },
        data: points
          .filter((point) => point.phase === phase)
          .map((operation) => ({
            operation,
            value: [
              (operation.flops ?? 1) / (operation.bytes ?? 1),
              ((operation.energy_mj ?? 0) / 1e3 / (operation.flops ?? 1)) * 1e12,
            ],
            symbolSize: 8 + 34 * Math.sqrt((operation.energy_mj ?? 0) / most),
          })),
      })),
    });
  }, [points]);
  return <Chart label="Energy roofline of operation classes" height={360} option={option} />;
}
