// A run's recording: its spans, passes, names and token texts.
#pragma once

#include "enprof/model/operation.hpp"
#include "enprof/model/span.hpp"

#include "record/pass_record.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// A view of a run's passes. They lie in a recorder's memory or in a PassRecording.
struct PassRecordingView {
  std::span<const SharedPlan> plans;
  std::span<const PassRecord> passes;        ///< by begin
  std::span<const StampCode> stamps;         ///< of all passes
  std::span<const BatchSequence> sequences;  ///< of all passes
  std::size_t lost_passes = 0;     ///< passes that did not fit; their time counts for the section
  std::size_t lost_sequences = 0;  ///< sequences that did not fit; their passes have no sequences

  /// Empty if the pass points beyond the recording, which may come from a file.
  [[nodiscard]] std::span<const StampCode> stamps_of(const PassRecord& pass) const {
    return part(stamps, pass.first_stamp, pass.stamp_count);
  }
  [[nodiscard]] std::span<const BatchSequence> sequences_of(const PassRecord& pass) const {
    return part(sequences, pass.first_sequence, pass.sequence_count);
  }

 private:
  template <class T>
  static std::span<const T> part(std::span<const T> all, std::size_t first, std::size_t count) {
    return first > all.size() || count > all.size() - first ? std::span<const T>{}
                                                            : all.subspan(first, count);
  }
};

/// A run's passes, with the memory that they lie in.
struct PassRecording {
  std::vector<SharedPlan> plans;
  std::vector<PassRecord> passes;
  std::vector<StampCode> stamps;
  std::vector<BatchSequence> sequences;
  std::size_t lost_passes = 0;
  std::size_t lost_sequences = 0;

  /// Adds a pass whose operations ended at `ends`; fills in the pass's stamps and sequences.
  void add(PassRecord pass, std::span<const Instant> ends,
           std::span<const BatchSequence> batch = {}) {
    pass.first_stamp = static_cast<std::uint32_t>(stamps.size());
    pass.stamp_count = static_cast<std::uint32_t>(ends.size());
    pass.first_sequence = static_cast<std::uint32_t>(sequences.size());
    pass.sequence_count = static_cast<std::uint32_t>(batch.size());
    StampWriter writer;
    writer.begin(pass.start);
    for (const Instant end : ends) {
      stamps.push_back(writer.next(end));
    }
    sequences.insert(sequences.end(), batch.begin(), batch.end());
    passes.push_back(pass);
  }
  [[nodiscard]] PassRecordingView view() const {
    return {.plans = plans,
            .passes = passes,
            .stamps = stamps,
            .sequences = sequences,
            .lost_passes = lost_passes,
            .lost_sequences = lost_sequences};
  }
};

/// A view of a run's recording.
struct RecordingView {
  std::span<const Span> spans;  ///< the run's span first; ordered as attribute() requires
  std::vector<std::string_view> names;
  std::vector<std::string_view> token_texts;  ///< by token index
  std::size_t dropped_spans = 0;
  std::size_t dropped_text_bytes = 0;
  std::size_t cut_spans = 0;  ///< spans that ended because another phase began
  PassRecordingView passes;
};

/// A run's recording, with its memory: made by a test, or read from the saved steps of a run.
struct Recording {
  std::vector<Span> spans;
  std::vector<std::string> names;
  std::vector<std::string> token_texts;
  std::size_t dropped_spans = 0;
  std::size_t dropped_text_bytes = 0;
  std::size_t cut_spans = 0;
  PassRecording passes;

  [[nodiscard]] RecordingView view() const {
    return {.spans = spans,
            .names = {names.begin(), names.end()},
            .token_texts = {token_texts.begin(), token_texts.end()},
            .dropped_spans = dropped_spans,
            .dropped_text_bytes = dropped_text_bytes,
            .cut_spans = cut_spans,
            .passes = passes.view()};
  }
};

}  // namespace enprof
