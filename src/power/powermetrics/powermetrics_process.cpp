#include "power/powermetrics/powermetrics_process.hpp"

#include <fmt/format.h>

#include <optional>
#include <string>

namespace enprof {
namespace {

/// At most so much is read at once, lest one that writes without end keeps us reading.
constexpr std::size_t kMostAtOnce = std::size_t{4} << 20U;

/// From the end of its output to its own.
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
  static_cast<void>(child_.errors());  // emptied, lest it wait for us to read them
  stream_.add(bytes);
  while (const auto document = stream_.next()) {
    for (auto count = stream_.take_cut_off(); count > 0; --count) {
      output.samples.emplace_back(lost("it was cut off by the next one"));
    }
    for (auto count = stream_.take_oversized(); count > 0; --count) {
      output.samples.emplace_back(
          lost(fmt::format("it is longer than {} bytes", kPowermetricsDocumentLimit)));
    }
    output.samples.push_back(parse_powermetrics_sample(*document));
  }
  for (auto count = stream_.take_oversized(); count > 0; --count) {
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
            .message = fmt::format("{} closed its output, and goes on", command_.allowed.front()),
            .hint = {}};
  }
  return explain_exit(command_, *status, errors);
}

}  // namespace enprof
