// A counter behind a descriptor that does not change.
#pragma once

#include "power/counter/counter_point.hpp"

#include <optional>

namespace enprof {

/// Reads a counter that this process or another one opened. Threads: one.
class DescriptorPoint final : public CounterPoint {
 public:
  /// The descriptor belongs to it.
  explicit DescriptorPoint(Descriptor descriptor) noexcept : descriptor_(descriptor) {}
  ~DescriptorPoint() override;

  [[nodiscard]] std::optional<std::uint64_t> read() const noexcept override;
  [[nodiscard]] std::optional<Descriptor> descriptor() const noexcept override {
    return descriptor_;
  }

  /// Reads once from a descriptor that stays the caller's.
  [[nodiscard]] static std::optional<std::uint64_t> read(const Descriptor& descriptor) noexcept;

 private:
  Descriptor descriptor_;
};

}  // namespace enprof
