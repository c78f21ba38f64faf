// The result of an analysis in one form for all: sentences, tables and charts.
#pragma once

#include "base/mean_interval.hpp"
#include "experiment/analysis/point_data.hpp"
#include "report/chart.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace enprof {

/// How a column's values are shown, and what they are in JSON.
enum class CellKind : std::uint8_t {
  text,
  energy,  ///< J; in JSON mJ
  power,   ///< W; in JSON mW
  time,    ///< s; in JSON ms
  speed,   ///< tokens per second
  share,   ///< 0–1; shown and in JSON as percent
  count,   ///< "7.24 M"; in JSON as it is
  bytes,   ///< in JSON as they are
  number,  ///< four digits
};

struct AnalysisColumn {
  std::string key{};  ///< of JSON, without the unit
  std::string title{};
  CellKind kind = CellKind::text;
};

struct AnalysisCell {
  std::variant<std::monostate, std::string, double> value{};  ///< nothing: absent
  std::optional<double> half{};  ///< half the 95 % interval, in the value's unit
  std::string run{};             ///< the run to look at; may be empty

  AnalysisCell() = default;
  AnalysisCell(std::string text) : value(std::move(text)) {}  // NOLINT: cells are made of values
  AnalysisCell(double number) : value(number) {}              // NOLINT
  AnalysisCell(double number, std::optional<double> its_half) : value(number), half(its_half) {}
  AnalysisCell(const std::optional<double>& number) {  // NOLINT
    if (number) {
      value = *number;
    }
  }
  AnalysisCell(const std::optional<MeasuredValue>& mean) {  // NOLINT
    if (mean) {
      value = mean->value;
      half = mean->half();
    }
  }
};

struct AnalysisTable {
  std::string title{};
  std::vector<AnalysisColumn> columns{};
  std::vector<std::vector<AnalysisCell>> rows{};  ///< a cell for each column
};

struct Analysis {
  std::string name{};                  ///< "pareto"
  std::string question{};              ///< "Which points are not beaten in speed and energy?"
  std::vector<std::string> answers{};  ///< sentences
  std::vector<std::string> lacks{};    ///< what is missing for an answer, and what to do
  std::vector<AnalysisTable> tables{};
  std::vector<Chart> charts{};
  std::vector<std::string> method{};  ///< how it was computed, and what that takes for granted

  [[nodiscard]] bool has_result() const { return !answers.empty() || !tables.empty(); }
};

/// What an analysis may be told beside the data.
struct AnalysisOptions {
  /// Models that did not run, for the prediction.
  std::vector<ModelFacts> unknown_models{};
};

/// Of all analyses, in the order in which they are shown.
[[nodiscard]] std::span<const std::string_view> analysis_names();
/// All of them, or those named. Names are of analysis_names().
[[nodiscard]] std::vector<Analysis> analyze(const ExperimentData& data,
                                            std::span<const std::string> names = {},
                                            const AnalysisOptions& options = {});

// ---- for analyses -------------------------------------------------------------------------------

/// "3.142 mJ ± 1.2 %".
[[nodiscard]] std::string value_text(CellKind kind, double value, std::optional<double> half);
/// The point's label; the part that all points share is left out: "q8.gguf" of "q8.gguf p8 n4".
[[nodiscard]] std::vector<std::string> short_labels(const ExperimentData& data);
/// Why no point has an energy per output token, or too few have; empty if so many have one.
[[nodiscard]] std::string lacks_energy(const ExperimentData& data, std::size_t least);

}  // namespace enprof
