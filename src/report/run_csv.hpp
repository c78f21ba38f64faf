// A run as tables, for spreadsheets and data frames.
#pragma once

#include "base/text_stream.hpp"
#include "report/run_source.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace enprof {

/// The names of the tables that every run has, one per list.
[[nodiscard]] std::span<const std::string_view> csv_table_names();

/// Whether a table begins with the names of its columns, or continues that of another run.
enum class CsvBegin : std::uint8_t { names, rows };

/// One of the tables; an empty list gives only the header. The first column is the run's id, so
/// that tables of several runs are one; the others have the names and units of the JSON. "runs" has
/// one row, with all that "run" has as rows. Memory does not grow with the run's length.
class RunCsv final : public TextStream {
 public:
  /// `table` is one of csv_table_names(). The source must outlive it.
  RunCsv(RunSource& source, std::string_view table, CsvBegin begin = CsvBegin::names);
  ~RunCsv() override;

  [[nodiscard]] Result<bool> next(std::string& text) override;

 private:
  class Rows;
  RunSource& source_;
  std::string table_;
  CsvBegin begin_;
  std::unique_ptr<Rows> rows_;  // null for tables that are always short
};

}  // namespace enprof
