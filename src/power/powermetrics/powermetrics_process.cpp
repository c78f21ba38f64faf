#include "power/powermetrics/powermetrics_process.hpp"

#include <fmt/format.h>

#include <optional>
#include <string>

namespace enprof {
namespace {

/// At most this much is read at once, so that a program that never stops writing cannot block us.
constexpr std::size_t kMostAtOnce = std::size_t{4} << 20U;

/// How long to wait for its exit after the end of its output.
constexpr Nanoseconds kEnding = std::chrono::milliseconds{200};

std::unexpected<Error> lost(std::string message) {
  return fail(ErrorCode::malformed, std::move(message));
}

}  // namespace

Result<PowermetricsProcess> PowermetricsProcess::start(PowermetricsCommand command) {
  auto child = ChildProcess::start(command.words);
  if (!child) {
    return std::unexpected(child.error());
  }
  return PowermetricsProcess(std::move(*child), std::move(command));
}

PowermetricsProcess::Output PowermetricsProcess::read() {
  Output output;
  std::string bytes;
  output.ended = !child_.read_output(bytes, kMostAtOnce);
  static_cast<void>(child_.errors());  // empty the pipe, so that the program does not wait for it
  stream_.add(bytes);
  while (const auto document = stream_.next()) {
    for (auto count = stream_.pop_cut_off(); count > 0; --count) {
      output.samples.emplace_back(lost("it was cut off by the next one"));
    }
    for (auto count = stream_.pop_oversized(); count > 0; --count) {
      output.samples.emplace_back(
          lost(fmt::format("it is longer than {} bytes", kPowermetricsDocumentLimit)));
    }
    output.samples.push_back(parse_powermetrics_sample(*document));
  }
  for (auto count = stream_.pop_oversized(); count > 0; --count) {
    output.samples.emplace_back(
        lost(fmt::format("it is longer than {} bytes", kPowermetricsDocumentLimit)));
  }
  return output;
}

Error PowermetricsProcess::ending() {
  const auto status = child_.wait(kEnding);
  const std::string& errors = child_.errors();
  if (!status) {
    return {.code = ErrorCode::unavailable,
            .message = fmt::format("{} closed its output but still runs", command_.allowed.front()),
            .hint = {}};
  }
  return explain_exit(command_, *status, errors);
}

}  // namespace enprof
