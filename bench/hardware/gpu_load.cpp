#include "gpu_load.hpp"

#include "base/sleeper.hpp"

#include <algorithm>
#include <limits>

namespace enprof::hardware {
namespace {

constexpr Nanoseconds kKernel = std::chrono::milliseconds{2};

}  // namespace

Result<std::unique_ptr<GpuLoad>> GpuLoad::open(std::unique_ptr<CudaDriver> driver) {
  std::unique_ptr<GpuLoad> load(new GpuLoad(std::move(driver)));
  if (auto done = load->calibrate(); !done) {
    return std::unexpected(std::move(done.error()));
  }
  return load;
}

Result<void> GpuLoad::calibrate() {
  // The first kernel is compiled and brings the GPU to speed: so the last of several counts.
  for (int attempt = 0; attempt < 8; ++attempt) {
    const Instant begin = monotonic_clock().now();
    if (auto done = driver_->compute(rounds_); !done) {
      return done;
    }
    const double took = seconds(monotonic_clock().now() - begin);
    const double wanted = rounds_ * seconds(kKernel) / std::max(took, 1e-7);
    rounds_ = static_cast<std::uint32_t>(
        std::clamp(wanted, 100.0, static_cast<double>(std::numeric_limits<std::uint32_t>::max())));
  }
  return {};
}

Result<LoadCourse> GpuLoad::run(Instant begin, Nanoseconds half, std::size_t count) {
  LoadCourse course;
  Instant previous = begin;
  for (std::size_t index = 0; index < count; ++index) {
    const Instant due = begin + half * static_cast<std::int64_t>(index + 1);
    const bool on = index % 2 == 0;
    if (index == 0) {
      monotonic_sleeper().sleep_until(begin);
      previous = monotonic_clock().now();
    }
    if (on) {
      // A kernel that begins now should end by then, give or take half of one.
      while (monotonic_clock().now() + kKernel / 2 < due) {
        if (auto done = driver_->compute(rounds_); !done) {
          return std::unexpected(std::move(done.error()));
        }
      }
    } else {
      monotonic_sleeper().sleep_until(due);
    }
    const Instant now = monotonic_clock().now();
    course.halves.push_back({.begin = previous, .end = now, .on = on});
    course.worst_edge = std::max(course.worst_edge, std::chrono::abs(now - due));
    previous = now;
  }
  return course;
}

}  // namespace enprof::hardware
