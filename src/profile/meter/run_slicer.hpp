// Cuts a run that goes on into pieces that are over.
#pragma once

#include "enprof/base/clock.hpp"

#include "record/pass_recorder.hpp"
#include "record/run_recorder.hpp"
#include "record/span_places.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace enprof {

/// Takes in what recorders push into their rings, and gives out slices: each begins where the one
/// before it ended, ends with a token, and is a recording like that of a whole run. So all that
/// works out figures of a run works on a slice of it. What has been given out is forgotten.
/// A record that was dropped costs the spans and passes inside it, no more.
class RunSlicer {
 public:
  void begin(Instant begin) { begin_ = begin; }
  void add(const SpanRecord& record) { spans_[record.index] = record; }
  void add(const PassTicket& ticket) { passes_.push_back(ticket); }
  void add_plan(std::uint32_t index, OperationPlan plan);

  /// Where the next slice begins.
  [[nodiscard]] Instant begin_time() const { return begin_; }
  /// Makes the slice that ends with the last token that was over at `until`; false where there is
  /// none since the slice before. Then slice() and first_token() describe it.
  [[nodiscard]] bool cut(Instant until);
  /// Valid until the next call of anything. Names of sections are left out.
  [[nodiscard]] const Recording& slice() const { return slice_; }
  /// The slice numbers its tokens from 0 on; this is the run's number of the first.
  [[nodiscard]] std::size_t first_token() const { return first_token_; }

 private:
  void add_spans(Instant end, SpanPlaces& moved);
  void add_passes(Instant end, const SpanPlaces& moved);
  void forget(Instant end);

  Instant begin_;
  std::map<std::int32_t, SpanRecord> spans_;  // by index: what is open, or not yet given out
  std::vector<PassTicket> passes_;            // not yet given out
  Recording slice_;                           // keeps the plans from slice to slice
  std::size_t first_token_ = 0;
};

}  // namespace enprof
