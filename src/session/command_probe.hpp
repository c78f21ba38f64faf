// Follows llama.cpp inside a command and all that it starts, while it runs.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/names.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "base/periodic_thread.hpp"
#include "record/probe_arena.hpp"
#include "session/capture_feed.hpp"

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// Reads what probes write while a command runs, and makes the passes of a run of it.
///
/// The probe is a library that the command's dynamic linker loads (LD_AUDIT): variables() are what
/// the command's environment needs for that. It costs a program without llama.cpp nothing but being
/// loaded. Threads: one; a thread of its own reads, and only it uses the run until stop().
class CommandProbe {
 public:
  struct Options {
    Depth depth = Depth::minimal;
    std::filesystem::path library;  ///< the probe
    PlanToldGraph plan{};           ///< null: no operations
    Nanoseconds period = std::chrono::milliseconds{20};
  };

  /// Errors: those of ProbeArena; unsupported, if the library's path cannot be told to the dynamic
  /// linker, which takes colons and spaces for separators.
  [[nodiscard]] static Result<std::unique_ptr<CommandProbe>> open(Options options);
  CommandProbe(const CommandProbe&) = delete;
  CommandProbe& operator=(const CommandProbe&) = delete;
  ~CommandProbe();

  /// What the command's environment has beside ours.
  [[nodiscard]] std::vector<std::string> variables() const;
  /// From now on what is read goes into the run, which began at `begin` or before.
  void start(RunScope& run, Instant begin);
  /// Reads the rest and says in warnings of the run what is missing. Afterwards the run is the
  /// caller's again.
  void stop();

  /// Whether a shared llama.cpp was found in any process.
  [[nodiscard]] bool found_any() const { return !libraries_.empty(); }
  [[nodiscard]] const CaptureFeed::Counts& counts() const;
  /// Facts of the model that most passes were of.
  [[nodiscard]] std::optional<ModelFacts> model() const;

 private:
  explicit CommandProbe(Options options);
  void add_end(const ProbedLibrary& library, const ProbeLosses& losses);
  void warn();
  void warn_of_library(const ProbedLibrary& library);
  void warn_of_losses();
  void warn_of_operations();

  Options options_;
  std::optional<ProbeArena> arena_;
  std::optional<CaptureFeed> feed_;
  RunScope* run_ = nullptr;
  std::vector<ProbedLibrary> libraries_;
  ProbeLosses losses_;
  PeriodicThread thread_;
};

}  // namespace enprof
