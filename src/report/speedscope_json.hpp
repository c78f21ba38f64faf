// A run as speedscope's JSON (www.speedscope.app/file-format-schema.json).
#pragma once

#include "base/text_stream.hpp"
#include "report/run_source.hpp"
#include "report/text_pieces.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace enprof {

/// The leaves of RunStacks as two profiles: "time" in nanoseconds, and "energy (µJ)" in whole
/// microjoules if the run has an energy. Its size depends on the model, not on the run's length.
/// Errors: those of the source.
class SpeedscopeJson final : public TextStream {
 public:
  explicit SpeedscopeJson(std::unique_ptr<RunSource> source) : source_(std::move(source)) {}

  [[nodiscard]] Result<bool> next(std::string& text) override;

 private:
  [[nodiscard]] Result<std::string> document() const;

  std::unique_ptr<RunSource> source_;
  std::optional<TextPieces> text_;
};

}  // namespace enprof
