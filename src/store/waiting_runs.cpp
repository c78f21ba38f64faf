#include "store/waiting_runs.hpp"

#include "base/log.hpp"
#include "store/database_file.hpp"
#include "store/run_index.hpp"
#include "store/run_journal.hpp"
#include "store/run_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <system_error>

namespace enprof {
namespace {

constexpr Logger kLog{"store"};

constexpr Nanoseconds kRetryPause = std::chrono::seconds{2};
/// The pause while the disk is full and has no more room than before.
constexpr Nanoseconds kFullPause = std::chrono::seconds{15};
constexpr Nanoseconds kSavePatience = std::chrono::seconds{1};

void drop_journal(const std::filesystem::path& journal) {
  if (!journal.empty()) {
    if (const auto removed = remove_journal(journal); !removed) {
      kLog.warning("{}", removed.error().message);
    }
  }
}

}  // namespace

WaitingRuns::~WaitingRuns() {
  save_all();
  for (const KeptRuns::Entry& entry : kept_.entries()) {
    if (entry.journal.empty()) {
      kLog.error("Run {} could not be saved before this program ended: it is lost", entry.run_id);
    }
  }
}

void WaitingRuns::save_if_due() {
  bool due = false;
  {
    const std::lock_guard lock(mutex_);
    due = !kept_.empty() && database_.clock().now() >= retry_at_ && may_succeed();
  }
  if (due) {
    save_all();
  }
}

bool WaitingRuns::keep(const ProfiledRun& run, std::unique_ptr<RunLock> run_lock,
                       std::filesystem::path journal) {
  const std::lock_guard lock(mutex_);
  if (const auto added = kept_.add(run, std::move(run_lock), std::move(journal)); !added) {
    kLog.error("{}", added.error().message);
    return false;
  }
  count_ = kept_.size();
  retry_at_ = database_.clock().now() + kRetryPause;
  return true;
}

bool WaitingRuns::drop(std::string_view run_id) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(kept_.entries(), run_id, &KeptRuns::Entry::run_id);
  if (found == kept_.entries().end()) {
    return false;
  }
  const std::filesystem::path journal = found->journal;
  kept_.remove(run_id);
  count_ = kept_.size();
  drop_journal(journal);
  return true;
}

Result<bool> WaitingRuns::set_tags(std::string_view run_id, std::span<const std::string> tags) {
  const std::lock_guard unsaved(saving_mutex_);
  const std::lock_guard lock(mutex_);
  return kept_.has(run_id) ? kept_.set_tags(run_id, tags) : false;
}

bool WaitingRuns::has(std::string_view run_id) const {
  const std::lock_guard lock(mutex_);
  return kept_.has(run_id);
}

std::vector<std::string> WaitingRuns::save_all() {
  std::vector<std::string> run_ids;
  {
    const std::lock_guard lock(mutex_);
    for (const KeptRuns::Entry& entry : kept_.entries()) {
      run_ids.push_back(entry.run_id);
    }
  }
  const auto first_left =
      std::ranges::find_if(run_ids, [this](const std::string& id) { return !save(id); });
  run_ids.erase(first_left, run_ids.end());
  return run_ids;
}

std::optional<std::uintmax_t> WaitingRuns::free_bytes() const {
  std::error_code unknown;
  const auto space = std::filesystem::space(directory_of(follow_links(database_.path())), unknown);
  return unknown ? std::nullopt : std::optional{space.available};
}

/// Avoids writing a whole run while the disk is as full as at the last attempt.
bool WaitingRuns::may_succeed() const {
  return !full_with_ || free_bytes() != full_with_ ||
         database_.clock().now() >= retry_at_ + kFullPause;
}

/// Whether the database has the finished run, and not only a part of it.
bool WaitingRuns::is_saved_complete(const std::string& run_id) {
  const auto there =
      database_.read(fmt::format("look for run {}", run_id),
                     [&](SQLite::Database& database) -> Result<std::optional<RunSummary>> {
                       return read_summary(database, run_id);
                     });
  return there && *there && (*there)->status != RunStatus::running &&
         (*there)->status != RunStatus::interrupted;
}

/// False if the database cannot take the run now.
bool WaitingRuns::save(const std::string& run_id) {
  const std::lock_guard saving(saving_mutex_);
  Result<ProfiledRun> run = [&] {
    const std::lock_guard lock(mutex_);
    return kept_.read_to_save(run_id);
  }();
  if (!run) {
    kLog.error("{}", run.error().message);
    return true;
  }
  const auto saved = database_.write(
      fmt::format("save run {}", run_id), bytes_to_save(*run),
      [&](SQLite::Database& database) { return replace_run(database, database_.path(), *run); },
      DatabaseAccess::Try::anyway, kSavePatience);
  if (!saved && !is_saved_complete(run_id)) {
    const std::lock_guard lock(mutex_);
    retry_at_ = database_.clock().now() + kRetryPause;
    full_with_ = saved.error().code == ErrorCode::too_large ? free_bytes() : std::nullopt;
    return false;
  }
  if (saved) {
    database_.checkpoint();
    kLog.info("Profiling run {} saved to database", run_id);
  } else {
    kLog.warning("{}", saved.error().message);  // the run is saved: another process imported its
                                                // journal
  }
  static_cast<void>(drop(run_id));
  drop_journal(journal_path(database_.path(), run_id));
  return true;
}

}  // namespace enprof
