// What can be asked of the history of runs, and the answers.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

enum class RunOrder : std::uint8_t { date, duration, energy, joules_per_token };

/// Which runs to list, and in what order. Empty fields do not restrict.
struct RunFilter {
  std::string model{};             ///< exact model name
  std::string model_text{};        ///< somewhere in the model's name; ASCII letters in either case
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

/// The lists of a run that may be long: see ProfileDatabase::read_page().
enum class RunRows : std::uint8_t {
  tokens,
  layers,
  components,
  operations,
  operation_kinds,   ///< OperationTable::operations
  operation_events,  ///< OperationTable::events
  activations,
  attention,
  experts,
  power_samples,
  sensor_readings,
};

/// A stored run without the lists of RunRows, and what finds those.
struct RunHead {
  ProfiledRun run;
  std::int64_t key = 0;        ///< the store's own number of the run
  std::size_t operations = 0;  ///< how many kinds of operation it has
};

/// Where reading a list goes on. As it is made: at its begin.
struct RunPlace {
  std::int64_t row = 0;
  std::int64_t within = 0;  ///< the row's own part that comes next
  Nanoseconds end{0};       ///< of the part before

  friend bool operator==(const RunPlace&, const RunPlace&) = default;
};

/// Some rows of one list.
struct RunPage {
  ProfiledRun run;   ///< holds these rows, and nothing else
  std::size_t rows;  ///< none: the list has ended
  RunPlace next;
};

/// Some of the runs that were asked for by their ids.
struct RunSummaries {
  std::vector<RunSummary> runs;  ///< those that are still there
  std::size_t asked = 0;         ///< how many of the ids were looked up
};

/// The ids of the runs of a page, and how many match in all.
struct RunIds {
  std::vector<std::string> ids;
  std::size_t total = 0;
};

/// Those passes of a run that worked for the output tokens first to last, in one phase or in all.
/// The prompt's own passes are token −1.
struct PassRange {
  std::optional<Phase> phase{};
  std::int32_t first = -1;
  std::int32_t last = std::numeric_limits<std::int32_t>::max();

  [[nodiscard]] bool has(Phase its_phase, std::int32_t token) const {
    return token >= first && token <= last && (!phase || its_phase == *phase);
  }
};

/// What one operation took in one phase, over some passes.
struct OperationSum {
  Phase phase = Phase::decode;
  std::uint32_t operation = 0;  ///< index into OperationSums::operations
  std::size_t count = 0;
  Nanoseconds duration{0};
  std::optional<Joules> energy;  ///< empty where a part of it is not known

  friend bool operator==(const OperationSum&, const OperationSum&) = default;
};

struct OperationSums {
  std::vector<OperationInfo> operations;  ///< all that the run has
  std::vector<OperationSum> sums;         ///< by phase, then operation
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
