// Where a run's time and energy went, as stacks: for flame graphs.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"

#include "report/name_table.hpp"
#include "report/run_source.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// One leaf: what a run spent there, and nowhere deeper.
struct RunStack {
  std::vector<std::uint32_t> frames;  ///< outermost first: numbers of RunStacks::frame()
  Nanoseconds time{0};
  std::optional<Joules> energy;  ///< empty if it was not measured
};

/// The leaves of a run: phase ▸ layer ▸ component ▸ operation within passes, phase ▸ section
/// outside of them. They add up to the run in time, and in energy as far as it was measured.
/// Memory grows with the model, not with the run's length.
class RunStacks {
 public:
  /// Reads components and, where the run has them, all operations. Errors: those of the source.
  [[nodiscard]] static Result<RunStacks> read(RunSource& source);

  [[nodiscard]] const std::vector<RunStack>& stacks() const { return stacks_; }
  /// A name that is printable and not empty.
  [[nodiscard]] const std::string& frame(std::uint32_t number) const { return names_.name(number); }
  [[nodiscard]] std::size_t frame_count() const { return names_.size(); }
  /// Whether the energy of the run is known.
  [[nodiscard]] bool has_energy() const { return has_energy_; }

 private:
  class Builder;

  std::vector<RunStack> stacks_;
  NameTable names_;
  bool has_energy_ = false;
};

}  // namespace enprof
