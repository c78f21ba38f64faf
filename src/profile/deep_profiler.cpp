#include "profile/deep_profiler.hpp"

#include "base/log.hpp"

namespace enprof {
namespace {

constexpr Logger kLog{"profile"};

}  // namespace

void DeepProfiler::attach() {
  const Result<HookOffer> offer = offered(HookDepth::operations);
  if (!offer) {
    attach_components(offer.error(), false);
    return;
  }
  if (const Result<void> done = try_to_attach(HookDepth::operations); !done) {
    kLog.error("Failed to register deep profiler hooks: {}", done.error().message);
    attach_components(done.error(), false);
  }
}

std::unique_ptr<LayerProfiler> attach_profiler(RunScope& run, EngineHooks& hooks) {
  std::unique_ptr<LayerProfiler> profiler;
  switch (run.depth()) {
    case Depth::minimal:
      return profiler;
    case Depth::module:
      profiler = std::make_unique<LayerProfiler>(run, hooks);
      break;
    case Depth::deep:
      profiler = std::make_unique<DeepProfiler>(run, hooks);
      break;
  }
  profiler->attach();
  return profiler;
}

}  // namespace enprof
