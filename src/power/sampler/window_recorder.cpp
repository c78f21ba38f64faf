#include "power/sampler/window_recorder.hpp"

#include "base/file_limit.hpp"
#include "power/recording/replay_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace enprof {
namespace {

std::unexpected<Error> cannot_write(const std::filesystem::path& path, std::string advice) {
  const int error_number = errno != 0 ? errno : EIO;
  return fail(error_code_from_errno(error_number),
              fmt::format("Cannot record power to {}: {}", path.string(),
                          std::generic_category().message(error_number)),
              advice);
}

}  // namespace

Result<std::unique_ptr<WindowRecorder>> WindowRecorder::open(const std::filesystem::path& path) {
  errno = 0;
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  if (!out) {
    return cannot_write(path, "Use a file in an existing directory that you may write to.");
  }
  return std::unique_ptr<WindowRecorder>(new WindowRecorder(path, std::move(out)));
}

Result<void> WindowRecorder::write(const std::vector<Domain>& domains,
                                   std::span<const EnergyWindow> windows, Instant origin) {
  std::string text;
  for (const EnergyWindow& window : windows) {
    if (window.end <= origin) {
      continue;
    }
    const Instant begin = std::max(window.begin, origin);
    const double share = seconds(window.end - begin) / seconds(window.duration());
    const Domain& domain = domains[window.domain];
    text += replay_line(
        domain, {.begin = begin - origin,
                 .end = window.end - origin,
                 .energy = window.energy * share,
                 .domain = window.domain,
                 .stamp_error_ns = window.stamp_error_ns > 0
                                       ? window.stamp_error_ns
                                       : static_cast<std::uint32_t>(domain.stamp_error.count()),
                 .unseen_permille = window.unseen_permille});
  }
  if (text.empty()) {
    return {};
  }
  // Flush each time: a full disk is noticed at once, and a crash leaves complete lines.
  errno = 0;
  if (!out_.write(text.data(), static_cast<std::streamsize>(text.size())).flush()) {
    const auto failed = cannot_write(
        path_, (errno == EFBIG ? file_limit_hint() : "Make room, or use another file") +
                   ". The recording ends here.");
    drop_half_line();
    return failed;
  }
  whole_bytes_ += text.size();
  return {};
}

void WindowRecorder::drop_half_line() {
  out_.close();
  std::error_code failed;
  if (std::filesystem::is_regular_file(path_, failed)) {
    std::filesystem::resize_file(path_, whole_bytes_, failed);
  }
}

}  // namespace enprof
