// Makes the figures of a capture and of its requests.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "profile/assemble/power_evidence.hpp"
#include "record/capture_recording.hpp"

#include <functional>

namespace enprof {

/// Fills in the figures of a capture, as assemble_run() does those of a run, and makes a run of
/// each request in it, which `on_request` gets in the order in which they began. `whole` is the
/// span of the capture's run. The caller has set the capture's identity, depth, tags and economics,
/// which its requests take over; its verdict is not made here, those of the requests are. Requests
/// have no run_id yet.
///
/// The energy of a pass goes to its operations, and that of each operation to the sequences in its
/// batch (attribution/pass_sharing.hpp); passes without operations are shared by the modelled work
/// of the sequences; passes that run at once have even parts of their common time. Time between two
/// passes belongs to the requests that are in flight, if it is at most kLongestBetween. Requests
/// and the other parts of CaptureFigures add up to the capture.
///
/// Passes that refer to a context, a plan or stamps that are not in the recording are taken as
/// passes without operations, of a model that is not known.
void assemble_capture(const CaptureRecording& recording, const Span& whole,
                      const PowerEvidence& power, ProfiledRun& capture,
                      const std::function<void(ProfiledRun)>& on_request);

/// Time between two passes that still counts as work for the requests in flight: choosing and
/// sending tokens.
inline constexpr Nanoseconds kLongestBetween = std::chrono::milliseconds{100};

}  // namespace enprof
