// What was seen of a program that serves requests: its models, its passes, and its other work.
#pragma once

#include "enprof/model/capture.hpp"

#include "record/pass_record.hpp"
#include "record/recording.hpp"
#include "record/told_pass.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace enprof {

/// What a program did to the cache of a context.
struct CapturedChange {
  std::uint32_t context = 0;  ///< index into the contexts of the capture
  ToldMemory change;

  friend bool operator==(const CapturedChange&, const CapturedChange&) = default;
};

/// The recording of a capture. Whoever reads a program's records fills it in; assemble_capture()
/// makes requests of it (profile/capture). Instants are those of the monotonic clock. Threads: one.
///
/// A pass is a PassRecord: its begin, the start of its first operation, its end, its plan, stamps
/// and sequences. `place` is not used. Passes of several contexts may overlap in time.
struct CaptureRecording {
  Instant begin;  ///< of the program
  Instant end;
  std::vector<CapturedModel> models;
  std::vector<CapturedContext> contexts;
  PassRecording passes;                   ///< by begin
  std::vector<std::uint32_t> context_of;  ///< by pass: index into contexts
  std::vector<std::int32_t> token_ids;    ///< of all passes: see tokens_of()
  std::vector<std::size_t> first_token;   ///< by sequence of `passes`: index into token_ids
  std::vector<CapturedWork> work;         ///< by begin
  std::vector<CapturedChange> changes;    ///< by time
  std::size_t lost_passes = 0;            ///< that the program made and nobody recorded
  /// The text of a token of a model (index into models). Null: texts are not known.
  std::function<std::string(std::uint32_t model, std::int32_t token)> text_of_token{};

  /// Adds a pass of a context; see PassRecording::add. `tokens`: what it computed of each sequence
  /// of the batch, one sequence after the other; empty: not known.
  void add_pass(std::uint32_t context, const PassRecord& pass, std::span<const Instant> ends,
                std::span<const BatchSequence> batch, std::span<const std::int32_t> tokens = {}) {
    passes.add(pass, ends, batch);
    context_of.push_back(context);
    std::size_t first = tokens.empty() ? kNotTold : token_ids.size();
    for (const BatchSequence& sequence : batch) {
      first_token.push_back(first);
      first += tokens.empty() ? 0 : sequence.tokens;
    }
    token_ids.insert(token_ids.end(), tokens.begin(), tokens.end());
  }

  /// What a pass computed of a sequence, its `place` in the pass's batch; empty: not known.
  [[nodiscard]] std::span<const std::int32_t> tokens_of(const PassRecord& pass,
                                                        std::size_t place) const {
    const std::size_t index = pass.first_sequence + place;
    if (place >= pass.sequence_count || index >= first_token.size() ||
        first_token[index] == kNotTold) {
      return {};
    }
    return std::span(token_ids).subspan(first_token[index], passes.sequences[index].tokens);
  }

 private:
  static constexpr std::size_t kNotTold = ~std::size_t{0};
};

}  // namespace enprof
