// The reports and rules of database maintenance.
#pragma once

#include "enprof/store/run_query.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace enprof {

struct DatabaseStats {
  std::filesystem::path path;
  int schema_version = 0;
  std::uintmax_t file_bytes = 0;
  std::uintmax_t log_bytes = 0;   ///< size of the write-ahead log
  std::uintmax_t free_bytes = 0;  ///< unused space in the file, which `vacuum` gives back
  std::size_t runs = 0;
  std::vector<std::pair<std::string, std::size_t>> runs_by_status;
  std::vector<std::pair<std::string, std::size_t>> rows;  ///< by table
  std::optional<WallTime> oldest;
  std::optional<WallTime> newest;
  std::size_t journals = 0;  ///< runs beside the file that wait for `db import`
};

/// The problems found in a file. Empty: the file is good.
struct CheckReport {
  std::vector<std::string> problems;  ///< at most kMostProblems
  static constexpr std::size_t kMostProblems = 100;
  [[nodiscard]] bool good() const { return problems.empty(); }
};

struct SalvageReport {
  std::vector<std::pair<std::string, std::size_t>> rows;  ///< rows saved, by table
  std::vector<std::string> damaged;                       ///< tables that lost rows
  std::size_t orphans = 0;  ///< rows left out because the rows they refer to were lost
};

struct RestoreReport {
  std::size_t runs = 0;                       ///< in the database now
  std::optional<std::filesystem::path> kept;  ///< file with the previous content; empty if there
                                              ///< was no database
};

/// Selects old runs. Runs that are being written are never selected.
struct PruneRule {
  std::optional<std::chrono::days> max_age;
  std::optional<std::size_t> max_runs;  ///< keep only this many, the newest
};

}  // namespace enprof
