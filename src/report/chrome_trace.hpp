// A run as a trace in Chrome's JSON format, which ui.perfetto.dev and chrome://tracing open.
#pragma once

#include "base/text_stream.hpp"
#include "report/run_source.hpp"

#include <memory>
#include <string>

namespace enprof {

/// The events of RunTimeline as JSON, one on each line: slices on one track, a counter for each
/// domain's power and each kind of reading. Times are microseconds since the run began. Energies
/// and uncertainties are arguments of the slices; what was not measured is null. Memory does not
/// grow with the run's length. Errors: those of the source.
class ChromeTrace final : public TextStream {
 public:
  explicit ChromeTrace(std::unique_ptr<RunSource> source);
  ~ChromeTrace() override;

  [[nodiscard]] Result<bool> next(std::string& text) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace enprof
