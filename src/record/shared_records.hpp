// The records of one run in memory that two processes share: one runs the engine and writes, the
// other keeps the run and reads.
#pragma once

#include "base/ring_buffer.hpp"
#include "record/pass_record.hpp"
#include "record/pass_recorder.hpp"
#include "record/run_recorder.hpp"
#include "record/text_memory.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

namespace enprof {

/// Lays the memory out the same way in both processes, which know the capacity:
///
///     ring of SpanRecord      each change of a span, in order
///     ring of PassEntry       each pass, when it ended
///     RecordedName[64]        sections' names      ┐
///     RecordedText[tokens]    where texts lie      │ written before the record
///     char[text_bytes]        texts                │ that refers to them is
///     StampCode[operations]   ends of operations   │ pushed
///     BatchSequence[…]        sequences of passes  ┘
///
/// The memory is zero before a run. Nothing in it is a pointer. kRecordVersion is the version of
/// the records and of this layout.
/// Threads: those of the rings; the writer also writes what lies beside them.
class SharedRecords {
 public:
  struct Capacity {
    RunRecorder::Capacity spans{};
    PassRecorder::Capacity passes{};

    friend bool operator==(const Capacity&, const Capacity&);
  };

  [[nodiscard]] static std::size_t bytes_for(const Capacity& capacity);
  /// `memory` has bytes_for(capacity) bytes, is aligned to a page, and outlives this.
  SharedRecords(std::span<std::byte> memory, const Capacity& capacity);

  [[nodiscard]] SpanRing& spans() noexcept { return spans_; }
  [[nodiscard]] PassRing& passes() noexcept { return passes_; }
  [[nodiscard]] const TextMemory& texts() const noexcept { return texts_; }
  [[nodiscard]] const PassMemory& pass_memory() const noexcept { return pass_memory_; }

 private:
  struct Layout;
  SharedRecords(std::span<std::byte> memory, const Capacity& capacity, const Layout& layout);

  SpanRing spans_;
  PassRing passes_;
  TextMemory texts_;
  PassMemory pass_memory_;
};

/// Gives a run the records that another process has written. Threads: one, as the run's recorders.
class RecordFeed {
 public:
  /// All must outlive it.
  RecordFeed(SharedRecords& records, RunRecorder& spans, PassRecorder& passes)
      : records_(records), spans_(spans), passes_(passes) {}

  using OnToken = std::function<void(std::size_t index, std::string_view text)>;

  /// Takes over all records that wait. `on_token` is called for each output token that has ended. A
  /// pass whose plan is not known yet waits for the next call, unless this is the `last` one.
  void follow(const OnToken& on_token, bool last = false);
  /// Records that are missing or damaged; what came after a missing span is not in the run.
  [[nodiscard]] std::size_t lost() const noexcept { return lost_; }
  [[nodiscard]] std::size_t dropped() const noexcept {
    return records_.spans().dropped() + records_.passes().dropped();
  }

 private:
  void follow_spans(const OnToken& on_token);
  void adopt(const SpanRecord& record, const OnToken& on_token);
  [[nodiscard]] bool next_pass();
  [[nodiscard]] bool fits(const PassRecord& pass) const noexcept;

  SharedRecords& records_;
  RunRecorder& spans_;
  PassRecorder& passes_;
  std::optional<PassRecord> pass_;  // the oldest that is not taken over
  std::size_t lost_ = 0;
};

}  // namespace enprof
