#include "report/component_section.hpp"

#include "model/component_family.hpp"
#include "model/whole_energy.hpp"
#include "report/column_unit.hpp"
#include "report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <utility>

namespace enprof {
namespace {

using Align = TextTable::Align;

constexpr std::size_t kComponents = 12;
constexpr std::size_t kOperations = 5;
constexpr std::size_t kNameColumns = 24;
constexpr std::size_t kOperationColumns = 18;
constexpr std::size_t kMostLayerColumns = 32;
constexpr double kFamilyShown = 0.005;    // of its phase: less than rounds to 1 %
constexpr double kShownAsWhole = 0.9995;  // less than rounds to 100.0 %

/// Shortens a name so that the numbers beside it fit.
std::string shortened(std::string_view name, std::size_t columns) {
  // The names of components and ops are ASCII: they come from llama.cpp or from a weight.
  return name.size() <= columns ? std::string{name}
                                : fmt::format("{}…", name.substr(0, columns - 1));
}

/// The sums in one cell of the page.
struct Part {
  std::optional<Joules> energy;            // over what was measured
  std::optional<Joules> whole = Joules{};  // over all of the time; empty if too much is unknown
  Nanoseconds duration{0};
  std::optional<double> bytes = 0.0;

  void add(const Figure& figure, const std::optional<double>& more_bytes) {
    if (figure.total) {
      energy = energy.value_or(Joules{}) + *figure.total;
    }
    const std::optional<Joules> more = whole_energy(figure);
    whole = whole && more ? std::optional{*whole + *more} : std::nullopt;
    duration += figure.duration;
    bytes = bytes && more_bytes ? std::optional{*bytes + *more_bytes} : std::nullopt;
  }
  void add(const Part& other) {
    if (other.energy) {
      energy = energy.value_or(Joules{}) + *other.energy;
    }
    whole = whole && other.whole ? std::optional{*whole + *other.whole} : std::nullopt;
    duration += other.duration;
    bytes = bytes && other.bytes ? std::optional{*bytes + *other.bytes} : std::nullopt;
  }
};

class ComponentSection {
 public:
  ComponentSection(ReportPage& page, const ProfiledRun& run) : page_(page), run_(run) {
    for (const ComponentFigure& component : run_.components) {
      by_energy_ = by_energy_ || component.figure.total.has_value();
      if (phases_.empty() || phases_.back() != component.phase) {
        phases_.push_back(component.phase);  // components are sorted by phase
      }
      rows_[component.component][component.phase].add(component.figure, component.bytes);
      all_[component.phase].add(component.figure, component.bytes);
    }
  }

  void write() {
    page_.heading(by_energy_ ? "Inside the passes: energy" : "Inside the passes: time");
    components();
    page_.add("\n");
    families();
    layers();
    operations();
  }

 private:
  using ByPhase = std::map<Phase, Part>;

  [[nodiscard]] double value(const Part& part) const {
    return by_energy_ ? part.energy.value_or(Joules{}).value() : seconds(part.duration);
  }
  [[nodiscard]] double value(const ByPhase& parts) const {
    double sum = 0.0;
    for (const auto& [phase, part] : parts) {
      sum += value(part);
    }
    return sum;
  }
  /// What a cell shows; empty if it is not known.
  [[nodiscard]] std::optional<double> shown(const Part& part) const {
    if (!by_energy_) {
      return seconds(part.duration);
    }
    return part.energy ? std::optional{part.energy->value()} : std::nullopt;
  }
  [[nodiscard]] ColumnUnit unit() const { return ColumnUnit(by_energy_ ? "J" : "s"); }
  /// Estimates are always marked.
  [[nodiscard]] std::string mark() const {
    return by_energy_ && run_.totals.figure.quality.method == Method::estimated ? "~" : "";
  }
  [[nodiscard]] std::string picojoules_per_byte(const Part& part) const {
    return part.whole && part.bytes && *part.bytes > 0.0
               ? fmt::format("{}{:.4g}", mark(), part.whole->value() / *part.bytes * 1e12)
               : std::string{kAbsent};
  }
  [[nodiscard]] std::string cell(const ColumnUnit& unit, const Part& part) const {
    const auto value = shown(part);
    return (value ? mark() : "") + unit.cell(value);
  }
  [[nodiscard]] std::string share(const Part& part, Phase phase) const {
    const double all = value(all_.at(phase));
    return all > 0.0 && (!by_energy_ || part.energy) ? format_percent(value(part) / all)
                                                     : std::string{kAbsent};
  }

  /// One row for each of the costliest components, with the phases side by side.
  void components() {
    std::map<Phase, ColumnUnit> units;
    for (const Phase phase : phases_) {
      units.emplace(phase, unit()).first->second.add(shown(all_.at(phase)));
    }
    for (const auto& [name, parts] : rows_) {
      for (const auto& [phase, part] : parts) {
        units.at(phase).add(shown(part));
      }
    }
    std::vector<Align> columns{Align::left};
    std::vector<std::string> head{"component"};
    for (const Phase phase : phases_) {
      columns.insert(columns.end(), {Align::right, Align::right});
      head.insert(head.end(),
                  {fmt::format("{} {}", to_string(phase), units.at(phase).name()), "share"});
    }
    columns.push_back(Align::right);
    head.emplace_back("pJ/byte");  // of the last phase, usually decode
    TextTable table(std::move(columns));
    constexpr std::size_t kNarrowName = 8;
    table.may_cut(0, kNarrowName);
    // Drop first the cost per byte, then shares, then the phase with the least energy.
    std::vector<std::size_t> droppable{head.size() - 1};
    for (std::size_t phase = 0; phase < phases_.size(); ++phase) {
      droppable.push_back(2 * phase + 2);
    }
    for (std::size_t phase = 0; phase + 1 < phases_.size(); ++phase) {
      droppable.push_back(2 * phase + 1);
    }
    table.may_drop(std::move(droppable));
    table.row(std::move(head), Style::dim);
    const auto add = [&](const std::string& name, const ByPhase& parts, Style style) {
      std::vector<std::string> cells{shortened(shown_component(name), kNameColumns)};
      for (const Phase phase : phases_) {
        const auto part = parts.find(phase);
        const bool there = part != parts.end();
        cells.push_back(there ? cell(units.at(phase), part->second) : std::string{kAbsent});
        cells.push_back(there ? share(part->second, phase) : std::string{kAbsent});
      }
      const auto last = parts.find(phases_.back());
      cells.push_back(last == parts.end() ? std::string{kAbsent}
                                          : picojoules_per_byte(last->second));
      table.row(std::move(cells), style);
    };

    std::vector<std::pair<std::string, ByPhase>> rows(rows_.begin(), rows_.end());
    std::ranges::stable_sort(rows, std::ranges::greater{},
                             [&](const auto& row) { return value(row.second); });
    const std::size_t shown = rows.size() > kComponents + 1 ? kComponents : rows.size();
    for (const auto& [name, parts] : std::span(rows).first(shown)) {
      add(name, parts, Style::plain);
    }
    if (shown < rows.size()) {
      ByPhase rest;
      for (const auto& [name, parts] : std::span(rows).subspan(shown)) {
        for (const auto& [phase, part] : parts) {
          rest[phase].add(part);
        }
      }
      add(fmt::format("{} more", rows.size() - shown), rest, Style::dim);
    }
    add("all passes", all_, Style::bold);
    page_.table(table);
    if (const auto coverage = operation_coverage(run_); coverage && *coverage < kShownAsWhole) {
      page_.add("  " +
                wrap(fmt::format("Operations are identified in {} of the passes' time.",
                                 format_percent(*coverage)),
                     page_.terminal().width, 2) +
                "\n");
    }
  }

  /// Compares attention with MLP.
  void families() {
    for (const Phase phase : phases_) {
      std::map<std::string_view, double> families;
      for (const auto& [name, parts] : rows_) {
        if (const auto part = parts.find(phase); part != parts.end()) {
          families[component_family(name)] += value(part->second);
        }
      }
      std::vector<std::pair<std::string_view, double>> sorted(families.begin(), families.end());
      std::ranges::stable_sort(sorted, std::ranges::greater{},
                               [](const auto& family) { return family.second; });
      const double all = value(all_.at(phase));
      std::vector<std::string> parts;
      for (const auto& [family, part] : sorted) {
        if (all > 0.0 && part >= kFamilyShown * all) {
          parts.push_back(fmt::format("{} {:.0f} %", family, 100.0 * part / all));
        }
      }
      page_.line(fmt::format("  {}", to_string(phase)), join(parts, " · "));
    }
  }

  /// A sparkline per phase over the layers.
  void layers() {
    for (const Phase phase : phases_) {
      std::vector<std::optional<double>> values;
      std::optional<double> least;
      std::optional<double> most;
      for (const LayerFigure& layer : run_.layers) {
        if (layer.phase != phase || layer.layer == OperationInfo::kNoLayer) {
          continue;
        }
        values.resize(std::max(values.size(), static_cast<std::size_t>(layer.layer) + 1));
        std::optional<double>& entry = values[static_cast<std::size_t>(layer.layer)];
        if (!by_energy_) {
          entry = seconds(layer.figure.duration);
        } else if (layer.figure.total) {
          entry = layer.figure.total->value();
        }
        if (entry) {
          least = std::min(least.value_or(*entry), *entry);
          most = std::max(most.value_or(*entry), *entry);
        }
      }
      if (!most) {
        continue;
      }
      const std::string_view unit = by_energy_ ? "J" : "s";
      page_.line(fmt::format("  {}", to_string(phase)),
                 fmt::format("{} layers 0–{}: {}{} to {}{} each",
                             sparkline(values, kMostLayerColumns), values.size() - 1, mark(),
                             format_si(*least, unit, 3), mark(), format_si(*most, unit, 3)));
    }
  }

  void operations() {
    if (run_.operations.empty()) {
      return;
    }
    std::vector<std::pair<Part, const OperationFigure*>> sorted;
    for (const OperationFigure& operation : run_.operations) {
      Part part;
      part.add(operation.figure, operation.bytes);
      sorted.emplace_back(part, &operation);
    }
    std::ranges::stable_sort(sorted, std::ranges::greater{},
                             [&](const auto& entry) { return value(entry.first); });
    sorted.resize(std::min(sorted.size(), kOperations));
    ColumnUnit column = unit();
    for (const auto& [part, operation] : sorted) {
      column.add(shown(part));
    }
    TextTable table({Align::left, Align::left, Align::left, Align::right, Align::right,
                     Align::right, Align::right});
    table.may_drop({3, 6, 2, 5});
    table.may_cut(1, 8);
    table.row(
        {"phase", "operation", "", "count",
         fmt::format("{} {}", by_energy_ ? "energy" : "time", column.name()), "share", "pJ/byte"},
        Style::dim);
    for (const auto& [part, operation] : sorted) {
      table.row({std::string{to_string(operation->phase)},
                 shortened(shown_component(operation->component), kOperationColumns),
                 shortened(operation->op, kOperationColumns), format_count(operation->count),
                 cell(column, part), share(part, operation->phase), picojoules_per_byte(part)});
    }
    page_.add("\n");
    page_.table(table);
  }

  ReportPage& page_;
  const ProfiledRun& run_;
  bool by_energy_ = false;
  std::vector<Phase> phases_;
  std::map<std::string, ByPhase> rows_;  // component → sums
  ByPhase all_;
};

}  // namespace

void OperationCoverage::add(const ComponentFigure& component) {
  all_ += component.figure.duration;
  if (component.component == kUntimedComponent) {
    untimed_ += component.figure.duration;
  }
}

std::optional<double> OperationCoverage::share() const {
  return all_ > Nanoseconds{0} ? std::optional{1.0 - seconds(untimed_) / seconds(all_)}
                               : std::nullopt;
}

std::optional<double> operation_coverage(const ProfiledRun& run) {
  OperationCoverage coverage;
  for (const ComponentFigure& component : run.components) {
    coverage.add(component);
  }
  return coverage.share();
}

std::string sparkline(const std::vector<std::optional<double>>& values, std::size_t columns) {
  constexpr std::array<std::string_view, 8> kBlocks{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr std::string_view kMissing = "·";
  const std::size_t group = columns == 0 ? 1 : (values.size() + columns - 1) / columns;
  std::vector<std::optional<double>> means;
  for (std::size_t first = 0; first < values.size(); first += group) {
    double sum = 0.0;
    std::size_t count = 0;
    for (std::size_t index = first; index < std::min(first + group, values.size()); ++index) {
      sum += values[index].value_or(0.0);
      count += values[index] ? 1 : 0;
    }
    means.push_back(count == 0 ? std::nullopt : std::optional{sum / static_cast<double>(count)});
  }
  double highest = 0.0;
  for (const std::optional<double>& mean : means) {
    highest = std::max(highest, mean.value_or(0.0));
  }
  std::string result;
  for (const std::optional<double>& mean : means) {
    if (!mean) {
      result += kMissing;
      continue;
    }
    // Bars start at zero, so that a layer which uses a tenth more is a tenth higher.
    const double height = highest > 0.0 ? std::max(*mean, 0.0) / highest : 0.0;
    const auto block = static_cast<std::size_t>(height * kBlocks.size());
    result += kBlocks[std::min(block, kBlocks.size() - 1)];
  }
  return result;
}

void write_components(ReportPage& page, const ProfiledRun& run) {
  if (!run.components.empty()) {
    ComponentSection(page, run).write();
  }
}

}  // namespace enprof
