// Engines whose models are loaded and run in processes of their own.
#pragma once

#include "enprof/base/units.hpp"

#include "engines/engine.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace enprof {

/// Wraps each of the engines: a model that it loads has a process of its own. Whatever ends that
/// process fails one run; what was recorded by then is in the run.
///
/// Nothing of a model is loaded in this process. What a file says (ModelHeader) is read there too.
/// Power is read here; counters that a run has claimed are also read by the engine's thread,
/// between two operations, as in a process with both.
/// Threads: engine_for() from any, const; cpu_time() from any; the engines as theirs.
class ProcessEngines {
 public:
  /// `command` starts a process that runs serve_engine() with the same engines; `engines` outlive
  /// this.
  ProcessEngines(std::vector<std::string> command, std::span<const Engine* const> engines);
  ProcessEngines(const ProcessEngines&) = delete;
  ProcessEngines& operator=(const ProcessEngines&) = delete;
  ~ProcessEngines();

  /// The engine that stands for this one.
  [[nodiscard]] const Engine& stand_in_for(const Engine& engine) const;
  /// CPU time of all their processes, those that have ended too.
  [[nodiscard]] Nanoseconds cpu_time() const;

 private:
  class StandIn;
  class Model;
  class Account;

  std::shared_ptr<Account> account_;  // of CPU time; shared with the models
  std::vector<std::unique_ptr<StandIn>> stand_ins_;
};

}  // namespace enprof
