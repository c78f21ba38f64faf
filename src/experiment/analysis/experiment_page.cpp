#include "experiment/analysis/experiment_page.hpp"

#include "enprof/base/version.hpp"

#include "base/counted.hpp"
#include "experiment/analysis/analysis_report.hpp"
#include "experiment/analysis/analysis_text.hpp"
#include "experiment/analysis/repeat_commands.hpp"
#include "report/format.hpp"
#include "report/html_text.hpp"
#include "report/svg_chart.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light}
body{font:15px/1.5 system-ui,"Segoe UI",Roboto,sans-serif;color:#1c2126;background:#fff;
max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.7rem;margin:0 0 .3rem}
h2{font-size:1.25rem;margin:2.2rem 0 .4rem;border-bottom:1px solid #cfd6dc;padding-bottom:.2rem}
h3{font-size:1rem;margin:1.3rem 0 .3rem}
p,ul{margin:.4rem 0}li{margin:.15rem 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem}
dt{color:#56616b}dd{margin:0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.86rem;margin:.4rem 0 .8rem;min-width:50%}
th,td{padding:.22rem .6rem;text-align:left;border-bottom:1px solid #e1e6ea;vertical-align:top}
th{color:#56616b;font-weight:600}
.num{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.lacks{color:#8a4b00}
.warning{background:#fff4e0;border-left:4px solid #d98a00;padding:.4rem .8rem}
.method{color:#56616b;font-size:.88rem}
pre{background:#f3f5f7;padding:.6rem .8rem;white-space:pre-wrap;overflow-wrap:anywhere}
svg.chart{width:100%;height:auto;max-width:48rem;display:block;margin:.5rem 0}
.chart text{font:12px system-ui,"Segoe UI",Roboto,sans-serif;fill:#1c2126}
.chart .tick,.chart .label{font-size:11px;fill:#56616b}
.chart .grid{stroke:#e6eaee}.chart .axis{stroke:#8b96a0}
@media print{body{margin:0;max-width:none;font-size:10.5pt}h2,h3{break-after:avoid}
svg.chart,tr{break-inside:avoid}.scroll{overflow:visible}pre{border:1px solid #cfd6dc}}
)css";

class Page {
 public:
  void heading(int level, std::string_view text) {
    add("<h{0}>{1}</h{0}>\n", level, html_text(text));
  }
  void paragraph(std::string_view text, std::string_view style = "") {
    add("<p{}>{}</p>\n", style.empty() ? "" : fmt::format(" class=\"{}\"", style), html_text(text));
  }
  void list(const std::vector<std::string>& texts, std::string_view style = "",
            std::string_view before = "") {
    if (texts.empty()) {
      return;
    }
    add("<ul{}>\n", style.empty() ? "" : fmt::format(" class=\"{}\"", style));
    for (const std::string& text : texts) {
      add("<li>{}{}</li>\n", before, html_text(text));
    }
    text_ += "</ul>\n";
  }
  void facts(const std::vector<std::pair<std::string_view, std::string>>& facts) {
    text_ += "<dl>\n";
    for (const auto& [name, value] : facts) {
      if (!value.empty()) {
        add("<dt>{}</dt><dd>{}</dd>\n", html_text(name), html_text(value));
      }
    }
    text_ += "</dl>\n";
  }
  void table(const AnalysisTable& table) {
    text_ += "<div class=\"scroll\"><table>\n<tr>";
    for (const AnalysisColumn& column : table.columns) {
      add("<th{}>{}</th>", style_of(column), html_text(column.title));
    }
    text_ += "</tr>\n";
    for (const std::vector<AnalysisCell>& row : table.rows) {
      text_ += "<tr>";
      for (std::size_t index = 0; index < table.columns.size(); ++index) {
        const AnalysisColumn& column = table.columns[index];
        add("<td{}>{}</td>", style_of(column), html_text(cell_text(row[index], column.kind)));
      }
      text_ += "</tr>\n";
    }
    text_ += "</table></div>\n";
  }
  void verbatim(const std::string& html) { text_ += html; }
  [[nodiscard]] std::string move_text() { return std::move(text_); }

 private:
  static std::string_view style_of(const AnalysisColumn& column) {
    return column.kind == CellKind::text ? "" : " class=\"num\"";
  }
  template <class... Values>
  void add(fmt::format_string<Values...> form, Values&&... values) {
    fmt::format_to(std::back_inserter(text_), form, std::forward<Values>(values)...);
  }

  std::string text_{};
};

AnalysisTable points_table(const ExperimentData& data) {
  AnalysisTable table{.title = "Points",
                      .columns = {{"point", "point"},
                                  {"prompt", "prompt token", CellKind::energy},
                                  {"output", "output token", CellKind::energy},
                                  {"input_speed", "prompt tok/s", CellKind::speed},
                                  {"output_speed", "output tok/s", CellKind::speed},
                                  {"power", "mean power", CellKind::power},
                                  {"runs", "runs"},
                                  {"verdict", "verdict"}}};
  for (const PointData& point : data.points) {
    const std::string runs = point.used == point.runs
                                 ? fmt::format("{}", point.runs)
                                 : fmt::format("{} of {}", point.used, point.runs);
    const std::string verdict{point.verdict ? words_of(*point.verdict) : kAbsent};
    table.rows.push_back({point.label, point.input_energy, point.output_energy, point.input_speed,
                          point.output_speed, point.mean_power_w, runs,
                          point.no_energy.empty() ? verdict : point.no_energy});
  }
  return table;
}

AnalysisTable budget_table(const ExperimentData& data) {
  AnalysisTable table{.title = "Uncertainty budget",
                      .columns = {{"point", "point"},
                                  {"runs", "runs", CellKind::number},
                                  {"spread", "between runs", CellKind::share},
                                  {"own", "within a run", CellKind::share},
                                  {"scale", "sensor", CellKind::share},
                                  {"combined", "combined", CellKind::share}}};
  for (const PointData& point : data.points) {
    if (point.output_energy) {
      table.rows.push_back({point.label, static_cast<double>(point.used), point.budget.spread,
                            point.budget.own, point.budget.scale, point.budget.combined()});
    }
  }
  return table;
}

std::string design_of(const ExperimentData& data) {
  for (const PointData& point : data.points) {
    for (const ProfiledRun& run : point.all_runs) {
      if (auto design = tag_value(run.tags, kDesignTag)) {
        return *std::move(design);
      }
    }
  }
  return "";
}

void add_summary(Page& page, const ExperimentData& data) {
  std::size_t runs = 0;
  for (const PointData& point : data.points) {
    runs += point.runs;
  }
  std::string when = data.first ? format_wall_time(*data.first) : "";
  if (data.last && data.last != data.first) {
    when += " to " + format_wall_time(*data.last);
  }
  page.heading(1, fmt::format("Experiment {}", data.name));
  page.facts({{"measured", when},
              {"points",
               fmt::format("{}, {}", counted(data.points.size(), "point"), counted(runs, "run"))},
              {"machine", fmt::format("{}", fmt::join(data.machines, "; "))},
              {"sensors", fmt::format("{}", fmt::join(data.sensors, ", "))},
              {"engines", fmt::format("{}", fmt::join(data.engines, ", "))},
              {"report by", fmt::format("enprof {}", library_version())}});
  if (data.has_estimates) {
    page.paragraph(
        "Energies are estimates: CPU time times a power that was not measured. No difference "
        "between them is shown by a sensor.",
        "warning");
  }
  page.list(data.notes, "lacks");
  if (!data.missing.empty()) {
    page.list({fmt::format("Not measured: {}", fmt::join(data.missing, ", "))}, "lacks");
  }
}

void add_analysis(Page& page, const Analysis& analysis) {
  std::string title = analysis.name;
  if (!title.empty()) {
    title[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(title[0])));
  }
  page.heading(2, title);
  page.paragraph(analysis.question);
  page.list(analysis.answers);
  page.list(analysis.lacks, "lacks", analysis.has_result() ? "Missing: " : "No answer: ");
  for (const Chart& chart : analysis.charts) {
    page.heading(3, chart.title);
    page.verbatim(svg_chart(chart));
  }
  for (const AnalysisTable& table : analysis.tables) {
    page.heading(3, table.title);
    page.table(table);
  }
  if (analysis.has_result()) {
    for (const std::string& text : analysis.method) {
      page.paragraph(text, "method");
    }
  }
}

void add_method(Page& page, const ExperimentData& data) {
  page.heading(2, "Method");
  page.paragraph(
      design_of(data).empty()
          ? "The runs do not say how the experiment was designed: in which order they "
            "were made is not known."
          : "Each point was measured once in each round, in random order, so that drift "
            "hits all alike. A run that was disturbed was done again and is in no mean.");
  page.paragraph(
      "± is half the 95 % interval of the mean (Student's t over the runs, but at least what the "
      "runs leave unknown by themselves).");
  page.paragraph(
      "Energy per output token is that of the decode phase over its tokens; per prompt token that "
      "of the prefill over the prompt's tokens.");
  page.heading(2, "Uncertainty budget");
  page.paragraph(
      "Of the energy per output token, standard uncertainties of the mean as shares of it: spread "
      "between runs; what attribution leaves unknown within them; the sensor's scale, which "
      "cancels between points on one machine and is in no ± above. Combined: the root of the sum "
      "of "
      "squares of the scale and the larger of the other two.");
  page.table(budget_table(data));
  page.heading(2, "To repeat it");
  page.verbatim(fmt::format(
      "<pre>{}</pre>\n",
      fmt::join(
          [&] {
            std::vector<std::string> lines = repeat_commands(data.name, design_of(data));
            std::ranges::transform(lines, lines.begin(),
                                   [](const std::string& line) { return html_text(line); });
            return lines;
          }(),
          "\n")));
}

}  // namespace

std::string experiment_page(const ExperimentData& data, const std::vector<Analysis>& analyses) {
  Page page;
  page.verbatim(fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\">\n<title>{} · enprof</title>\n<style>{}</style>\n</head>\n<body>\n",
      html_text(data.name), kStyle));
  add_summary(page, data);
  page.heading(2, "Points");
  page.table(points_table(data));
  for (const Analysis& analysis : analyses) {
    add_analysis(page, analysis);
  }
  add_method(page, data);
  page.verbatim("</body>\n</html>\n");
  return page.move_text();
}

}  // namespace enprof
