#include "session/played_passes.hpp"

#include <algorithm>
#include <cstdint>

namespace enprof {

void PlayedPasses::tell(Instant now) {
  const Nanoseconds by = begin_ - Instant{};
  const PassRecordingView passes = recording_.passes.view();
  for (; next_pass_ < passes.passes.size(); ++next_pass_) {
    PassRecord pass = passes.passes[next_pass_];
    if (pass.end + by > now) {
      tell_changes(std::min(pass.begin, now - by));
      return;
    }
    tell_changes(pass.begin);
    if (is_warm_up(pass)) {
      continue;
    }
    pass.begin += by;
    pass.start += by;
    pass.end += by;
    const std::uint32_t context =
        next_pass_ < recording_.context_of.size() ? recording_.context_of[next_pass_] : 0;
    live_.add(context, recording_.contexts, pass, passes.sequences_of(pass));
  }
  tell_changes(now - by);
}

/// Those before a time of the recording.
void PlayedPasses::tell_changes(Instant until) {
  for (; next_change_ < recording_.changes.size() &&
         recording_.changes[next_change_].change.at <= until;
       ++next_change_) {
    live_.add(recording_.changes[next_change_]);
  }
}

/// The recording says so itself.
bool PlayedPasses::is_warm_up(const PassRecord& pass) const {
  return std::ranges::any_of(recording_.work, [&](const CapturedWork& work) {
    return work.kind == CapturedWorkKind::warm_up && work.begin <= pass.begin &&
           pass.end <= work.end;
  });
}

}  // namespace enprof
