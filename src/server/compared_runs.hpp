// Compares several runs.
#pragma once

#include "enprof/store/profile_database.hpp"

#include "base/text_stream.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace enprof {

/// {"runs":[…]} of run_sums_to_json(). Only one run is in memory at a time. Errors: those of
/// existing_run().
class ComparedRuns final : public TextStream {
 public:
  /// The database must outlive it.
  ComparedRuns(ProfileDatabase& store, std::vector<std::string> ids)
      : store_(store), ids_(std::move(ids)) {}

  [[nodiscard]] Result<bool> next(std::string& text) override;

 private:
  ProfileDatabase& store_;
  std::vector<std::string> ids_;
  std::size_t next_ = 0;
};

}  // namespace enprof
