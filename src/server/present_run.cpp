#include "server/present_run.hpp"

#include <utility>

namespace enprof {

void PresentRun::begin(std::string run_id) {
  const std::lock_guard lock(mutex_);
  run_id_ = std::move(run_id);
}

std::optional<RunsUnderWay::State> PresentRun::state(std::string_view run_id) const {
  const std::lock_guard lock(mutex_);
  return !run_id_.empty() && run_id_ == run_id ? std::optional{State::running} : std::nullopt;
}

std::vector<std::string> PresentRun::ids() const {
  const std::lock_guard lock(mutex_);
  return run_id_.empty() ? std::vector<std::string>{} : std::vector{run_id_};
}

std::string PresentRun::running() const {
  const std::lock_guard lock(mutex_);
  return run_id_;
}

}  // namespace enprof
