#include "profile/layer_profiler.hpp"

#include "base/log.hpp"

#include <exception>
#include <string>
#include <type_traits>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"profile"};

/// Calls the engine, whose hooks may be of a foreign language: what they throw is an error.
template <class Call>
std::invoke_result_t<Call> call_engine(Call&& call) {
  try {
    return std::forward<Call>(call)();
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, error.what());
  } catch (...) {
    return fail(ErrorCode::internal, "an exception of unknown type");
  }
}

}  // namespace

LayerProfiler::LayerProfiler(RunScope& run, EngineHooks& hooks)
    : LayerProfiler(run, hooks, false) {}

LayerProfiler::LayerProfiler(RunScope& run, EngineHooks& hooks, bool values)
    : run_(run), hooks_(hooks), values_(values) {}

LayerProfiler::~LayerProfiler() { detach(); }

void LayerProfiler::attach() {
  const Result<HookOffer> components = offered(HookDepth::components);
  const Result<HookOffer> operations = offered(HookDepth::operations);
  std::optional<HookDepth> depth;
  if (components && !components->slows_down) {
    depth = HookDepth::components;
  } else if (operations && !operations->slows_down) {
    depth = HookDepth::operations;
  }
  if (!depth) {
    Error reason = !operations   ? operations.error()
                   : !components ? components.error()
                                 : Error{.code = ErrorCode::unavailable,
                                         .message = "Hooks would slow the inference down",
                                         .hint = {}};
    if (components || operations) {
      reason.hint = "Pass --depth deep to time its components, at a price; or --depth minimal.";
    }
    warn_of_tokens(reason, false);
  } else if (const Result<void> done = try_to_attach(*depth); !done) {
    run_.fail_hooks(done.error());
  }
}

void LayerProfiler::fall_back(const Error& reason) noexcept {
  try {
    go_down(reason);
  } catch (const std::exception& error) {  // out of memory; what is attached by now stays
    kLog.error("The run has no warning that hooks failed ({}): {}", reason.message, error.what());
  }
}

void LayerProfiler::detach() noexcept {
  if (!std::exchange(attached_, std::nullopt)) {
    return;
  }
  try {
    if (const Result<void> done = call_engine([&] { return hooks_.detach(); }); !done) {
      kLog.error("Failed to detach layer profiler hooks: {}", done.error().message);
    }
  } catch (const std::exception& error) {  // out of memory
    kLog.error("Failed to detach layer profiler hooks: {}", error.what());
  }
}

Result<HookOffer> LayerProfiler::offered(HookDepth depth) const {
  return call_engine([&] { return hooks_.offer(depth); });
}

Result<void> LayerProfiler::try_to_attach(HookDepth depth) {
  Result<void> done = call_engine([&] { return hooks_.attach(depth, values_); });
  if (done) {
    attached_ = depth;
  }
  return done;
}

void LayerProfiler::attach_components(const Error& reason, bool in_mid_run) {
  const Result<HookOffer> offer = offered(HookDepth::components);
  if (!offer) {
    warn_of_tokens(reason, in_mid_run);
    return;
  }
  const Result<void> done = try_to_attach(HookDepth::components);
  if (done) {
    warn_of_components(reason, offer->slows_down, in_mid_run);
  } else if (in_mid_run) {
    kLog.error("Failed to register layer profiler hooks: {}", done.error().message);
    warn_of_tokens(reason, true);
  } else {
    run_.fail_hooks(done.error());
  }
}

void LayerProfiler::go_down(const Error& reason) {
  const std::optional<HookDepth> failed = attached_;
  detach();
  if (failed == HookDepth::operations) {
    attach_components(reason, true);
  } else if (failed) {
    warn_of_tokens(reason, true);
  }
}

void LayerProfiler::warn_of_components(const Error& reason, bool slows_down, bool in_mid_run) {
  if (in_mid_run) {
    kLog.warning("{}; timing components from here on", reason.message);
  }
  std::string message = reason.message;
  message += in_mid_run ? ". From there on " : ": ";
  message += slows_down ? "the engine was stopped after each component to time it, which slows the "
                          "inference down"
                        : "components were timed";
  run_.warn(
      {"engine", "components_only", message + "; operations are not distinguished", reason.hint});
}

void LayerProfiler::warn_of_tokens(const Error& reason, bool in_mid_run) {
  if (in_mid_run) {
    kLog.warning("{}; timing tokens alone from here on", reason.message);
  }
  run_.warn({"engine", "tokens_only",
             reason.message + (in_mid_run ? ". From there on only tokens were timed"
                                          : ", so only tokens were timed"),
             reason.hint});
}

}  // namespace enprof
