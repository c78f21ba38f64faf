// Cuts a run, while it goes on, into slices that have ended.
#pragma once

#include "enprof/base/clock.hpp"

#include "record/pass_record.hpp"
#include "record/recording.hpp"
#include "record/run_recorder.hpp"
#include "record/span_places.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace enprof {

/// Gets the records that recorders push into their rings, and makes slices of them. Each slice
/// begins where the one before it ended, ends with a token, and is a recording like that of a whole
/// run, so that the code that computes a run's figures also works on a slice. Records are removed
/// when their slice was made. If a span's record was dropped, only the spans and passes inside that
/// span are missing.
class RunSlicer {
 public:
  /// `memory` has the stamps and sequences of the passes; it must outlive the slicer.
  void begin(Instant begin, const PassRecordingView& memory) {
    begin_ = begin;
    memory_ = memory;
  }
  void add(const SpanRecord& record) { spans_[record.index] = record; }
  void add(const PassEntry& entry) { waiting_.push_back(entry); }
  void add_plan(std::uint32_t index, SharedPlan plan);

  /// Where the next slice begins.
  [[nodiscard]] Instant begin_time() const { return begin_; }
  /// Makes a slice that ends with the last token that had ended at `until`; slice() and
  /// first_token() then describe it. False if no token ended since the slice before.
  [[nodiscard]] bool cut(Instant until);
  /// The last slice, without names of sections. Valid until the next call of any function.
  [[nodiscard]] RecordingView slice() const;
  /// The number in the run of the slice's first token, whose number in the slice is 0.
  [[nodiscard]] std::size_t first_token() const { return first_token_; }

 private:
  void add_spans(Instant end, SpanPlaces& moved);
  void add_passes(Instant end, const SpanPlaces& moved);
  void remove_ended(Instant end);

  Instant begin_;
  PassRecordingView memory_;                  // of the recorder
  std::map<std::int32_t, SpanRecord> spans_;  // by index: those that are open or in no slice yet
  std::vector<PassEntry> waiting_;            // passes that are in no slice yet
  std::vector<SharedPlan> plans_;
  // The slice.
  std::vector<Span> slice_spans_;
  std::vector<PassRecord> slice_passes_;
  std::size_t tokens_ = 0;
  std::size_t first_token_ = 0;
};

}  // namespace enprof
