// A run as folded stacks, for flamegraph.pl and inferno.
#pragma once

#include "base/text_stream.hpp"
#include "report/run_source.hpp"
#include "report/stack_weight.hpp"
#include "report/text_pieces.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// One line for each leaf of RunStacks: "decode;layer 3;q_proj;MUL_MAT 1234". The weights are whole
/// numbers and add up to the run's energy or time, rounded. Leaves that round to nothing are left
/// out. Errors: not_found if the weight is energy and the run has none; those of the source.
class FoldedStacks final : public TextStream {
 public:
  FoldedStacks(std::unique_ptr<RunSource> source, StackWeight weight);

  [[nodiscard]] Result<bool> next(std::string& text) override;

  /// A stack on one line, without its weight. Readers split frames at ";", and take a number at the
  /// end for another weight: both are changed where names contain them.
  [[nodiscard]] static std::string line_of(const std::vector<std::string>& frames);

 private:
  [[nodiscard]] Result<std::string> lines() const;

  std::unique_ptr<RunSource> source_;
  StackWeight weight_;
  std::optional<TextPieces> text_;
};

/// Whether a run has the weight that is asked for. Errors: not_found.
[[nodiscard]] Result<void> check_weight(const ProfiledRun& run, StackWeight weight);

}  // namespace enprof
