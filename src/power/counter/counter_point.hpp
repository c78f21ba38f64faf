// A counter that a thread may read while it computes.
#pragma once

#include <cstdint>
#include <optional>

namespace enprof {

/// A second way to a counter that a source reads (CounterInput::point). It stays readable while the
/// source opens the counter again, and for as long as the point itself lives.
/// Threads: one reads; the source's thread may open the counter again meanwhile.
class CounterPoint {
 public:
  CounterPoint() = default;
  CounterPoint(const CounterPoint&) = delete;
  CounterPoint& operator=(const CounterPoint&) = delete;
  virtual ~CounterPoint() = default;

  /// Empty if the counter cannot be read. One system call, which neither allocates nor locks.
  [[nodiscard]] virtual std::optional<std::uint64_t> read() const noexcept = 0;

  /// What another process needs to read the counter: a copy of the descriptor, see DescriptorPoint.
  struct Descriptor {
    int number = -1;
    bool is_text = true;  ///< a line with a whole number, read at its begin; else eight bytes
  };
  /// Empty if only this process can read it.
  [[nodiscard]] virtual std::optional<Descriptor> descriptor() const noexcept {
    return std::nullopt;
  }
};

}  // namespace enprof
