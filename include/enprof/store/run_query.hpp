// What can be asked of the history of runs, and the answers.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

enum class RunOrder : std::uint8_t { date, duration, energy, joules_per_token };

/// Which runs to list, and in what order. Empty fields do not restrict.
struct RunFilter {
  std::string model{};             ///< exact model name
  std::string tag{};               ///< one of the run's tags
  std::string experiment{};        ///< exact
  std::string engine{};            ///< exact, or without its version: "llama.cpp"
  std::string prompt_text{};       ///< somewhere in the prompt; ASCII letters in either case
  std::optional<WallTime> from{};  ///< started at this time or later
  std::optional<WallTime> to{};    ///< started before this time
  RunOrder order = RunOrder::date;
  bool ascending = false;  ///< oldest, shortest, least first; runs without a value are last anyway
  std::size_t limit = 50;
  std::size_t offset = 0;
};

/// One line of the list.
struct RunSummary {
  std::string run_id;
  RunStatus status = RunStatus::completed;
  WallTime started_at;
  Depth depth = Depth::minimal;
  std::string model;
  std::string quantization;
  std::string experiment;
  std::vector<std::string> tags;
  std::string prompt;  ///< whole
  Nanoseconds duration{0};
  std::size_t prompt_tokens = 0;
  std::size_t output_tokens = 0;
  std::optional<Joules> energy;
  std::optional<Joules> energy_per_output_token;
  std::optional<Method> method;
  std::size_t warnings = 0;

  friend bool operator==(const RunSummary&, const RunSummary&) = default;
};

/// The runs of a page, and how many match in all.
struct RunList {
  std::vector<RunSummary> runs;
  std::size_t total = 0;
};

/// What to read of a run. The run itself, its phases, sections, domains and warnings always are.
struct RunParts {
  bool tokens = true;
  bool layers = true;            ///< and components
  bool operations = true;        ///< classes, kinds and events
  bool operation_events = true;  ///< of the operations; they may be millions
  bool values = true;
  bool power_samples = true;  ///< and readings
};

/// The phases of a run and the sections in them.
struct RunPipeline {
  std::vector<PhaseFigure> phases;
  std::vector<SectionFigure> sections;
};

/// Mean power between two instants.
struct PowerPoint {
  Nanoseconds begin{0};  ///< since the run began
  Nanoseconds end{0};
  Watts power;

  friend bool operator==(const PowerPoint&, const PowerPoint&) = default;
};

/// Power of one domain against time. Where nothing was measured there is no point: absent is never
/// zero.
struct PowerSeries {
  std::string domain;
  DomainKind kind = DomainKind::other;
  bool is_root = false;
  std::vector<PowerPoint> points;  ///< by begin
};

struct PowerTimeline {
  std::vector<PowerSeries> domains;
  std::vector<PowerPoint> total;  ///< of the roots, where all of them were measured
};

/// What the components of the layers took, over all passes.
struct LayerComponentMatrix {
  struct Cell {
    std::size_t count = 0;  ///< passes
    Nanoseconds duration{0};
    std::optional<Joules> energy;  ///< empty where a part of it is not known; likewise below
    std::optional<Joules> dynamic_energy;
    std::optional<double> flops;
    std::optional<double> bytes;
  };
  std::vector<std::int32_t> layers;        ///< ascending; OperationInfo::kNoLayer first
  std::vector<std::string> components;     ///< in the order in which the run has them
  std::vector<std::optional<Cell>> cells;  ///< by layer, then component; empty: not in that layer

  [[nodiscard]] const std::optional<Cell>& at(std::size_t layer, std::size_t component) const {
    return cells[layer * components.size() + component];
  }
};

}  // namespace enprof
