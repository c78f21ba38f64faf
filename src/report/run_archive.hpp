// All tables of a run in one file.
#pragma once

#include "base/text_stream.hpp"
#include "report/run_source.hpp"

#include <memory>
#include <string>

namespace enprof {

/// A ZIP file with a NAME.csv for each of csv_table_names(), made piece by piece. Errors: those of
/// the source; internal.
class RunArchive final : public TextStream {
 public:
  explicit RunArchive(std::unique_ptr<RunSource> source);
  ~RunArchive() override;

  [[nodiscard]] Result<bool> next(std::string& text) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;  // libarchive keeps its address
};

}  // namespace enprof
