// The record of a pass, which is one evaluation of a graph: structs of a fixed size, no pointers.
//
// A pass has one PassRecord, one StampCode for each of its operations, and one BatchSequence for
// each sequence in its batch. The three kinds lie in three arrays; a PassRecord holds the index and
// the number of its stamps and of its sequences. So the same records can lie in memory that two
// processes share (docs/architecture.md).
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/model/operation.hpp"

#include "record/stamp_code.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace enprof {

/// Increase it when a struct in this file, StampCode or BatchSequence changes.
inline constexpr std::uint32_t kRecordVersion = 1;

/// Where a pass lies among the spans of its run.
struct PassPlace {
  std::int32_t parent = 0;         ///< index of the innermost span that is open around the pass
  std::uint32_t spans_before = 0;  ///< number of spans that were opened before the pass
};

/// Whether a pass has stamps, and if not, why.
enum class PassState : std::uint8_t {
  complete,    ///< it has a stamp for each operation
  discarded,   ///< the caller discarded its stamps; its begin and end are known
  mismatched,  ///< the number of stamps differs from that of the plan's operations, or the plan is
               ///< unknown
  dropped,     ///< its stamps did not fit into the memory
};

struct PassRecord {
  Instant begin;
  Instant start;  ///< of the first operation
  Instant end;
  PassPlace place;
  std::uint32_t plan = 0;
  std::uint32_t first_stamp = 0;
  std::uint32_t stamp_count = 0;  ///< 0 unless the pass is complete
  std::uint32_t first_sequence = 0;
  std::uint32_t sequence_count = 0;
  PassState state = PassState::complete;
  std::uint8_t unused[3] = {};  // NOLINT(modernize-avoid-c-arrays): so that every byte is defined

  friend bool operator==(const PassRecord& a, const PassRecord& b) {
    return a.begin == b.begin && a.start == b.start && a.end == b.end &&
           a.place.parent == b.place.parent && a.place.spans_before == b.place.spans_before &&
           a.plan == b.plan && a.first_stamp == b.first_stamp && a.stamp_count == b.stamp_count &&
           a.first_sequence == b.first_sequence && a.sequence_count == b.sequence_count &&
           a.state == b.state;
  }
};

/// Where the stamps and sequences of passes lie, if another process reads them.
struct PassMemory {
  std::span<StampCode> stamps;
  std::span<BatchSequence> sequences;
};

/// A pass that has ended, as it is passed to the threads that follow a run.
struct PassEntry {
  PassRecord pass;
  std::int32_t index = 0;  ///< among the run's passes
};

// Other programs may map these records, so their layout must not depend on the compiler.
static_assert(std::endian::native == std::endian::little);
static_assert(sizeof(PassRecord) == 56 && std::is_trivially_copyable_v<PassRecord> &&
              std::is_standard_layout_v<PassRecord> && offsetof(PassRecord, place) == 24 &&
              offsetof(PassRecord, plan) == 32 && offsetof(PassRecord, state) == 52);
static_assert(sizeof(BatchSequence) == 16 && std::is_trivially_copyable_v<BatchSequence> &&
              std::is_standard_layout_v<BatchSequence>);
static_assert(sizeof(Instant) == 8 && std::is_trivially_copyable_v<Instant>);

}  // namespace enprof
