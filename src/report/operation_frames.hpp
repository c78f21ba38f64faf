// What the operations of a run are called in profiles and traces.
#pragma once

#include "enprof/base/error.hpp"

#include "report/name_table.hpp"
#include "report/run_source.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace enprof {

/// "layer 3" or "outside the layers", as the dashboard calls it.
[[nodiscard]] std::string shown_layer(std::int32_t layer);

/// Layer, component and type of each kind of operation, in a few bytes each: names are kept once.
/// They are those of the report, and printable.
class OperationFrames {
 public:
  struct Frame {
    std::int32_t layer = 0;
    std::uint32_t component = 0;  ///< number of its name
    std::uint32_t op = 0;         ///< number of its name, which is empty for a whole component
  };

  /// Errors: those of the source.
  [[nodiscard]] static Result<OperationFrames> read(RunSource& source);

  /// By number of the kind, as OperationEvent has it.
  [[nodiscard]] const std::vector<Frame>& frames() const { return frames_; }
  [[nodiscard]] const std::string& name(std::uint32_t number) const { return names_.name(number); }
  /// Whether the run has times of single operations.
  [[nodiscard]] bool has_operations() const { return has_operations_; }

 private:
  std::vector<Frame> frames_;
  NameTable names_;
  bool has_operations_ = false;
};

}  // namespace enprof
