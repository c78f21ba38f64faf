// Runs the components of a loaded model alone, one class of work at a time: for calibration.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/names.hpp"

#include <cstddef>
#include <span>
#include <stop_token>
#include <string>

namespace enprof {

struct ReplayOptions {
  int threads = 0;         ///< 0: as when the model was loaded
  int prompt_tokens = 32;  ///< of the prefill whose operations are run; a decode step follows it
  std::stop_token stop{};
};

/// Operations of one phase, component and kind, in all layers.
struct ReplayClass {
  Phase phase = Phase::decode;
  std::string component;       ///< as in OperationInfo, as is `op`
  std::string op;              ///<
  std::size_t operations = 0;  ///< in one pass
  Nanoseconds pass_time{0};    ///< that they take in a real pass, together
};

/// What ran.
struct ReplayCount {
  std::size_t operations = 0;
  Nanoseconds time{0};
};

/// The classes of a model, ready to run. The model outlives it, and generates nothing meanwhile.
/// Threads: one at a time.
class ComponentReplay {
 public:
  ComponentReplay() = default;
  ComponentReplay(const ComponentReplay&) = delete;
  ComponentReplay& operator=(const ComponentReplay&) = delete;
  virtual ~ComponentReplay() = default;

  /// In the order in which they first run.
  [[nodiscard]] virtual std::span<const ReplayClass> classes() const noexcept = 0;
  /// Runs the operations of one class, and no others, over all layers in turn, for at least this
  /// long: so weights come from memory, as in a pass, unless those of all layers fit into the
  /// caches. Goes on where the class's last run ended. Errors: cancelled; internal.
  [[nodiscard]] virtual Result<ReplayCount> run(std::size_t index, Nanoseconds at_least,
                                                const std::stop_token& stop) = 0;
};

}  // namespace enprof
