#include "report/run_stacks.hpp"

#include "base/printable.hpp"
#include "report/format.hpp"
#include "report/operation_frames.hpp"
#include "report/sum_rounder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

namespace enprof {
namespace {

/// What is lost when parts are added up that are not exact: of an energy, and of a time.
constexpr double kRounding = 1e-9;
constexpr Nanoseconds kTimeRounding{1000};

constexpr std::string_view kForward = "forward";

struct Cost {
  Nanoseconds time{0};
  std::optional<Joules> energy;  // of what was measured; empty if nothing was

  void add(const Cost& other) {
    time = Nanoseconds{capped_sum(time.count(), other.time.count())};
    if (other.energy) {
      energy = energy.value_or(Joules{}) + *other.energy;
    }
  }
  /// What is left of it without some of its parts.
  [[nodiscard]] Cost without(const Cost& parts) const {
    Cost rest{.time = std::max(Nanoseconds{0}, time - parts.time), .energy = energy};
    if (rest.energy && parts.energy) {
      *rest.energy -= *parts.energy;
      if (*rest.energy < *energy * kRounding) {
        rest.energy = Joules{};
      }
    }
    return rest;
  }
  [[nodiscard]] bool is_nothing() const {
    return time <= Nanoseconds{0} && energy.value_or(Joules{}) <= Joules{};
  }
};

Cost cost_of(const Figure& figure) { return {.time = figure.duration, .energy = figure.total}; }

}  // namespace

class RunStacks::Builder {
 public:
  explicit Builder(RunSource& source) : source_(source) {}

  Result<RunStacks> build() {
    auto frames = OperationFrames::read(source_);
    if (!frames) {
      return std::unexpected(std::move(frames.error()));
    }
    frames_ = *std::move(frames);
    if (auto read = read_components(); !read) {
      return std::unexpected(std::move(read.error()));
    }
    if (frames_.has_operations()) {
      if (auto read = read_operations(); !read) {
        return std::unexpected(std::move(read.error()));
      }
    }
    const ProfiledRun& run = source_.head();
    result_.has_energy_ = run.totals.figure.total.has_value();
    Cost phases;
    for (const PhaseFigure& phase : run.phases) {
      phases.add(cost_of(phase.figure));
      add_phase(phase);
    }
    add({"outside the phases"}, cost_of(run.totals.figure).without(phases));
    return std::move(result_);
  }

 private:
  /// A component of a layer in one phase.
  using Place = std::tuple<Phase, std::int32_t, std::string>;
  struct Component {
    Cost cost;
    std::map<std::uint32_t, Cost> operations;  // by number of the op's name
  };
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  /// All sections of one name.
  struct Section {
    std::string name;
    Cost rest;                  // without the sections in it
    std::string_view path{};    // its name within the section around it
    std::size_t outer = kNone;  // the section around it
  };

  Result<void> read_components() {
    while (true) {
      const auto slice = source_.next(RunRows::components);
      if (!slice) {
        return std::unexpected(slice.error());
      }
      if (slice->empty()) {
        return {};
      }
      for (std::size_t row = slice->begin; row < slice->end; ++row) {
        const ComponentFigure& figure = slice->run->components[row];
        components_[{figure.phase, figure.layer, printable(shown_component(figure.component))}]
            .cost.add(cost_of(figure.figure));
      }
    }
  }

  Result<void> read_operations() {
    // The sum to which each kind of operation adds, by phase.
    std::array<std::vector<std::optional<Cost*>>, kAllPhases.size()> sums;
    sums.fill(std::vector<std::optional<Cost*>>(frames_.frames().size()));
    while (true) {
      const auto slice = source_.next(RunRows::operation_events);
      if (!slice) {
        return std::unexpected(slice.error());
      }
      if (slice->empty()) {
        return {};
      }
      for (std::size_t row = slice->begin; row < slice->end; ++row) {
        const OperationEvent& event = slice->run->operation_table.events[row];
        const auto phase = static_cast<std::size_t>(event.phase);
        if (phase >= sums.size() || event.operation >= sums[phase].size()) {
          continue;
        }
        std::optional<Cost*>& sum = sums[phase][event.operation];
        if (!sum) {
          sum = sum_of(event.phase, frames_.frames()[event.operation]);
        }
        if (*sum != nullptr) {
          (*sum)->add({.time = Nanoseconds{event.duration_ns}, .energy = event.energy()});
        }
      }
    }
  }

  /// Null if the operation is a whole component, or of one that the run has no figure of.
  Cost* sum_of(Phase phase, const OperationFrames::Frame& frame) {
    const auto found = components_.find({phase, frame.layer, frames_.name(frame.component)});
    if (found == components_.end() || frames_.name(frame.op).empty()) {
      return nullptr;
    }
    return &found->second.operations[frame.op];
  }

  void add_phase(const PhaseFigure& phase) {
    const std::string name{to_string(phase.phase)};
    Cost passes;
    for (const auto& [place, component] : components_) {
      if (std::get<Phase>(place) == phase.phase) {
        passes.add(component.cost);
        add_component(
            {name, shown_layer(std::get<std::int32_t>(place)), std::get<std::string>(place)},
            component);
      }
    }
    std::vector<Section> sections = sections_of(phase);
    Cost outer;  // sections that lie in no other one
    for (const Section& section : sections) {
      if (section.outer == kNone) {
        outer.add(whole_[static_cast<std::size_t>(&section - sections.data())]);
      }
    }
    if (passes.is_nothing()) {
      for (std::size_t index = 0; index < sections.size(); ++index) {
        add(path_of(name, sections, index), sections[index].rest);
      }
      add({name, shown_section(kSelfSection)}, cost_of(phase.figure).without(outer));
      return;
    }
    const std::size_t around = section_around(sections, passes);
    if (around == kNone) {  // which sections the passes were in is not known
      add({name, "outside the passes"}, cost_of(phase.figure).without(passes));
      return;
    }
    for (std::size_t index = 0; index < sections.size(); ++index) {
      std::vector<std::string> path = path_of(name, sections, index);
      if (index == around) {
        path.back() += ", outside the passes";
      }
      add(path, index == around ? sections[index].rest.without(passes) : sections[index].rest);
    }
    add({name, shown_section(kSelfSection)}, cost_of(phase.figure).without(outer));
  }

  void add_component(std::vector<std::string> path, const Component& component) {
    Cost operations;
    for (const auto& [op, cost] : component.operations) {
      operations.add(cost);
    }
    add(path, component.cost.without(operations));
    for (const auto& [op, cost] : component.operations) {
      path.push_back(frames_.name(op));
      add(path, cost);
      path.pop_back();
    }
  }

  /// The sections of a phase. "outer/inner" lies in "outer", if that exists.
  std::vector<Section> sections_of(const PhaseFigure& phase) {
    std::vector<Section> sections;
    whole_.clear();
    for (const SectionFigure& figure : source_.head().sections) {
      if (figure.phase == phase.phase) {
        sections.push_back({.name = figure.name, .rest = cost_of(figure.figure)});
        whole_.push_back(sections.back().rest);
      }
    }
    std::map<std::string_view, std::size_t> by_name;
    for (std::size_t index = 0; index < sections.size(); ++index) {
      by_name.emplace(sections[index].name, index);
    }
    for (Section& section : sections) {
      section.path = section.name;
      for (std::size_t slash = section.path.rfind('/');
           slash != std::string_view::npos && slash > 0;
           slash = section.path.rfind('/', slash - 1)) {
        const auto outer = by_name.find(section.path.substr(0, slash));
        if (outer != by_name.end()) {
          section.outer = outer->second;
          section.path.remove_prefix(slash + 1);
          break;
        }
      }
    }
    for (std::size_t index = 0; index < sections.size(); ++index) {
      if (sections[index].outer != kNone) {
        Cost& outer = sections[sections[index].outer].rest;
        outer = outer.without(whole_[index]);
      }
    }
    return sections;
  }

  /// The section that the passes ran in. Their times say only which one is long enough: "forward",
  /// as engines call it, else the only one that is.
  static std::size_t section_around(const std::vector<Section>& sections, const Cost& passes) {
    std::size_t found = kNone;
    std::size_t count = 0;
    for (std::size_t index = 0; index < sections.size(); ++index) {
      if (sections[index].rest.time + kTimeRounding < passes.time) {
        continue;
      }
      if (sections[index].path == kForward) {
        return index;
      }
      found = index;
      ++count;
    }
    return count == 1 ? found : kNone;
  }

  static std::vector<std::string> path_of(const std::string& phase,
                                          const std::vector<Section>& sections, std::size_t index) {
    std::vector<std::string> path;
    for (; index != kNone; index = sections[index].outer) {
      path.push_back(printable(shown_section(sections[index].path)));
    }
    path.push_back(phase);
    std::ranges::reverse(path);
    return path;
  }

  void add(const std::vector<std::string>& path, const Cost& cost) {
    if (cost.is_nothing()) {
      return;
    }
    RunStack& stack = result_.stacks_.emplace_back(
        RunStack{.frames = {}, .time = cost.time, .energy = cost.energy});
    for (const std::string& frame : path) {
      stack.frames.push_back(result_.names_.number_of(frame.empty() ? "(no name)" : frame));
    }
  }

  RunSource& source_;
  RunStacks result_;
  OperationFrames frames_;
  std::map<Place, Component> components_;
  std::vector<Cost> whole_;  // of the sections of the present phase, with those in them
};

Result<RunStacks> RunStacks::read(RunSource& source) { return Builder(source).build(); }

}  // namespace enprof
