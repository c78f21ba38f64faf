"""The results as one page that needs nothing else: tables, and charts as SVG."""

import html
import math

STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --dim: #5c6570; --line: #d4d9df; --back: #fff; --on: #fde9c8;
  --curve: #1f5fbf; --good: #17733a; --bad: #b3261e; --skip: #6b5d00; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ec; --dim: #9aa4af; --line: #3a424b; --back: #14181c;
  --on: #4a3a1c; --curve: #7db2ff; --good: #6fd08c; --bad: #ff8a80; --skip: #d9c65a; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .3rem; } p { margin: .3rem 0; }
table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .15rem .7rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child { text-align: left; } th { color: var(--dim); font-weight: 600; }
.passed { color: var(--good); } .failed { color: var(--bad); } .skipped { color: var(--skip); }
.dim { color: var(--dim); } .charts { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; } figcaption { color: var(--dim); font-size: .85rem; } ul { margin: .3rem 0; padding-left: 1.2rem; }
svg text { fill: var(--dim); font: 11px system-ui, sans-serif; } .axis { stroke: var(--line); fill: none; }
.curve { stroke: var(--curve); fill: none; stroke-width: 1.6; } .bar { fill: var(--curve); } .shade { fill: var(--on); }
"""
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 300, 180, 46, 34, 10


def text(value):
    return html.escape(str(value), quote=True)


def number(value, digits=4):
    """A number for people; a dash where it is not known."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{value:.{digits}g}" if abs(value) < 10 ** digits else f"{value:.0f}"
    return f"{value:.{digits - 1}e}"


def table(head, rows):
    cells = "".join(f"<th>{text(each)}</th>" for each in head)
    body = "".join("<tr>" + "".join(f"<td>{text(each)}</td>" for each in row) + "</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{body}</table>"


class Chart:
    """Axes with their units; coordinates are those of the data."""

    def __init__(self, title, across, up, x_range, y_range, x_ticks=None):
        self.title, self.parts = title, []
        (self.x0, self.x1), (self.y0, self.y1) = x_range, y_range
        if self.x1 <= self.x0:
            self.x1 = self.x0 + 1
        if self.y1 <= self.y0:
            self.y1 = self.y0 + 1
        bottom = HEIGHT - BOTTOM
        self.parts.append(f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{WIDTH - 8}"/>')
        ticks = x_ticks or [(value, number(value, 3)) for value in (self.x0, (self.x0 + self.x1) / 2, self.x1)]
        for place, (value, label) in enumerate(ticks):
            anchor = "end" if place == len(ticks) - 1 else "middle"
            self.parts.append(f'<text x="{self.x(value):.1f}" y="{bottom + 14}" text-anchor="{anchor}">{label}</text>')
        for value in (self.y0, (self.y0 + self.y1) / 2, self.y1):
            self.parts.append(f'<text x="{LEFT - 4}" y="{self.y(value) + 4:.1f}" text-anchor="end">'
                              f'{number(value, 3)}</text>')
        self.parts.append(f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 4}" text-anchor="middle">{text(across)}</text>')
        self.parts.append(f'<text x="12" y="{HEIGHT / 2}" text-anchor="middle" '
                          f'transform="rotate(-90 12 {HEIGHT / 2})">{text(up)}</text>')

    def x(self, value):
        return LEFT + (value - self.x0) / (self.x1 - self.x0) * (WIDTH - 8 - LEFT)

    def y(self, value):
        return HEIGHT - BOTTOM - (value - self.y0) / (self.y1 - self.y0) * (HEIGHT - BOTTOM - TOP)

    def shade(self, begin, end):
        self.parts.insert(0, f'<rect class="shade" x="{self.x(begin):.1f}" y="{TOP}" '
                             f'width="{self.x(end) - self.x(begin):.1f}" height="{HEIGHT - BOTTOM - TOP}"/>')

    def bar(self, begin, end, value):
        self.parts.append(f'<rect class="bar" x="{self.x(begin):.1f}" y="{self.y(value):.1f}" '
                          f'width="{max(self.x(end) - self.x(begin) - 1, 0.5):.1f}" '
                          f'height="{self.y(self.y0) - self.y(value):.1f}"/>')

    def curve(self, points):
        """Broken where a value is not known."""
        path, pen = "", "M"
        for x, y in points:
            if y is None:
                pen = "M"
                continue
            path += f"{pen}{self.x(x):.1f} {self.y(y):.1f}"
            pen = "L"
        self.parts.append(f'<path class="curve" d="{path}"/>')

    def render(self):
        return (f'<figure><svg role="img" aria-label="{text(self.title)}" width="{WIDTH}" height="{HEIGHT}" '
                f'viewBox="0 0 {WIDTH} {HEIGHT}">{"".join(self.parts)}</svg>'
                f"<figcaption>{text(self.title)}</figcaption></figure>")


def histogram(value):
    """How long the steps of a counter are apart."""
    periods = sorted(value["periods_ms"])
    if len(periods) < 10:
        return ""
    low, high = periods[len(periods) // 100], periods[-1 - len(periods) // 100]
    if high <= low:
        low, high = low * 0.9, high * 1.1
    bins = [0] * 30
    for period in periods:
        place = int((period - low) / (high - low) * len(bins))
        if 0 <= place < len(bins):
            bins[place] += 1
    chart = Chart(f"{value['name']}: time between steps", "ms", "steps", (low, high), (0, max(bins)))
    width = (high - low) / len(bins)
    for place, count in enumerate(bins):
        chart.bar(low + place * width, low + (place + 1) * width, count)
    return chart.render()


def draw_machine(facts):
    return table(("", ""), [(key.replace("_", " "), "–" if value in (None, "", []) else
                             ", ".join(map(str, value)) if isinstance(value, list) else value)
                            for key, value in facts.items()])


def draw_sources(facts):
    return table(("source", "state", "what it says", "what would help"),
                 [(each["what"], each.get("state", ""), each["detail"], each.get("fix") or "")
                  for each in facts.get("sources", [])])


def draw_steps(facts):
    rows = [(each["name"], number(each["period_ms"]),
             f"{number(each['period_p05_ms'])} … {number(each['period_p95_ms'])}",
             f"{number(each['quantum'], 6)} {each['unit']}" if each["quantum"] else "–",
             each["steps"], number(each["read_us"], 3)) for each in facts["values"]]
    return (table(("value", "period, ms", "5 … 95 %, ms", "quantum", "steps", "a reading, µs"), rows) +
            '<div class="charts">' + "".join(histogram(each) for each in facts["values"]) + "</div>" +
            bullets(facts["notes"]))


def draw_idle(facts):
    return table(("domain", "power, W", "spread of windows, W", "windows", "covered, %"),
                 [(each["name"], number(watts(each["power_mw"])), number(watts(each["spread_mw"])), each["windows"],
                   number(100 * each["coverage"])) for each in facts["domains"]])


def draw_counter(facts):
    load = facts["load"] or f"none: {facts['why_no_load']}"
    return (f"<p>Load, on and off in turns of a second: {text(load)}</p>" +
            table(("value", "energy, J", "readings"),
                  [(each["name"], number(each["energy_mj"] / 1e3, 6), each["readings"])
                   for each in facts["energies"]]))


def watts(milliwatts):
    return None if milliwatts is None else milliwatts / 1e3


def draw_wave(facts):
    waves = [each for each in facts["waves"] if "error" not in each]
    rows = [(number(each["hz"]), number(500 / each["hz"]), number(each["window_ms"]), number(watts(each["on_mw"])),
             number(watts(each["off_mw"])), number(watts(each["on_windows_mw"])),
             number(watts(each["off_windows_mw"])), number(each.get("contrast")),
             number(None if each.get("within_2se") is None else 100 * each["within_2se"], 3)) for each in waves]
    charts = []
    for each in waves:
        cycle_ms, points = 1e3 / each["hz"], [watts(value) for value in each["folded_mw"]]
        known = [value for value in points if value is not None]
        if known:
            chart = Chart(f"{each['hz']:g} Hz: windows' mean power along one cycle; shaded: the load is on",
                          "ms since the load began", "W", (0, cycle_ms), (0, max(known) * 1.05))
            chart.shade(0, cycle_ms / 2)
            bins = [(place + 0.5) / len(points) * cycle_ms for place in range(len(points))]
            chart.curve(zip(bins, points))
            charts.append(chart.render())
    contrast = [(math.log10(each["hz"]), each["contrast"]) for each in waves if each.get("contrast") is not None]
    if len(contrast) > 1:
        chart = Chart("difference of the halves, as a part of what it should be", "Hz", "contrast",
                      (contrast[0][0], contrast[-1][0]), (0, max(1.2, *(value for _, value in contrast))),
                      [(place, number(10 ** place, 3)) for place, _ in contrast])
        chart.curve(contrast)
        charts.append(chart.render())
    return (f"<p>Load: {text(facts['load'])}. Power: {text('; '.join(facts['monitor']['sources']))}</p>" +
            table(("Hz", "a half, ms", "window, ms", "on, W", "off, W", "on, windows, W", "off, windows, W", "contrast",
                   "within 2 s.e., %"), rows) +
            '<p class="dim">on, off: the mean power that attribution gave the halves. windows: those that lie within '
            "one half. contrast: the difference of the first two, as a part of the difference of the windows; judged "
            "where a half is as long as two windows.</p>" + '<div class="charts">' + "".join(charts) + "</div>")


def draw_runs(facts):
    return table(("depth", "energy, J", "± J", "mean power, W", "tokens/s", "covered, %", "warnings"),
                 [(each["depth"], number(watts(each["energy_mj"])), number(watts(each["standard_error_mj"])),
                   number(watts(each["mean_power_mw"])), number(each["decode_tokens_per_second"]),
                   number(100 * each["coverage"]), ", ".join(one["code"] for one in each["warnings"]))
                  for each in facts.get("runs", [])])


def draw_overhead(facts):
    return table(("depth", "decode time, with / without sensors", "±", "rounds"),
                 [(depth, f"{each['median']:.4f}", f"{each['standard_error']:.4f}", each["rounds"])
                  for depth, each in facts["ratios"].items()])


DRAW = {"machine": draw_machine, "sources": draw_sources, "steps": draw_steps, "idle": draw_idle,
        "counter": draw_counter, "cpu_wave": draw_wave, "gpu_wave": draw_wave, "profiles": draw_runs,
        "overhead": draw_overhead, "cuda": draw_runs}


def bullets(lines):
    return "<ul>" + "".join(f"<li>{text(line)}</li>" for line in lines) + "</ul>" if lines else ""


def section(check):
    parts = [f"<h2>{text(check['title'])} <span class=\"{check['state']}\">{check['state']}</span></h2>"]
    if check["reason"]:
        parts.append(f"<p class=\"{check['state']}\">{text(check['reason'])}</p>")
    if check["facts"]:
        try:
            parts.append(DRAW[check["name"]](check["facts"]))
        except (KeyError, TypeError, ValueError) as error:  # a check that ended early has fewer facts
            parts.append(f'<p class="dim">Its facts cannot be drawn ({text(repr(error))}): see the JSON.</p>')
    good = [each["statement"] for each in check["statements"] if each["holds"]]
    if good:
        parts.append(f"<details><summary>{len(good)} statements hold</summary>{bullets(good)}</details>")
    return "".join(parts)


def render(document):
    counts = {state: sum(check["state"] == state for check in document["checks"])
              for state in ("passed", "failed", "skipped")}
    summary = ", ".join(f'<span class="{state}">{count} {state}</span>' for state, count in counts.items() if count)
    short = " Everything was measured only for a moment (--short)." if document["short"] else ""
    warning = ("<p class=\"failed\">These are simulated sensors: nothing here says anything about a machine.</p>"
               if document["simulated"] else "")
    body = "".join(section(check) for check in document["checks"])
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>enprof: hardware check</title>'
            f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
            f"<h1>Hardware check</h1><p>{summary}. Started {text(document['started_at'])}, took "
            f"{document['seconds']:.0f} s.{short}</p>{warning}{body}</body></html>\n")
