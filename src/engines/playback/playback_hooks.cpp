#include "engines/playback/playback_hooks.hpp"

#include "profile/component_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <stdexcept>
#include <utility>

namespace enprof {

Result<HookOffer> PlaybackHooks::offer(HookDepth /*depth*/) const { return HookOffer{}; }

Result<void> PlaybackHooks::attach(HookDepth depth, bool /*values*/) {
  if (script_.hook_failures.at_pass[static_cast<std::size_t>(depth)] == 0U) {
    return fail(ErrorCode::unavailable,
                fmt::format("The script has no hooks for {}",
                            depth == HookDepth::operations ? "operations" : "components"));
  }
  plans_.clear();
  std::size_t longest = 0;
  for (const PlaybackPlan& plan : script_.plans) {
    HookedPlan hooked;
    if (depth == HookDepth::operations) {
      for (std::uint32_t operation = 0; operation < plan.lengths.size(); ++operation) {
        hooked.ends.push_back(operation);
      }
      hooked.id = run_.add_plan(plan.plan);
    } else {
      add_component_ends(plan.plan, hooked.ends);
      hooked.id = run_.add_plan(merge_components(plan.plan, hooked.ends));
    }
    longest = std::max(longest, hooked.ends.size());
    plans_.push_back(std::move(hooked));
  }
  stamps_.reserve(longest);
  attached_ = depth;
  return {};
}

Result<void> PlaybackHooks::detach() {
  attached_.reset();
  if (script_.hook_failures.on_detach) {
    throw std::runtime_error("the script has its hooks hold on");
  }
  return {};
}

Result<void> PlaybackHooks::end_pass(std::size_t plan, Instant begin) {
  ++passes_;
  if (!attached_) {
    return {};
  }
  const std::vector<Nanoseconds>& lengths = script_.plans[plan].lengths;
  const HookedPlan& hooked = plans_[plan];
  stamps_.clear();
  Instant end = begin;
  std::size_t operation = 0;
  for (const std::uint32_t last : hooked.ends) {
    for (; operation <= last; ++operation) {
      end += lengths[operation];
    }
    stamps_.push_back(end);
  }
  const bool fails = script_.hook_failures.at_pass[static_cast<std::size_t>(*attached_)] == passes_;
  if (fails && !stamps_.empty()) {
    stamps_.pop_back();
  }
  run_.add_pass(hooked.id, begin, begin, stamps_);
  if (!fails) {
    return {};
  }
  return fail(ErrorCode::internal,
              fmt::format("Pass {} of the script reported {} of {} {}", passes_, stamps_.size(),
                          hooked.ends.size(),
                          *attached_ == HookDepth::operations ? "operations" : "components"));
}

}  // namespace enprof
