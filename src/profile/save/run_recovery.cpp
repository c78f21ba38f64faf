#include "profile/save/run_recovery.hpp"

#include "base/log.hpp"
#include "profile/save/run_attempt.hpp"
#include "profile/save/run_elsewhere.hpp"
#include "profile/save/step_reader.hpp"
#include "store/run_journal.hpp"
#include "store/run_lock.hpp"
#include "store/step_store.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

namespace fs = std::filesystem;

constexpr Logger kLog{"recovery"};
constexpr RunParts kOnlyTheRun{
    .tokens = false, .layers = false, .operations = false, .values = false, .power_samples = false};

/// Steps of a newer program: they stay where they are until that program finds them.
bool is_newer(const Error& error) { return error.code == ErrorCode::unsupported; }

class Recovery {
 public:
  explicit Recovery(ProfileDatabase& database) : database_(database) {}

  RecoveryReport run(std::span<const fs::path> elsewhere) {
    for (LeftAttempt& attempt : take_left_attempts(database_.path())) {
      const std::string run_id = attempt.run.run_id;
      attempts_.insert_or_assign(run_id, std::move(attempt));
    }
    for (const std::string& run_id : database_.save_unsaved_runs()) {
      const auto saved = database_.summary(run_id);
      report_.runs.push_back({.run_id = run_id,
                              .status = saved && *saved ? (*saved)->status : RunStatus::completed,
                              .from_journal = true,
                              .reason = {}});
    }
    if (const auto unfinished = StepStore(database_).unfinished_runs()) {
      for (const std::string& run_id : *unfinished) {
        note(run_id, close(run_id));
      }
    } else {
      report_.errors.push_back(unfinished.error());
    }
    for (const fs::path& journal : list_journals(database_.path())) {
      note(run_of(journal), import_or_set_aside(journal));
    }
    for (const fs::path& journal : elsewhere) {
      note(run_of(journal), import_journal(journal));
    }
    while (!attempts_.empty()) {
      const std::string run_id = attempts_.begin()->first;
      note(run_id, keep(run_id));
    }
    return std::move(report_);
  }

 private:
  /// The id of a run by the name of its journal.
  static std::string run_of(const fs::path& journal) { return journal.stem().string(); }

  /// Keeps one error a run: the run's row and its journal fail for the same reason.
  void note(const std::string& run_id, Result<void> outcome) {
    if (!outcome) {
      kLog.error("{}", outcome.error().message);
      if (failed_.insert(run_id).second) {
        report_.errors.push_back(std::move(outcome.error()));
      }
    }
  }

  /// Empty if a living process has locked the run.
  Result<std::optional<RunLock>> lock(const std::string& run_id) {
    auto taken = RunLock::acquire(database_.path(), run_id);
    if (taken) {
      return *std::move(taken);
    }
    if (taken.error().code == ErrorCode::busy) {
      ++report_.in_the_making;
      return std::nullopt;
    }
    return std::unexpected(std::move(taken.error()));
  }

  /// Recovers a run that is in the database as `running`. If it has a journal, the journal has more
  /// of its steps.
  Result<void> close(const std::string& run_id) {
    auto locked = lock(run_id);
    if (!locked || !*locked) {
      return locked ? Result<void>{} : std::unexpected(std::move(locked.error()));
    }
    const auto there = database_.get_run(run_id, kOnlyTheRun);
    if (!there) {
      return std::unexpected(there.error());
    }
    if (!*there || (*there)->status != RunStatus::running) {
      return {};  // it ended in the meantime
    }
    auto whole = read_elsewhere(run_id);
    if (!whole) {
      return std::unexpected(std::move(whole.error()));
    }
    if (*whole) {
      return save(std::move((*whole)->first), (*whole)->second);
    }
    const auto steps = StepStore(database_).read_steps(run_id);
    if (!steps) {
      return std::unexpected(steps.error());
    }
    StepReader reader;
    for (const RunStep& step : *steps) {
      auto added = reader.add(step.content);
      if (!added && is_newer(added.error())) {
        added.error().message =
            fmt::format("Run {} cannot be closed: {}", run_id, added.error().message);
        return added;
      }
      if (!added) {
        kLog.warning("Run {}, step {}: {}", run_id, step.step, added.error().message);
      }
    }
    const fs::path journal = journal_path(database_.path(), run_id);
    if (fs::exists(journal)) {
      if (auto added = add_lines(journal, reader); !added) {
        if (is_newer(added.error())) {
          return added;
        }
        kLog.warning("{}", added.error().message);
      }
    }
    auto recorded = reader.run();
    if (recorded && recorded->run.run_id == run_id) {
      return save(*std::move(recorded), fs::exists(journal) ? journal : fs::path{});
    }
    // It was killed before its first step, or the steps are damaged: only its row is known.
    recorded = RecordedRun{};
    recorded->run = **there;
    recorded->missing_steps = steps->size();
    return save(*std::move(recorded), {});
  }

  /// A run that was over before its program ended, and for which there was room in the directory
  /// for temporary files alone.
  static Result<std::optional<std::pair<RecordedRun, fs::path>>> read_elsewhere(
      const std::string& run_id) {
    const fs::path file = RunJournal::path_in(temporary_directory(), run_id);
    struct stat status{};
    // Other users may write there too: read only files of this user.
    if (lstat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_uid != geteuid()) {
      return std::nullopt;
    }
    StepReader reader;
    if (auto added = add_lines(file, reader); !added) {
      if (is_newer(added.error())) {
        return std::unexpected(std::move(added.error()));
      }
      kLog.warning("{}", added.error().message);
      return std::nullopt;
    }
    auto recorded = reader.run();
    if (!recorded) {
      kLog.warning("In the journal {}: {}", file.string(), recorded.error().message);
      return std::nullopt;
    }
    if (!recorded->complete || recorded->run.run_id != run_id) {
      return std::nullopt;
    }
    return std::pair{*std::move(recorded), file};
  }

  /// Leaves damaged lines out: the reader counts them. Errors: of the first line, if none can be
  /// read; unsupported, if a newer enprof wrote a line.
  static Result<void> add_lines(const fs::path& journal, StepReader& reader) {
    const auto lines = read_journal(journal);
    if (!lines) {
      return std::unexpected(lines.error());
    }
    Result<void> outcome;
    bool has_step = false;
    for (const std::string& line : *lines) {
      auto added = reader.add(line);
      has_step = has_step || added;
      if (added) {
        continue;
      }
      added.error().message =
          fmt::format("In the journal {}: {}", journal.string(), added.error().message);
      if (is_newer(added.error())) {
        return added;
      }
      kLog.warning("{}", added.error().message);
      if (outcome) {
        outcome = std::move(added);
      }
    }
    return has_step ? Result<void>{} : outcome;
  }

  Result<void> import_or_set_aside(const fs::path& journal) {
    if (const auto lines = read_journal(journal); lines && lines->empty()) {
      // Its program could not write a line, because the disk was full.
      const auto locked = RunLock::acquire_for_journal(journal);
      return locked ? remove_journal(journal) : Result<void>{};
    }
    Result<void> outcome = import_journal(journal);
    if (outcome || (outcome.error().code != ErrorCode::malformed &&
                    outcome.error().code != ErrorCode::not_found)) {
      return outcome;
    }
    // It cannot be parsed the next time either: renamed, it is reported only once.
    const fs::path aside = journal.string() + ".unreadable";
    std::error_code failed;
    fs::rename(journal, aside, failed);
    if (!failed) {
      outcome.error().hint += fmt::format(" It is now {} and is not read again.", aside.string());
    }
    return outcome;
  }

  Result<void> import_journal(const fs::path& journal) {
    const auto in_it = [&](Error error) {
      error.message =
          fmt::format("The journal {} cannot be imported: {}", journal.string(), error.message);
      return std::unexpected(std::move(error));
    };
    StepReader reader;
    if (auto added = add_lines(journal, reader); !added) {
      return added;
    }
    auto recorded = reader.run();
    if (!recorded) {
      return in_it(std::move(recorded.error()));
    }
    const std::string run_id = recorded->run.run_id;
    if (database_.is_unsaved(run_id)) {
      return {};  // save_unsaved_runs() saves it from memory
    }
    auto locked = lock(run_id);
    if (!locked || !*locked) {
      return locked ? Result<void>{} : in_it(std::move(locked.error()));
    }
    const auto there = database_.get_run(run_id, kOnlyTheRun);
    if (!there) {
      return std::unexpected(there.error());
    }
    const bool is_over = *there && (*there)->status != RunStatus::running;
    const bool is_left_behind = *there && (*there)->status == RunStatus::interrupted;
    if (is_over && !(is_left_behind && recorded->complete)) {
      ++report_.already_there;
      return remove_journal(journal);
    }
    return save(*std::move(recorded), journal);
  }

  /// Saves a run whose program died before the run was in the database: while it loaded the model.
  Result<void> keep(std::string run_id) {  // a copy, because the attempt that owns it is erased
    auto locked = lock(run_id);
    if (!locked || !*locked) {
      attempts_.at(run_id).file.leave();
      attempts_.erase(run_id);
      return locked ? Result<void>{} : std::unexpected(std::move(locked.error()));
    }
    Result<void> kept;
    const auto there = database_.get_run(run_id, kOnlyTheRun);
    if (!there) {
      kept = std::unexpected(there.error());
    } else if (!*there) {
      RecordedRun recorded;
      recorded.run = attempts_.at(run_id).run;
      kept = save(std::move(recorded), {});
    }
    if (const auto attempt = attempts_.find(run_id); attempt != attempts_.end()) {
      if (!kept || (*there && (*there)->status == RunStatus::running)) {
        attempt->second.file.leave();  // the next program tries again
      }
      attempts_.erase(attempt);
    }
    return kept;
  }

  /// `journal` is empty if the run has no journal.
  Result<void> save(RecordedRun recorded, const fs::path& journal) {
    ProfiledRun run = assemble_recorded(std::move(recorded));
    std::string reason;
    const auto attempt = attempts_.find(run.run_id);
    if (attempt != attempts_.end()) {
      add_end(attempt->second, run);
      reason = attempt->second.reason;
    }
    if (auto saved = database_.save_run(run); !saved) {
      return saved;
    }
    if (attempt != attempts_.end()) {
      attempts_.erase(attempt);
    }
    kLog.info("Run {} is in the database: {}", run.run_id, to_string(run.status));
    report_.runs.push_back(
        {.run_id = run.run_id,
         .status = run.status,
         .from_journal = !journal.empty(),
         .reason = run.status == RunStatus::failed ? std::move(reason) : std::string{}});
    return journal.empty() ? Result<void>{} : remove_journal(journal);
  }

  ProfileDatabase& database_;
  RecoveryReport report_;
  std::set<std::string> failed_;                 // runs with an error in the report
  std::map<std::string, LeftAttempt> attempts_;  // by run id; those that are not yet handled
};

}  // namespace

RecoveryReport recover_runs(ProfileDatabase& database, std::span<const fs::path> elsewhere) {
  return Recovery(database).run(elsewhere);
}

}  // namespace enprof
