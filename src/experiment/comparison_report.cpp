#include "experiment/comparison_report.hpp"

#include "base/counted.hpp"
#include "base/printable.hpp"
#include "report/format.hpp"
#include "report/json_figures.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using Align = TextTable::Align;

constexpr double kTheSame = 0.0005;

std::string value_text(const std::optional<MeanInterval>& value, const Measure& measure) {
  if (!value) {
    return std::string{kAbsent};
  }
  std::string text = format_si(value->mean, measure.unit);
  // Speeds are told without a prefix.
  return measure.unit == "tok/s" ? fmt::format("{:.4g} tok/s", value->mean) : text;
}

std::string percent(double share) {
  return fmt::format("{:.{}f} %", 100.0 * share, std::abs(share) < 0.0995 ? 2 : 1);
}

std::string change_text(const MeasureChange& change) {
  if (!change.refusal.empty()) {
    return "not comparable";
  }
  std::string text = std::abs(*change.change) < kTheSame
                         ? "the same"
                         : (*change.change < 0 ? "−" : "+") + percent(std::abs(*change.change));
  if (change.half) {
    text += " ± " + percent(*change.half);
  }
  return text;
}

/// What one may say of a change.
std::string meaning(const MeasureChange& change) {
  if (!change.refusal.empty()) {
    return change.refusal;
  }
  if (!change.half) {
    return change.no_half;
  }
  if (change.basis == Basis::single) {
    return "1 run: may be chance";
  }
  if (std::abs(*change.change) <= *change.half) {
    return "may be chance";
  }
  const Better better = change.measure->better;
  if (better == Better::neither) {
    return "differs";
  }
  return (*change.change < 0) == (better == Better::less) ? "better" : "worse";
}

Style style_of(const MeasureChange& change) {
  const std::string said = meaning(change);
  return said == "better" ? Style::good : said == "worse" ? Style::bad : Style::plain;
}

/// A measure that no run of either set has tells nothing.
bool is_shown(const MeasureChange& change) {
  return change.a || change.b || change.refusal != kNotMeasured;
}

std::string runs_of(const SetUse& set) {
  const std::string count = counted(set.runs, "run");
  return set.used == set.runs ? count : fmt::format("{} of {}", set.used, count);
}

std::string verdict_of(const SetUse& set) {
  return set.verdict ? std::string{words_of(*set.verdict)} : std::string{kAbsent};
}

std::string confidence_text(double confidence) {
  return fmt::format("{:.3g} %", 100.0 * confidence);
}

/// What ± is, by the changes that have one.
std::vector<std::string> notes_of(const Comparison& comparison) {
  std::vector<std::string> notes;
  const auto has = [&](Basis basis) {
    return std::ranges::any_of(comparison.changes, [&](const MeasureChange& change) {
      return change.half && change.basis == basis;
    });
  };
  const std::string level = confidence_text(comparison.confidence);
  if (has(Basis::rounds)) {
    const auto found = std::ranges::find(comparison.changes, Basis::rounds, &MeasureChange::basis);
    notes.push_back(
        fmt::format("± is a {} interval, from the differences in {}: drift between "
                    "rounds cancels",
                    level, counted(found->repeats, "round")));
  }
  if (has(Basis::repeats)) {
    notes.push_back(fmt::format("± is a {} interval, by Welch's t test on the repeats", level));
  }
  if (has(Basis::single)) {
    notes.push_back(
        fmt::format("± of single runs is {} of what their measurement leaves unknown; "
                    "the spread between runs is not in it",
                    level));
  }
  const std::string& obstacle =
      comparison.obstacle.empty() ? comparison.energy_obstacle : comparison.obstacle;
  if (!obstacle.empty()) {
    notes.push_back(obstacle + "; ± includes the sensors' accuracy");
  }
  return notes;
}

std::string settings_line(const Comparison& comparison, bool differing) {
  std::vector<std::string> parts;
  for (const SetSetting& setting : comparison.settings) {
    if (setting.differs() != differing) {
      continue;
    }
    parts.push_back(differing ? fmt::format("{} {} → {}", setting.name, setting.a, setting.b)
                              : setting.name);
  }
  return parts.empty() ? "nothing" : fmt::format("{}", fmt::join(parts, differing ? "; " : ", "));
}

std::string ruling_text(const Ruling& ruling) {
  switch (ruling.judgement) {
    case Judgement::passed:
      return "Passed: " + ruling.reason;
    case Judgement::worse:
      return "Failed: " + ruling.reason;
    case Judgement::undecided:
      return "No verdict: " + ruling.reason;
  }
  return ruling.reason;
}

Style style_of(Judgement judgement) {
  return judgement == Judgement::passed  ? Style::good
         : judgement == Judgement::worse ? Style::bad
                                         : Style::warning;
}

std::string one_report(const RuledComparison& ruled, const Terminal& terminal) {
  const Comparison& comparison = ruled.comparison;
  const auto line = [&](const std::string& text) {
    return wrap(printable(text), terminal.width, 2) + "\n";
  };
  std::string text;
  for (const auto& [letter, set] : {std::pair{'A', &comparison.a}, std::pair{'B', &comparison.b}}) {
    text +=
        line(fmt::format("{}  {} · {} · {}", letter, set->name, runs_of(*set), verdict_of(*set)));
    for (const std::string& reason : set->left_out) {
      text += "   " + wrap(printable("left out: " + reason), terminal.width, 5) + "\n";
    }
  }
  text += "\n";
  TextTable table({Align::left, Align::right, Align::right, Align::right, Align::left});
  table.row({"measure", "A", "B", "change", ""}, Style::dim);
  table.may_cut(4, 12);
  table.may_drop({4, 2, 1});
  for (const MeasureChange& change : comparison.changes) {
    if (is_shown(change)) {
      const Measure& measure = *change.measure;
      table.row({std::string{measure.name}, value_text(change.a, measure),
                 value_text(change.b, measure), change_text(change), meaning(change)},
                style_of(change));
    }
  }
  text += table.text(terminal) + "\n";
  text += line("Different: " + settings_line(comparison, true));
  text += line("Same: " + settings_line(comparison, false));
  for (const std::string& note : notes_of(comparison)) {
    text += line(note);
  }
  if (ruled.ruling) {
    text += styled(terminal, style_of(ruled.ruling->judgement),
                   wrap(printable(ruling_text(*ruled.ruling)), terminal.width, 2)) +
            "\n";
  }
  return text;
}

std::string one_markdown(const RuledComparison& ruled) {
  const Comparison& comparison = ruled.comparison;
  std::string text;
  if (ruled.ruling) {
    constexpr std::array<std::string_view, 3> kMarks{"✅", "❌", "⚠️"};
    text += fmt::format("**{} {}**\n\n", kMarks[static_cast<std::size_t>(ruled.ruling->judgement)],
                        markdown_cell(ruling_text(*ruled.ruling)));
  }
  text += fmt::format("| | A: {} | B: {} | change | |\n|---|---:|---:|---:|---|\n",
                      markdown_cell(comparison.a.name), markdown_cell(comparison.b.name));
  for (const MeasureChange& change : comparison.changes) {
    if (is_shown(change)) {
      const Measure& measure = *change.measure;
      text += fmt::format("| {} | {} | {} | {} | {} |\n", measure.name,
                          value_text(change.a, measure), value_text(change.b, measure),
                          change_text(change), markdown_cell(meaning(change)));
    }
  }
  text +=
      fmt::format("| runs | {} | {} | | |\n| verdict | {} | {} | | |\n\n", runs_of(comparison.a),
                  runs_of(comparison.b), verdict_of(comparison.a), verdict_of(comparison.b));
  for (const auto& [letter, set] : {std::pair{'A', &comparison.a}, std::pair{'B', &comparison.b}}) {
    for (const std::string& reason : set->left_out) {
      text += fmt::format("- Left out of {}: {}\n", letter, markdown_cell(reason));
    }
  }
  text +=
      fmt::format("- Different: {}\n- Same: {}\n", markdown_cell(settings_line(comparison, true)),
                  markdown_cell(settings_line(comparison, false)));
  for (const std::string& note : notes_of(comparison)) {
    text += fmt::format("- {}\n", markdown_cell(note));
  }
  return text;
}

Json set_json(const SetUse& set) {
  return {{"name", set.name},
          {"model", set.model},
          {"runs", set.runs},
          {"used", set.used},
          {"verdict", set.verdict ? Json(to_string(*set.verdict)) : Json(nullptr)},
          {"left_out", set.left_out},
          {"run_ids", set.run_ids}};
}

Json values_json(const std::optional<MeanInterval>& value, const Measure& measure) {
  if (!value) {
    return nullptr;
  }
  const std::string unit = measure.json_unit.empty() ? "" : fmt::format("_{}", measure.json_unit);
  return {{"mean" + unit, value->mean * measure.json_factor},
          {"half_interval" + unit,
           value->half ? Json(*value->half * measure.json_factor) : Json(nullptr)},
          {"count", value->count}};
}

Json change_json(const MeasureChange& change) {
  const auto share = [](const std::optional<double>& value) {
    return value ? Json(100.0 * *value) : Json(nullptr);
  };
  return {{"measure", change.measure->json_key},
          {"a", values_json(change.a, *change.measure)},
          {"b", values_json(change.b, *change.measure)},
          {"change_pct", share(change.change)},
          {"half_interval_pct", share(change.half)},
          {"basis", to_string(change.basis)},
          {"repeats", change.repeats},
          {"meaning", meaning(change)},
          {"refusal", enprof::text(change.refusal)}};
}

Json one_json(const RuledComparison& ruled) {
  const Comparison& comparison = ruled.comparison;
  Json changes = Json::array();
  for (const MeasureChange& change : comparison.changes) {
    changes.push_back(change_json(change));
  }
  Json settings = Json::array();
  for (const SetSetting& setting : comparison.settings) {
    settings.push_back({{"name", setting.name},
                        {"a", setting.a},
                        {"b", setting.b},
                        {"differs", setting.differs()}});
  }
  Json ruling = nullptr;
  if (ruled.ruling) {
    ruling = {{"judgement", to_string(ruled.ruling->judgement)}, {"reason", ruled.ruling->reason}};
  }
  return {{"a", set_json(comparison.a)},         {"b", set_json(comparison.b)},
          {"confidence", comparison.confidence}, {"changes", std::move(changes)},
          {"settings", std::move(settings)},     {"notes", notes_of(comparison)},
          {"ruling", std::move(ruling)}};
}

}  // namespace

std::string markdown_cell(std::string_view text) {
  std::string cell;
  for (const char character : printable(text)) {
    if (character == '|' || character == '`' || character == '*' || character == '<' ||
        character == '[') {
      cell += '\\';
    }
    cell += character;
  }
  return cell;
}

std::string comparison_report(std::span<const RuledComparison> comparisons,
                              const Terminal& terminal) {
  std::string text;
  for (const RuledComparison& each : comparisons) {
    text += (text.empty() ? "" : "\n") + one_report(each, terminal);
  }
  return text;
}

std::string comparison_markdown(std::span<const RuledComparison> comparisons) {
  std::string text = "### Energy comparison\n\n";
  for (const RuledComparison& each : comparisons) {
    text += (&each == comparisons.data() ? "" : "\n") + one_markdown(each);
  }
  return text;
}

std::string comparison_json(std::span<const RuledComparison> comparisons) {
  Json list = Json::array();
  for (const RuledComparison& each : comparisons) {
    list.push_back(one_json(each));
  }
  Json document = Json::object();
  document["comparisons"] = std::move(list);
  return indented(document) + "\n";
}

}  // namespace enprof
