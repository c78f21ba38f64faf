// A run as a trace of Perfetto (perfetto.dev/docs/reference/trace-packet-proto).
#pragma once

#include "base/text_stream.hpp"
#include "report/run_source.hpp"

#include <memory>
#include <string>

namespace enprof {

/// The events of RunTimeline as packets of track events: slices on one track, a counter for each
/// domain's power and each kind of reading. Times are nanoseconds since the run began. Energies
/// and uncertainties are annotations of the slices; what was not measured has none. Names are
/// written once, except those of tokens. Memory does not grow with the run's length. Errors: those
/// of the source.
class PerfettoTrace final : public TextStream {
 public:
  explicit PerfettoTrace(std::unique_ptr<RunSource> source);
  ~PerfettoTrace() override;

  [[nodiscard]] Result<bool> next(std::string& text) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace enprof
