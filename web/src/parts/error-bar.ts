// A line from low to high with caps at both ends, for a custom series of [x, low, high].

interface DrawingApi {
  value: (dimension: number) => number;
  coord: (point: number[]) => number[];
  size?: (of: number[]) => number[];
}

export function errorBar(color: string, offset = 0, cap = 4) {
  return (_: unknown, api: DrawingApi) => {
    const [at = 0, low = 0] = api.coord([api.value(0), api.value(1)]);
    const [, high = 0] = api.coord([api.value(0), api.value(2)]);
    const size = api.size?.([1, 0])[0] ?? Number.NaN; // undefined on a logarithmic axis
    const band = Number.isFinite(size) && size > 0 ? size : 4 * cap;
    const half = Math.min(cap, band / 4);
    const x = at + offset * band;
    const style = { stroke: color, lineWidth: 1.2, opacity: 0.75 };
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
