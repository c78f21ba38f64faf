// Queries to the history of runs, and their answers.
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
  std::string model_text{};        ///< substring of the model's name; ASCII letters match in either
                                   ///< case
  std::string tag{};               ///< one of the run's tags
  std::string experiment{};        ///< exact
  std::string engine{};            ///< exact, or without its version: "llama.cpp"
  std::string prompt_text{};       ///< substring of the prompt; ASCII letters match in either case
  std::string capture{};           ///< the requests of the capture with this id, in their order;
                                   ///< empty: runs that are not requests of a capture
  std::optional<WallTime> from{};  ///< started at this time or later
  std::optional<WallTime> to{};    ///< started before this time
  RunOrder order = RunOrder::date;
  bool ascending = false;  ///< oldest, shortest, least first; runs without a value always come last
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
  std::string engine;
  std::string experiment;
  std::vector<std::string> tags;
  std::string prompt;  ///< whole
  Nanoseconds duration{0};
  std::size_t prompt_tokens = 0;
  std::size_t output_tokens = 0;
  std::optional<Joules> energy;
  std::optional<Joules> energy_per_output_token;
  std::optional<Method> method;
  std::optional<VerdictLevel> verdict;
  std::size_t warnings = 0;
  std::optional<Joules> uncertainty;  ///< combined standard uncertainty of `energy`
  std::optional<Nanoseconds> time_to_first_token;
  std::optional<std::size_t> requests;    ///< of a capture
  std::optional<RequestFigures> request;  ///< present if it is a request of a capture

  friend bool operator==(const RunSummary&, const RunSummary&) = default;
};

/// The runs of a page, and the number of all that match.
struct RunList {
  std::vector<RunSummary> runs;
  std::size_t total = 0;
};

/// Which parts of a run to read. The run's own fields, its phases, sections, domains and warnings
/// are always read.
struct RunParts {
  bool tokens = true;
  bool layers = true;            ///< and components
  bool operations = true;        ///< classes, kinds and events
  bool operation_events = true;  ///< OperationTable::events; there may be millions
  bool values = true;
  bool power_samples = true;  ///< and sensor readings
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

/// A stored run without the lists in RunRows, and the keys that find those.
struct RunHead {
  ProfiledRun run;
  std::int64_t key = 0;        ///< the run's key in the database
  std::size_t operations = 0;  ///< number of kinds of operation
};

/// Where to go on reading a list. The default is its beginning.
struct RunPlace {
  std::int64_t row = 0;
  std::int64_t within = 0;  ///< the next part within that row
  Nanoseconds end{0};       ///< of the part before

  friend bool operator==(const RunPlace&, const RunPlace&) = default;
};

/// Some rows of one list.
struct RunPage {
  ProfiledRun run;   ///< holds these rows only
  std::size_t rows;  ///< 0: the list has ended
  RunPlace next;
};

/// The runs of one experiment.
struct ExperimentSummary {
  std::string name;
  std::size_t runs = 0;
  WallTime first;  ///< when the first of them began
  WallTime last;

  friend bool operator==(const ExperimentSummary&, const ExperimentSummary&) = default;
};

/// Some of the runs that were requested by their ids.
struct RunSummaries {
  std::vector<RunSummary> runs;  ///< those that are still there
  std::size_t asked = 0;         ///< how many of the ids were looked up
};

/// The ids of the runs of a page, and the number of all that match.
struct RunIds {
  std::vector<std::string> ids;
  std::size_t total = 0;
};

/// The passes of a run that worked for the output tokens first to last, in one phase or in all. The
/// prompt's own passes are token −1.
struct PassRange {
  std::optional<Phase> phase{};
  std::int32_t first = -1;
  std::int32_t last = std::numeric_limits<std::int32_t>::max();

  [[nodiscard]] bool has(Phase its_phase, std::int32_t token) const {
    return token >= first && token <= last && (!phase || its_phase == *phase);
  }
};

/// The sum of one operation in one phase, over some passes.
struct OperationSum {
  Phase phase = Phase::decode;
  std::uint32_t operation = 0;  ///< index into OperationSums::operations
  std::size_t count = 0;
  Nanoseconds duration{0};
  std::optional<Joules> energy;  ///< empty if a part of it is unknown

  friend bool operator==(const OperationSum&, const OperationSum&) = default;
};

struct OperationSums {
  std::vector<OperationInfo> operations;  ///< all kinds that the run has
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

/// Power of one domain over time. There is no point where nothing was measured: absent is never
/// zero.
struct PowerSeries {
  std::string domain;
  DomainKind kind = DomainKind::other;
  bool is_root = false;
  std::vector<PowerPoint> points;  ///< by begin
};

struct PowerTimeline {
  std::vector<PowerSeries> domains;
  std::vector<PowerPoint> total;  ///< sum of the roots, where all of them were measured
};

/// The sums of each component in each layer, over all passes.
struct LayerComponentMatrix {
  struct Cell {
    std::size_t count = 0;  ///< passes
    Nanoseconds duration{0};
    std::optional<Joules> energy;  ///< empty if a part of it is unknown, as below
    std::optional<Joules> dynamic_energy;
    std::optional<double> flops;
    std::optional<double> bytes;
  };
  std::vector<std::int32_t> layers;        ///< ascending; OperationInfo::kNoLayer first
  std::vector<std::string> components;     ///< in the order of the run
  std::vector<std::optional<Cell>> cells;  ///< by layer, then component; empty: not in that layer

  [[nodiscard]] const std::optional<Cell>& at(std::size_t layer, std::size_t component) const {
    return cells[layer * components.size() + component];
  }
};

}  // namespace enprof
