// The runs that have not ended, as clients may ask for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// At most one of them is running; the others wait. Threads: any thread may call anything.
class RunsUnderWay {
 public:
  enum class State : std::uint8_t { queued, running };

  RunsUnderWay() = default;
  RunsUnderWay(const RunsUnderWay&) = delete;
  RunsUnderWay& operator=(const RunsUnderWay&) = delete;
  virtual ~RunsUnderWay() = default;

  /// Empty if the run is neither waiting nor running.
  [[nodiscard]] virtual std::optional<State> state(std::string_view run_id) const = 0;
  /// The running one first, then the waiting ones in order.
  [[nodiscard]] virtual std::vector<std::string> ids() const = 0;
  [[nodiscard]] virtual std::size_t waiting() const = 0;
  /// The id of the running one; empty if there is none.
  [[nodiscard]] virtual std::string running() const = 0;
};

}  // namespace enprof
