// Who is at work, written down before the work begins: should the program die of it, the next one
// knows which run and which model that was.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace enprof {

struct LeftAttempt;

/// The file `<db>.journal/RUN.attempt`: what is known of the run, and below it the reason of the
/// program's end, where that could still be written (Undertaking has its descriptor). It is locked
/// as long as the process lives, and goes when this does. Threads: one at a time.
class RunAttempt {
 public:
  /// Of a request with a run id. Errors: those of the file.
  [[nodiscard]] static Result<RunAttempt> begin(const std::filesystem::path& database,
                                                const RunRequest& request);
  RunAttempt(RunAttempt&& other) noexcept;
  RunAttempt& operator=(RunAttempt&& other) noexcept;
  ~RunAttempt();

  /// Where the reason is to be written to.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  /// Lets go of the file, which stays.
  void leave() noexcept;

 private:
  friend std::vector<LeftAttempt> take_left_attempts(const std::filesystem::path& database);
  RunAttempt(std::filesystem::path path, int descriptor)
      : path_(std::move(path)), descriptor_(descriptor) {}
  void end() noexcept;

  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// What a process that is gone has left behind.
struct LeftAttempt {
  ProfiledRun run;     ///< no more than its request, as `running`
  std::string reason;  ///< of the process's end; empty where it could not say it any more
  RunAttempt file;     ///< goes with this, unless it is left
};

/// Those beside a database whose process is gone.
[[nodiscard]] std::vector<LeftAttempt> take_left_attempts(const std::filesystem::path& database);

/// Says in a run what its process died of: `failed` with the reason where there is one; else it
/// stays what it is, with the model named. A run that had ended is left as it is.
void tell_end(const LeftAttempt& attempt, ProfiledRun& run);

}  // namespace enprof
