#include "report/run_source.hpp"

#include <algorithm>

namespace enprof {
namespace {

/// The number of rows that make about 64 KB of text.
std::size_t rows_at_a_time(RunRows list) {
  switch (list) {
    case RunRows::tokens:
    case RunRows::layers:
    case RunRows::components:
    case RunRows::operations:
      return 128;
    case RunRows::operation_kinds:
    case RunRows::activations:
    case RunRows::attention:
    case RunRows::experts:
    case RunRows::power_samples:
    case RunRows::sensor_readings:
      return 512;
    case RunRows::operation_events:
      return 1024;
  }
  return 128;
}

std::size_t rows_of(const ProfiledRun& run, RunRows list) {
  switch (list) {
    case RunRows::tokens:
      return run.tokens.size();
    case RunRows::layers:
      return run.layers.size();
    case RunRows::components:
      return run.components.size();
    case RunRows::operations:
      return run.operations.size();
    case RunRows::operation_kinds:
      return run.operation_table.operations.size();
    case RunRows::operation_events:
      return run.operation_table.events.size();
    case RunRows::activations:
      return run.values.activations.size();
    case RunRows::attention:
      return run.values.attention.size();
    case RunRows::experts:
      return run.values.experts.size();
    case RunRows::power_samples:
      return run.power.samples.size();
    case RunRows::sensor_readings:
      return run.power.readings.size();
  }
  return 0;
}

/// Whether the list is too long for a page: it may have millions of rows.
bool is_detail(RunRows list) {
  switch (list) {
    case RunRows::tokens:
    case RunRows::layers:
    case RunRows::components:
    case RunRows::operations:
      return false;
    default:
      return true;
  }
}

}  // namespace

Result<RunSlice> RunInMemory::next(RunRows list) {
  std::size_t& at = places_[list];
  const std::size_t begin = at;
  const std::size_t end = std::min(begin + rows_at_a_time(list), rows_of(run_, list));
  at = begin == end ? 0 : end;
  return RunSlice{.run = &run_, .begin = begin, .end = end};
}

Result<std::unique_ptr<RunInStore>> RunInStore::open(ProfileDatabase& store,
                                                     const std::string& run_id) {
  auto head = store.run_head(run_id);
  if (!head) {
    return std::unexpected(std::move(head.error()));
  }
  return std::unique_ptr<RunInStore>(*head ? new RunInStore(store, std::move(**head)) : nullptr);
}

void RunInStore::leave_out_details() {
  has_details_ = false;
  head_.run.values = {};
}

Result<RunSlice> RunInStore::next(RunRows list) {
  if (!has_details_ && is_detail(list)) {
    return RunSlice{.run = &nothing_, .begin = 0, .end = 0};
  }
  RunPage& page = pages_.try_emplace(list, RunPage{.run = {}, .rows = 0, .next = {}}).first->second;
  auto read = store_.read_page(head_, list, page.next, rows_at_a_time(list));
  if (!read) {
    return std::unexpected(std::move(read.error()));
  }
  page = *std::move(read);
  const RunSlice slice{.run = &page.run, .begin = 0, .end = page.rows};
  if (slice.empty()) {
    pages_.erase(list);
    return RunSlice{.run = &nothing_, .begin = 0, .end = 0};
  }
  return slice;
}

}  // namespace enprof
