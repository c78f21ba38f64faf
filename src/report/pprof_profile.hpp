// A run as a profile of pprof (github.com/google/pprof/blob/main/proto/profile.proto).
#pragma once

#include "base/text_stream.hpp"
#include "report/run_source.hpp"
#include "report/text_pieces.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace enprof {

/// The leaves of RunStacks as samples of energy in microjoules, if the run has one, and of time in
/// microseconds; compressed, as pprof wants it. Errors: those of the source; internal.
class PprofProfile final : public TextStream {
 public:
  explicit PprofProfile(std::unique_ptr<RunSource> source) : source_(std::move(source)) {}

  [[nodiscard]] Result<bool> next(std::string& text) override;

 private:
  [[nodiscard]] Result<std::string> profile() const;

  std::unique_ptr<RunSource> source_;
  std::optional<TextPieces> bytes_;
};

}  // namespace enprof
