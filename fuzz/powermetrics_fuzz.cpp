// The output of powermetrics, or of something else: splits a stream into documents and parses each
// of them. Accepted samples must be possible.
#include "fuzz/check.hpp"
#include "power/powermetrics/powermetrics_sample.hpp"
#include "power/powermetrics/powermetrics_stream.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace enprof::fuzz {
namespace {

void check_sample(const PowermetricsSample& sample) {
  check(sample.elapsed > Nanoseconds{0}, "a window has a length");
  bool any = false;
  for (const auto& energy : sample.energies) {
    if (energy) {
      any = true;
      check(std::isfinite(energy->value()) && *energy >= Joules{0} &&
                *energy <= kPowermetricsPowerLimit * sample.elapsed,
            "an energy is possible");
    }
  }
  check(any, "a sample has an energy");
  check(!sample.gpu_utilization || (*sample.gpu_utilization >= 0 && *sample.gpu_utilization <= 1),
        "a utilization is a share");
  check(!sample.gpu_clock_hz || std::isfinite(*sample.gpu_clock_hz), "a clock is a number");
}

void read_all(PowermetricsStream& stream) {
  while (const auto document = stream.next()) {
    check(!document->empty(), "a document is not empty");
    if (const auto sample = parse_powermetrics_sample(*document)) {
      check_sample(*sample);
    } else {
      check(!sample.error().message.empty(), "a refusal says why");
    }
  }
}

}  // namespace
}  // namespace enprof::fuzz

// libFuzzer calls the function with this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  enprof::PowermetricsStream stream(std::size_t{1} << 16U);
  // In two pieces, as from a pipe.
  const std::size_t cut = size > 0 ? data[0] * size / 256 : 0;
  stream.add(text.substr(0, cut));
  enprof::fuzz::read_all(stream);
  stream.add(text.substr(cut));
  enprof::fuzz::read_all(stream);
  return 0;
}
