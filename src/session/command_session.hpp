// Profiles a program that is not ours: a command from its start to its end.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"
#include "enprof/store/profile_database.hpp"

#include "base/inherited_descriptors.hpp"
#include "base/signal_queue.hpp"
#include "record/capture_recording.hpp"
#include "session/command_probe.hpp"
#include "session/command_run.hpp"
#include "session/session_power.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// The command as one would type it.
[[nodiscard]] std::string command_line(const std::vector<std::string>& words);

struct CommandTask {
  std::vector<std::string> words;  ///< the command and its arguments
  std::string path;                ///< its file: see find_command()
  std::vector<std::string> tags{};
  std::string experiment{};
  CommandLimits limits{};
  /// What is to be known of llama.cpp in the command. Empty: nothing is loaded into it.
  std::optional<Depth> depth{};
  bool is_depth_wanted = false;  ///< the user named it: where it is not to be had, the run says why
  bool keeps_texts = false;      ///< prompts and answers of requests are kept, where they are known
  /// Passes that the command is taken to make, with times from its begin; null: none. Then the run
  /// is a capture.
  std::shared_ptr<const CaptureRecording> passes{};
};

/// The text of a token.
using TextOfToken = std::function<std::string(std::int32_t token)>;

/// How a task ended.
struct CommandOutcome {
  /// Null if the command was not started. Valid until the session's next task.
  const ProfiledRun* run = nullptr;
  std::optional<CommandEnd> end{};
  /// Why it was not started; empty for a task that was cancelled before.
  std::optional<Error> error{};
  bool was_refused = false;  ///< the system did not start it: it is not for lack of something else
  std::vector<ProfiledRun> requests{};  ///< of a capture
};

/// Is told how a run of a command goes on, on the session's thread.
class CommandObserver {
 public:
  CommandObserver() = default;
  CommandObserver(const CommandObserver&) = delete;
  CommandObserver& operator=(const CommandObserver&) = delete;
  virtual ~CommandObserver() = default;

  /// A run is about to begin: the profiler may be given listeners. `power` is null if power is not
  /// measured.
  virtual void on_begin(InferencePipelineProfiler& profiler, PowerMonitor* power) = 0;
  /// It has begun, at this instant, and the command is started next.
  virtual void on_start(const std::string& run_id, Instant begin) = 0;
  /// The command has ended, and Options::live has got its last pass. The run's figures come next.
  virtual void on_end() = 0;
};

/// Runs one command after the other: measures idle power before the first, then the energy from the
/// start of each command until its end is noticed, about a millisecond more than it ran.
///
/// A run of a command has no tokens and no phases, unless a shared llama.cpp is in it and it was to
/// be looked at: then it is a capture of its passes (CaptureFeed). Its prompt is the command line,
/// as one would type it; its model is the program (name and path), its engine kCommandEngine, its
/// finish reason how the command ended. It is `completed` if the command returned 0, `cancelled` if
/// a signal to us or the time limit ended it, else `failed`.
///
/// Threads: one.
class CommandSession {
 public:
  struct Options {
    ProfileDatabase* store = nullptr;  ///< null: nothing is saved
    SessionPower* power = nullptr;     ///< required
    SignalQueue* signals = nullptr;    ///< required; it was started
    /// The command inherits these descriptors alone. Null: all.
    const InheritedDescriptors* descriptors = nullptr;
    ProfilerOptions profiler{};
    std::filesystem::path probe{};  ///< the library that is loaded into commands; empty: none
    PlanToldGraph plan{};           ///< required beyond Depth::minimal
    /// Reads the vocabulary in a model's file. Null: no texts are kept.
    std::function<Result<TextOfToken>(const std::filesystem::path&)> read_vocabulary{};
    LiveRequests* live = nullptr;         ///< gets each pass at once; null: nobody asks
    CommandObserver* observer = nullptr;  ///< null: nobody looks on
  };
  /// Everything passed must outlive the session.
  explicit CommandSession(Options options);
  CommandSession(const CommandSession&) = delete;
  CommandSession& operator=(const CommandSession&) = delete;
  ~CommandSession();

  [[nodiscard]] CommandOutcome perform(const CommandTask& task);

 private:
  struct Running;

  /// Null if the command is not to be looked into, or cannot be: then the run says so.
  [[nodiscard]] std::unique_ptr<CommandProbe> open_probe(const CommandTask& task,
                                                         std::vector<Warning>& warnings) const;

  /// The texts of a capture's tokens, by its models.
  void add_texts(CaptureRecording& capture, RunScope& run);
  void look_for_static_llama(const CommandTask& task, const CommandProbe* probe, RunScope& run);

  Options options_;
  std::unique_ptr<Running> running_;                 // the last task's
  std::map<std::string, TextOfToken> vocabularies_;  // by the model's file
  std::map<std::string, bool> has_static_llama_;     // by file that was searched
  bool is_first_ = true;
};

}  // namespace enprof
