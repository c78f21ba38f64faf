// A file that is written before a run begins. If the program dies during the run, the next program
// reads in it which run and which model that was.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace enprof {

struct LeftAttempt;

/// The file `<db>.journal/RUN.attempt`. Its first line is what is known of the run before it
/// begins. If the program crashes and can still write, the reason follows (CrashContext has the
/// descriptor). The file is locked as long as the process lives; the destructor deletes it.
/// Threads: one at a time.
class RunAttempt {
 public:
  /// Writes the file of a request, which must have a run id. Errors: those of writing the file.
  [[nodiscard]] static Result<RunAttempt> begin(const std::filesystem::path& database,
                                                const RunRequest& request);
  RunAttempt(RunAttempt&& other) noexcept;
  RunAttempt& operator=(RunAttempt&& other) noexcept;
  ~RunAttempt();

  /// The file's descriptor, to which the reason is written.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  /// Unlocks and closes the file without deleting it.
  void leave() noexcept;

 private:
  friend std::vector<LeftAttempt> take_left_attempts(const std::filesystem::path& database);
  RunAttempt(std::filesystem::path path, int descriptor)
      : path_(std::move(path)), descriptor_(descriptor) {}
  void end() noexcept;

  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// The attempt of a process that has ended.
struct LeftAttempt {
  ProfiledRun run;     ///< only what its request has, with the status `running`
  std::string reason;  ///< why the process ended; empty if it could not write that
  RunAttempt file;     ///< is deleted with this struct, unless leave() is called
};

/// The attempts beside a database whose process has ended. It locks their files.
[[nodiscard]] std::vector<LeftAttempt> take_left_attempts(const std::filesystem::path& database);

/// Adds to an interrupted or running run why its process ended. With a reason, the run gets the
/// status `failed` and the warning program_died; without one, `interrupted` and program_killed.
/// Both warnings name the model. Does not change a run that had ended.
void add_end(const LeftAttempt& attempt, ProfiledRun& run);

}  // namespace enprof
