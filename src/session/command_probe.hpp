// Follows llama.cpp inside a command and all that it starts, while it runs.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/names.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "base/periodic_thread.hpp"
#include "record/probe_arena.hpp"
#include "session/capture_feed.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// Reads what probes write while a command runs, and makes a capture of it.
///
/// The probe is a library that the command's dynamic linker loads (LD_AUDIT): variables() are what
/// the command's environment needs for that. It costs a program without llama.cpp nothing but being
/// loaded. Threads: one; a thread of its own reads.
class CommandProbe {
 public:
  struct Options {
    Depth depth = Depth::minimal;
    std::filesystem::path library;  ///< the probe
    PlanToldGraph plan{};           ///< null: no operations
    bool tokens = false;            ///< also which tokens were computed, for texts
    LiveRequests* live = nullptr;   ///< gets each pass at once; null: nobody asks
    /// A ring has room for the records of a thousand passes or more.
    Nanoseconds period = std::chrono::milliseconds{50};
  };

  /// Errors: those of ProbeArena; unsupported, if the library's path cannot be told to the dynamic
  /// linker, which takes colons and spaces for separators.
  [[nodiscard]] static Result<std::unique_ptr<CommandProbe>> open(Options options);
  CommandProbe(const CommandProbe&) = delete;
  CommandProbe& operator=(const CommandProbe&) = delete;
  ~CommandProbe();

  /// What the command's environment has beside ours.
  [[nodiscard]] std::vector<std::string> variables() const;
  /// Begins to read.
  void start();
  /// Reads the rest and says in warnings of the run what is missing. Returns what was told by a
  /// program that lived between these instants; null if no pass was.
  [[nodiscard]] std::shared_ptr<CaptureRecording> stop(Instant begin, Instant end, RunScope& run);

  /// Whether a shared llama.cpp was found in any process, and could be followed.
  [[nodiscard]] bool found_any() const;
  /// Files of libraries that may contain llama.cpp and were not followed.
  [[nodiscard]] std::vector<std::string> suspects() const;
  /// Facts of the model that most passes were of.
  [[nodiscard]] const std::optional<ModelFacts>& model() const { return model_; }

 private:
  explicit CommandProbe(Options options);
  void add_end(const ProbedLibrary& library, const ProbeLosses& losses);
  void warn(RunScope& run) const;
  static void warn_of_library(const ProbedLibrary& library, RunScope& run);
  void warn_of_losses(RunScope& run) const;
  void warn_of_operations(RunScope& run) const;

  Options options_;
  CaptureFeed feed_;
  std::optional<ModelFacts> model_;
  std::optional<ProbeArena> arena_;
  std::vector<ProbedLibrary> libraries_;
  ProbeLosses losses_;
  PeriodicThread thread_;
};

}  // namespace enprof
