// Encodes the time between the ends of two operations in 32 bits.
#pragma once

#include "enprof/base/clock.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace enprof {

/// The time from the end of one operation to the end of the next. Below 2³¹ ns (2.1 s) it is exact.
/// A longer time has its top bit set and counts units of 1024 ns, up to 36 minutes. StampWriter
/// adds the remainder to the next operation's time, so that errors do not add up.
using StampCode = std::uint32_t;

inline constexpr StampCode kLongStamp = StampCode{1} << 31U;
inline constexpr unsigned kLongStampShift = 10;

/// The code of the longest time that can be encoded and is not longer than `time`; 0 if `time` is
/// negative.
[[nodiscard]] constexpr StampCode encode_stamp(Nanoseconds time) noexcept {
  const Nanoseconds::rep count = std::max<Nanoseconds::rep>(time.count(), 0);
  if (count < Nanoseconds::rep{kLongStamp}) {
    return static_cast<StampCode>(count);
  }
  return kLongStamp | static_cast<StampCode>(
                          std::min(count >> kLongStampShift, Nanoseconds::rep{kLongStamp} - 1));
}

[[nodiscard]] constexpr Nanoseconds decode_stamp(StampCode code) noexcept {
  return Nanoseconds{code < kLongStamp
                         ? Nanoseconds::rep{code}
                         : Nanoseconds::rep{code & (kLongStamp - 1)} << kLongStampShift};
}

/// Encodes the stamps of one pass. Threads: one.
class StampWriter {
 public:
  void begin(Instant first_operation) noexcept { decoded_end_ = first_operation; }
  /// The code of the next operation, which ended at `end`. It is 0 if `end` is not after the
  /// decoded end of the operation before: the clock went back.
  [[nodiscard]] StampCode next(Instant end) noexcept {
    const StampCode code = encode_stamp(end - decoded_end_);
    decoded_end_ += decode_stamp(code);
    return code;
  }

 private:
  Instant decoded_end_;  ///< the last operation's end, as read_stamps() decodes it
};

/// Decodes the codes of one pass: replaces the content of `ends` by the ends of its operations.
inline void read_stamps(Instant first_operation, std::span<const StampCode> codes,
                        std::vector<Instant>& ends) {
  ends.clear();
  ends.reserve(codes.size());
  for (const StampCode code : codes) {
    first_operation += decode_stamp(code);
    ends.push_back(first_operation);
  }
}

}  // namespace enprof
