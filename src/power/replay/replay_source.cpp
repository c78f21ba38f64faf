#include "power/replay/replay_source.hpp"

#include "base/counted.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace enprof {

Result<std::unique_ptr<ReplaySource>> ReplaySource::open(const std::filesystem::path& path,
                                                         const Clock& clock) {
  auto file = read_replay_file(path);
  if (!file) {
    return std::unexpected(file.error());
  }
  return std::unique_ptr<ReplaySource>(new ReplaySource(path, std::move(*file), clock));
}

ReplaySource::ReplaySource(std::filesystem::path path, ReplayFile file, const Clock& clock)
    : path_(std::move(path)), file_(std::move(file)), clock_(&clock) {
  for (const ReplayWindow& window : file_.windows) {
    length_ = std::max(length_, window.end);
  }
}

std::string ReplaySource::description() const {
  return fmt::format("{} over {:g} s from {}", counted(file_.windows.size(), "sensor reading"),
                     seconds(length_), path_.string());
}

Result<void> ReplaySource::start() {
  started_ = clock_->now();
  next_ = 0;
  return {};
}

Poll ReplaySource::poll(std::vector<EnergyWindow>& windows) {
  const Nanoseconds elapsed = clock_->now() - started_;
  for (; next_ < file_.windows.size() && file_.windows[next_].begin <= elapsed; ++next_) {
    const ReplayWindow& window = file_.windows[next_];
    windows.push_back({.domain = window.domain,
                       .unseen_permille = window.unseen_permille,
                       .stamp_error_ns = window.stamp_error_ns,
                       .begin = started_ + window.begin,
                       .end = started_ + window.end,
                       .energy = window.energy});
  }
  if (elapsed >= length_) {
    return {
        .outcome = PollOutcome::stopped,
        .error = {.code = ErrorCode::unavailable,
                  .message = fmt::format("{} ended after {:g} s", path_.string(), seconds(length_)),
                  .hint = "The time after that has no power. Record a longer file."}};
  }
  return {};
}

}  // namespace enprof
