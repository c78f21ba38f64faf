// What looking after a database takes and gives.
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
  std::uintmax_t log_bytes = 0;   ///< of the write-ahead log beside it
  std::uintmax_t free_bytes = 0;  ///< in the file, that `vacuum` would give back
  std::size_t runs = 0;
  std::vector<std::pair<std::string, std::size_t>> runs_by_status;
  std::vector<std::pair<std::string, std::size_t>> rows;  ///< by table
  std::optional<WallTime> oldest;
  std::optional<WallTime> newest;
  std::size_t journals = 0;  ///< runs beside it that wait for `db import`
};

/// What is wrong with a file; empty: nothing is.
struct CheckReport {
  std::vector<std::string> problems;  ///< at most kMostProblems
  static constexpr std::size_t kMostProblems = 100;
  [[nodiscard]] bool good() const { return problems.empty(); }
};

struct SalvageReport {
  std::vector<std::pair<std::string, std::size_t>> rows;  ///< that were saved, by table
  std::vector<std::string> damaged;                       ///< tables of which rows were lost
  std::size_t orphans = 0;  ///< rows left out, since what they belong to was lost
};

struct RestoreReport {
  std::size_t runs = 0;                       ///< that are in the database now
  std::optional<std::filesystem::path> kept;  ///< what was there before; empty: nothing was
};

/// Which runs are old enough to go. Runs that are being written stay.
struct PruneRule {
  std::optional<std::chrono::days> max_age;
  std::optional<std::size_t> max_runs;  ///< the newest so many stay
};

}  // namespace enprof
