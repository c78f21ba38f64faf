#include "server/publish_run.hpp"

#include "enprof/model/event.hpp"
#include "enprof/model/profiled_run.hpp"

namespace enprof {

void publish_run(InferencePipelineProfiler& profiler, const PowerMonitor* power,
                 LivePublisher& publisher, const Clock& clock) {
  profiler.on([power, &publisher, &clock, begun = clock.now()](const Event& event) {
    publisher.publish(event);
    // Publish a sensor's failure while the run goes on.
    if (event.get_if<events::PowerSample>() != nullptr && power != nullptr) {
      for (const Warning& warning : power->warnings(begun)) {
        publisher.publish_warning(event.run_id, clock.now() - begun, warning);
      }
    }
  });
}

}  // namespace enprof
