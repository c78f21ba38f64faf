#include "experiment/analysis/analysis.hpp"

#include "base/counted.hpp"
#include "base/format_bytes.hpp"
#include "experiment/analysis/analysis_text.hpp"
#include "experiment/analysis/architecture_analysis.hpp"
#include "experiment/analysis/batch_analysis.hpp"
#include "experiment/analysis/context_analysis.hpp"
#include "experiment/analysis/mixtures_analysis.hpp"
#include "experiment/analysis/pareto_analysis.hpp"
#include "experiment/analysis/prediction_analysis.hpp"
#include "experiment/analysis/quantization_analysis.hpp"
#include "experiment/analysis/scaling_analysis.hpp"
#include "report/format.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <utility>

namespace enprof {
namespace {

using Analyze = Analysis (*)(const ExperimentData&, const AnalysisOptions&);

template <Analysis (*Function)(const ExperimentData&)>
Analysis without_options(const ExperimentData& data, const AnalysisOptions& /*options*/) {
  return Function(data);
}

constexpr std::array<std::string_view, 8> kAnalysisNames{"pareto",   "scaling",   "quantization",
                                                         "batch",    "context",   "architecture",
                                                         "mixtures", "prediction"};
constexpr std::array<Analyze, kAnalysisNames.size()> kAnalyses{
    without_options<analyze_pareto>,       without_options<analyze_scaling>,
    without_options<analyze_quantization>, without_options<analyze_batch>,
    without_options<analyze_context>,      without_options<analyze_architecture>,
    without_options<analyze_mixtures>,     analyze_prediction};

/// "llama-" of "llama-1b" and "llama-3b": up to a mark between words that all labels share.
void drop_shared_beginning(std::vector<std::string>& labels) {
  if (labels.size() < 2) {
    return;
  }
  std::size_t shared = labels.front().size();
  for (const std::string& label : labels) {
    const auto [mine, other] = std::ranges::mismatch(labels.front(), label);
    shared = std::min(shared, static_cast<std::size_t>(mine - labels.front().begin()));
  }
  const std::size_t mark = labels.front().substr(0, shared).find_last_of("-_ /");
  if (mark == std::string::npos) {
    return;
  }
  for (std::string& label : labels) {
    label.erase(0, mark + 1);
  }
}

}  // namespace

std::span<const std::string_view> analysis_names() { return kAnalysisNames; }

std::vector<Analysis> analyze(const ExperimentData& data, std::span<const std::string> names,
                              const AnalysisOptions& options) {
  std::vector<Analysis> result;
  for (std::size_t index = 0; index < kAnalysisNames.size(); ++index) {
    if (names.empty() || std::ranges::find(names, kAnalysisNames[index]) != names.end()) {
      Analysis analysis = kAnalyses[index](data, options);
      analysis.name = kAnalysisNames[index];
      result.push_back(std::move(analysis));
    }
  }
  return result;
}

std::string relative_text(double value, std::optional<double> half) {
  if (!half || value == 0.0) {
    return "";
  }
  const double percent = 100.0 * *half / std::abs(value);
  return percent < 0.01    ? " ± 0.01 %"  // rounded up
         : percent < 100.0 ? fmt::format(" ± {:.2g} %", percent)
                           : fmt::format(" ± {:.0f} %", percent);
}

std::string value_text(CellKind kind, double value, std::optional<double> half) {
  const auto percent = [](double share) { return fmt::format("{:.1f} %", 100.0 * share); };
  switch (kind) {
    case CellKind::energy:
      return format_si(value, "J") + relative_text(value, half);
    case CellKind::power:
      return format_si(value, "W") + relative_text(value, half);
    case CellKind::time:
      return format_si(value, "s") + relative_text(value, half);
    case CellKind::speed:
      return fmt::format("{:.4g}{}", value, relative_text(value, half));
    case CellKind::share:
      // Of a share the interval is in percent too: points, not parts of it.
      return half ? fmt::format("{} ± {}", percent(value), percent(*half)) : percent(value);
    case CellKind::count:
      return format_count(static_cast<std::uint64_t>(std::max(value, 0.0)));
    case CellKind::bytes:
      return format_bytes(static_cast<std::uint64_t>(std::max(value, 0.0)));
    case CellKind::number:
      return half ? fmt::format("{:.4g} ± {:.2g}", value, *half) : fmt::format("{:.4g}", value);
    case CellKind::text:
      break;
  }
  return fmt::format("{}", value);
}

std::string change_text(double change, std::optional<double> half) {
  std::string text =
      fmt::format("{:.1f} % {}", 100.0 * std::abs(change), change < 0.0 ? "less" : "more");
  if (half) {
    text += fmt::format(" (± {:.1f} %)", 100.0 * *half);
  }
  return text;
}

std::string list_text(const std::vector<std::string>& names, std::size_t most) {
  if (names.size() <= most) {
    return fmt::format("{}", fmt::join(names, ", "));
  }
  return fmt::format(
      "{} and {} more",
      fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(most), ", "),
      names.size() - most);
}

std::vector<std::string> short_labels(const ExperimentData& data) {
  // Words after the first that all labels share say nothing about their difference.
  std::vector<std::vector<std::string>> words;
  for (const PointData& point : data.points) {
    std::vector<std::string>& list = words.emplace_back();
    std::size_t at = 0;
    while (at < point.label.size()) {
      const std::size_t end = std::min(point.label.find(' ', at), point.label.size());
      if (end > at) {
        list.push_back(point.label.substr(at, end - at));
      }
      at = end + 1;
    }
  }
  std::vector<std::string> result;
  for (const std::vector<std::string>& mine : words) {
    std::vector<std::string> kept;
    for (const std::string& word : mine) {
      const bool is_shared = words.size() > 1 && std::ranges::all_of(words, [&](const auto& other) {
                               return std::ranges::find(other, word) != other.end();
                             });
      if (!is_shared) {
        kept.push_back(word);
      }
    }
    if (kept.empty() && !mine.empty()) {
      kept = mine;
    }
    for (std::string& word : kept) {
      constexpr std::string_view kSuffix = ".gguf";
      if (word.size() > kSuffix.size() && word.ends_with(kSuffix)) {
        word.resize(word.size() - kSuffix.size());
      }
    }
    result.push_back(fmt::format("{}", fmt::join(kept, " ")));
  }
  drop_shared_beginning(result);
  return result;
}

std::string lacks_energy(const ExperimentData& data, std::size_t least) {
  const std::size_t there = data.points_with_energy();
  if (there >= least) {
    return "";
  }
  if (data.points.empty()) {
    return "no point has a run";
  }
  std::string reason;
  for (const PointData& point : data.points) {
    if (!point.no_energy.empty()) {
      reason = point.no_energy;
      break;
    }
  }
  std::string text =
      there == 0 ? std::string{"no point has an energy per output token that can be compared"}
                 : fmt::format("only {} {} an energy per output token, and {} are needed",
                               counted(there, "point"), there == 1 ? "has" : "have", least);
  if (!reason.empty()) {
    text += ": " + reason;
  }
  return text;
}

}  // namespace enprof
