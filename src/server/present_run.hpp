// The run of a program that makes one after the other itself.
#pragma once

#include "server/runs_under_way.hpp"

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Threads: any thread may call anything.
class PresentRun final : public RunsUnderWay {
 public:
  void begin(std::string run_id);
  void end() { begin({}); }

  [[nodiscard]] std::optional<State> state(std::string_view run_id) const override;
  [[nodiscard]] std::vector<std::string> ids() const override;
  [[nodiscard]] std::size_t waiting() const override { return 0; }
  [[nodiscard]] std::string running() const override;

 private:
  mutable std::mutex mutex_;
  std::string run_id_;  // empty: none
};

}  // namespace enprof
