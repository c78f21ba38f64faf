// A power source whose counter only the thread of a run reads.
#pragma once

#include "enprof/power/power_source.hpp"

#include "power/counter/border_reader.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof::testing {

/// Its counter "steps" each millisecond, and counts how often it is read at borders.
class BorderSource final : public PowerSource {
 public:
  BorderSource(const Clock& clock, std::atomic<int>& reads)
      : BorderSource(clock, std::make_shared<Point>(reads)) {}
  BorderSource(const Clock& clock, std::shared_ptr<const CounterPoint> point)
      : clock_(clock),
        reader_(std::make_shared<BorderReader>(
            std::vector<std::shared_ptr<const CounterPoint>>{std::move(point)}, clock)) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "border"; }
  [[nodiscard]] std::string description() const override { return "read at borders"; }
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return domains_; }
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override { return kStep; }
  [[nodiscard]] Result<void> start() override {
    reader_->publish({.mode = BorderReader::Plan::Mode::steps,
                      .step = clock_.now(),
                      .period = kStep,
                      .error = std::chrono::microseconds{1}});
    return {};
  }
  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& /*windows*/) override { return {}; }
  [[nodiscard]] std::vector<std::shared_ptr<BorderReader>> border_readers() override {
    return {reader_};
  }
  void stop() override { reader_->publish({}); }

 private:
  class Point final : public CounterPoint {
   public:
    explicit Point(std::atomic<int>& reads) : reads_(reads) {}
    [[nodiscard]] std::optional<std::uint64_t> read() const noexcept override {
      return static_cast<std::uint64_t>(++reads_);
    }

   private:
    std::atomic<int>& reads_;
  };

  static constexpr Nanoseconds kStep = std::chrono::milliseconds{1};

  const Clock& clock_;
  std::array<Domain, 1> domains_{domain_from_name("package-0")};
  std::shared_ptr<BorderReader> reader_;
};

}  // namespace enprof::testing
