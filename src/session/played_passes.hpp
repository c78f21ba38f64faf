// Tells the passes of a recording as if a program made them now.
#pragma once

#include "enprof/base/clock.hpp"

#include "record/capture_recording.hpp"
#include "session/live_requests.hpp"

#include <cstddef>

namespace enprof {

/// Each pass is told when it would have ended. Threads: one.
class PlayedPasses {
 public:
  /// The recording's times count from zero, which stands for `begin`. Both must outlive this.
  PlayedPasses(const CaptureRecording& recording, Instant begin, LiveRequests& live)
      : recording_(recording), begin_(begin), live_(live) {}

  /// Tells what has happened until now and was not told yet.
  void tell(Instant now);

 private:
  void tell_changes(Instant until);
  [[nodiscard]] bool is_warm_up(const PassRecord& pass) const;

  const CaptureRecording& recording_;
  Instant begin_;
  LiveRequests& live_;
  std::size_t next_pass_ = 0;
  std::size_t next_change_ = 0;
};

}  // namespace enprof
