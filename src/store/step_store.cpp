#include "store/step_store.hpp"

#include "store/run_lock.hpp"

#include <utility>

namespace enprof {

Result<void> StepStore::begin_run(const ProfiledRun& run, std::optional<Nanoseconds> patience) {
  return database_.begin_run(run, patience);
}

Result<void> StepStore::append_steps(std::string_view run_id, std::span<const RunStep> steps,
                                     std::optional<Nanoseconds> patience) {
  return database_.append_steps(run_id, steps, patience);
}

Result<std::vector<RunStep>> StepStore::read_steps(std::string_view run_id) {
  return database_.read_steps(run_id);
}

Result<std::vector<std::string>> StepStore::unfinished_runs() {
  return database_.unfinished_runs();
}

bool StepStore::keep_run(const ProfiledRun& run, std::unique_ptr<RunLock> lock,
                         std::filesystem::path journal) {
  return database_.keep_run(run, std::move(lock), std::move(journal));
}

}  // namespace enprof
