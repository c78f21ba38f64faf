#include "report/runs_csv.hpp"

#include <fmt/format.h>

#include <utility>

namespace enprof {

Result<bool> RunsCsv::next(std::string& text) {
  if (at_ == run_ids_.size()) {
    return false;
  }
  if (!csv_) {
    auto run = RunInStore::open(store_, run_ids_[at_]);
    if (!run) {
      return std::unexpected(std::move(run.error()));
    }
    if (!*run) {
      return fail(ErrorCode::not_found, fmt::format("Run {} was deleted", run_ids_[at_]));
    }
    run_ = *std::move(run);
    csv_.emplace(*run_, table_, at_ == 0 ? CsvBegin::names : CsvBegin::rows);
  }
  auto more = csv_->next(text);
  if (!more || *more) {
    return more;
  }
  csv_.reset();
  run_.reset();
  ++at_;
  return at_ < run_ids_.size();
}

}  // namespace enprof
