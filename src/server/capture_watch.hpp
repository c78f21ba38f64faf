// Counts the captures that other programs save into the same database.
#pragma once

#include "enprof/store/profile_database.hpp"

#include "server/server_metrics.hpp"

#include <optional>
#include <set>
#include <string>

namespace enprof {

/// `enprof exec` makes captures in a process of its own; a server on the same database finds them
/// when they have ended, and counts them in its metrics. Those that had ended before the first look
/// are not counted. Threads: one.
class CaptureWatch {
 public:
  /// Both must outlive it.
  CaptureWatch(ProfileDatabase& store, ServerMetrics& metrics) : store_(store), metrics_(metrics) {}

  /// Looks for captures that have ended since the last look. A database that cannot be read now is
  /// read again at the next look.
  void look();

 private:
  [[nodiscard]] Result<void> count(const RunSummary& found);

  ProfileDatabase& store_;
  ServerMetrics& metrics_;
  std::set<std::string> seen_;
  bool has_looked_ = false;
};

}  // namespace enprof
