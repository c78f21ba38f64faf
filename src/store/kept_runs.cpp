#include "store/kept_runs.hpp"

#include "base/log.hpp"
#include "store/run_index.hpp"
#include "store/run_reader.hpp"
#include "store/run_writer.hpp"
#include "store/schema.hpp"
#include "store/schema_scripts.hpp"
#include "store/sqlite_error.hpp"

#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <limits>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"store"};
constexpr const char* kInMemory = ":memory:";

/// The value to sort a page by; runs without it come last.
std::optional<double> sort_key(const RunSummary& run, RunOrder order) {
  const auto joules = [](const std::optional<Joules>& energy) {
    return energy ? std::optional{energy->value()} : std::nullopt;
  };
  switch (order) {
    case RunOrder::date:
      return static_cast<double>(run.started_at.time_since_epoch().count());
    case RunOrder::duration:
      return static_cast<double>(run.duration.count());
    case RunOrder::energy:
      return joules(run.energy);
    case RunOrder::joules_per_token:
      return joules(run.energy_per_output_token);
  }
  return std::nullopt;
}

}  // namespace

bool says_not_saved(const Warning& warning) {
  return warning.component == "store" &&
         (warning.code == "not_saved" || warning.code == "journaled" ||
          warning.code == "saved_elsewhere");
}

bool KeptRuns::has(std::string_view run_id) const {
  return std::ranges::find(entries_, run_id, &Entry::run_id) != entries_.end();
}

Result<void> KeptRuns::write(const ProfiledRun& run) {
  if (auto good = check_run(run); !good) {
    return good;
  }
  return guarded(
      {.path = kInMemory, .what = "keep run " + run.run_id + " in memory"}, [&]() -> Result<void> {
        if (!database_) {
          auto made = std::make_unique<SQLite::Database>(
              kInMemory, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
          made->exec("PRAGMA foreign_keys = ON");
          if (auto ready = bring_up_to_date(*made, kInMemory, schema_migrations()); !ready) {
            return ready;
          }
          const auto page = made->execAndGet("PRAGMA page_size").getInt64();
          made->exec(fmt::format("PRAGMA max_page_count = {}",
                                 static_cast<std::int64_t>(limits_.bytes) / page));
          database_ = std::move(made);
        }
        SQLite::Transaction transaction(*database_);
        if (auto written = replace_run(*database_, kInMemory, run); !written) {
          return written;
        }
        transaction.commit();
        return {};
      });
}

Result<void> KeptRuns::add(const ProfiledRun& run, std::unique_ptr<RunLock> lock,
                           std::filesystem::path journal) {
  remove(run.run_id);
  const auto drop_oldest = [&] {
    const Entry& oldest = entries_.front();
    kLog.error("Run {} is no longer kept in memory, to make room for newer runs: {}", oldest.run_id,
               oldest.journal.empty() ? std::string{"it is lost"}
                                      : fmt::format("it is in {}", oldest.journal.string()));
    remove(std::string{oldest.run_id});
  };
  while (entries_.size() >= limits_.runs) {
    drop_oldest();
  }
  Result<void> written = write(run);
  while (!written && written.error().code == ErrorCode::too_large && !entries_.empty()) {
    drop_oldest();
    written = write(run);
  }
  if (written) {
    entries_.push_back(
        {.run_id = run.run_id, .lock = std::move(lock), .journal = std::move(journal)});
  }
  return written;
}

bool KeptRuns::remove(std::string_view run_id) {
  const auto found = std::ranges::find(entries_, run_id, &Entry::run_id);
  if (found == entries_.end()) {
    return false;
  }
  static_cast<void>(
      guarded({.path = kInMemory, .what = "drop a run from memory"}, [&]() -> Result<void> {
        erase_run(*database_, run_id);
        return {};
      }));
  entries_.erase(found);
  if (entries_.empty()) {
    database_.reset();  // frees its memory
  }
  return true;
}

Result<bool> KeptRuns::set_tags(std::string_view run_id, std::span<const std::string> tags) {
  if (!has(run_id)) {
    return false;
  }
  return guarded({.path = kInMemory, .what = fmt::format("tag run {}", run_id)},
                 [&]() -> Result<bool> {
                   SQLite::Transaction transaction(*database_);
                   auto done = replace_tags(*database_, run_id, tags);
                   if (done) {
                     transaction.commit();
                   }
                   return done;
                 });
}

Result<ProfiledRun> KeptRuns::read_to_save(const std::string& run_id) {
  return guarded({.path = kInMemory, .what = "read run " + run_id}, [&]() -> Result<ProfiledRun> {
    auto run = read_run(*database_, run_id, {});
    if (!run) {
      return fail(ErrorCode::not_found, fmt::format("Run {} is not in memory any more", run_id));
    }
    std::erase_if(run->warnings, says_not_saved);
    return *std::move(run);
  });
}

RunList list_saved_and_kept(SQLite::Database& saved, KeptRuns& kept, const RunFilter& filter) {
  if (kept.empty()) {
    return find_runs(saved, filter);
  }
  RunFilter all = filter;
  all.offset = 0;
  all.limit = kept.size();
  RunList merged = find_runs(kept.database(), all);
  constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max() / 4;
  all.limit = std::min(filter.offset, kMost) + std::min(filter.limit, kMost) + kept.size();
  RunList there = find_runs(saved, all);
  const std::size_t before = there.runs.size();
  std::erase_if(there.runs, [&](const RunSummary& run) { return kept.has(run.run_id); });
  merged.total += there.total - (before - there.runs.size());
  std::ranges::move(there.runs, std::back_inserter(merged.runs));
  std::ranges::stable_sort(merged.runs, [&](const RunSummary& left, const RunSummary& right) {
    const auto a = sort_key(left, filter.order);
    const auto b = sort_key(right, filter.order);
    if (!a || !b) {
      return a.has_value() && !b.has_value();
    }
    return filter.ascending ? *a < *b : *a > *b;
  });
  const auto size = static_cast<std::ptrdiff_t>(merged.runs.size());
  const auto begin = std::min(size, static_cast<std::ptrdiff_t>(std::min(filter.offset, kMost)));
  merged.runs.erase(merged.runs.begin(), merged.runs.begin() + begin);
  merged.runs.resize(std::min(merged.runs.size(), filter.limit));
  return merged;
}

std::vector<ExperimentSummary> experiments_saved_and_kept(SQLite::Database& saved, KeptRuns& kept) {
  std::vector<ExperimentSummary> found = list_experiments(saved);
  for (const KeptRuns::Entry& entry : kept.entries()) {
    const auto run = read_summary(kept.database(), entry.run_id);
    if (!run || run->experiment.empty() || read_summary(saved, entry.run_id)) {
      continue;
    }
    auto place = std::ranges::find(found, run->experiment, &ExperimentSummary::name);
    if (place == found.end()) {
      found.push_back({.name = run->experiment, .first = run->started_at, .last = run->started_at});
      place = found.end() - 1;
    }
    ++place->runs;
    place->first = std::min(place->first, run->started_at);
    place->last = std::max(place->last, run->started_at);
  }
  std::ranges::stable_sort(found, std::ranges::greater{}, &ExperimentSummary::last);
  return found;
}

}  // namespace enprof
