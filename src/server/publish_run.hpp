// Publishes the run that a profiler makes next.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/power/power_monitor.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "server/live_publisher.hpp"

namespace enprof {

/// Has the profiler's events published, and what sensors say of their own failure while the run
/// goes on. Call it right before the run begins. `power` is null if power is not measured. All must
/// outlive the profiler.
void publish_run(InferencePipelineProfiler& profiler, const PowerMonitor* power,
                 LivePublisher& publisher, const Clock& clock);

}  // namespace enprof
