// A table of several runs.
#pragma once

#include "enprof/store/profile_database.hpp"

#include "base/text_stream.hpp"
#include "report/run_csv.hpp"
#include "report/run_source.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// One of csv_table_names() with the rows of one run after another, read from the database.
class RunsCsv final : public TextStream {
 public:
  /// The database must outlive it. Errors: not_found if a run was deleted; those of RunCsv.
  RunsCsv(ProfileDatabase& store, std::span<const std::string> run_ids, std::string_view table)
      : store_(store), run_ids_(run_ids.begin(), run_ids.end()), table_(table) {}

  [[nodiscard]] Result<bool> next(std::string& text) override;

 private:
  ProfileDatabase& store_;
  std::vector<std::string> run_ids_;
  std::string table_;
  std::size_t at_ = 0;
  std::unique_ptr<RunInStore> run_;
  std::optional<RunCsv> csv_;  // of run_
};

}  // namespace enprof
