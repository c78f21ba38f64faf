// What a watcher would have heard of a run by the time of its last token.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include <cstddef>
#include <string>

namespace enprof::pictures {

/// The events of a run that stands at its last token, as a JSON array: of the last `provisional`
/// tokens energies are not settled yet.
[[nodiscard]] std::string live_events(const ProfiledRun& run, std::size_t provisional);

}  // namespace enprof::pictures
