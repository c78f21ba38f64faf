// The history as a table.
#pragma once

#include "enprof/store/profile_database.hpp"

#include "base/text_stream.hpp"
#include "report/text_table.hpp"

#include <cstddef>
#include <string>
#include <utility>

namespace enprof {

/// One line per run, newest first, and a line with the number of further runs.
[[nodiscard]] std::string run_list(const RunList& list, const RunFilter& filter,
                                   const Terminal& terminal);
/// The same as JSON, {"total", "runs": […]}. Only a few runs are in memory at a time: prompts may
/// be long.
class RunListJson final : public TextStream {
 public:
  /// The database must outlive it.
  RunListJson(ProfileDatabase& store, RunIds runs) : store_(store), runs_(std::move(runs)) {}

  [[nodiscard]] Result<bool> next(std::string& text) override;

 private:
  ProfileDatabase& store_;
  RunIds runs_;
  std::size_t next_ = 0;
  std::size_t written_ = 0;
  bool has_begun_ = false;
};

}  // namespace enprof
