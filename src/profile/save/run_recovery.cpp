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
        note(close(run_id));
      }
    } else {
      report_.errors.push_back(unfinished.error());
    }
    for (const fs::path& journal : list_journals(database_.path())) {
      note(bring_in_or_set_aside(journal));
    }
    for (const fs::path& journal : elsewhere) {
      note(bring_in(journal));
    }
    while (!attempts_.empty()) {
      note(keep(attempts_.begin()->first));
    }
    return std::move(report_);
  }

 private:
  void note(Result<void> outcome) {
    if (!outcome) {
      kLog.error("{}", outcome.error().message);
      report_.errors.push_back(std::move(outcome.error()));
    }
  }

  /// Empty where a living process has it.
  Result<std::optional<RunLock>> lock(const std::string& run_id) {
    auto taken = RunLock::take(database_.path(), run_id);
    if (taken) {
      return *std::move(taken);
    }
    if (taken.error().code == ErrorCode::busy) {
      ++report_.in_the_making;
      return std::nullopt;
    }
    return std::unexpected(std::move(taken.error()));
  }

  /// A run in the database that says `running`; its journal, if any, has other steps of it.
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
      return {};  // it ended while we looked
    }
    if (auto whole = read_elsewhere(run_id)) {
      return save(std::move(whole->first), whole->second);
    }
    const auto steps = StepStore(database_).read_steps(run_id);
    if (!steps) {
      return std::unexpected(steps.error());
    }
    StepReader reader;
    for (const RunStep& step : *steps) {
      if (auto added = reader.add(step.content); !added) {
        kLog.warning("Run {}, step {}: {}", run_id, step.step, added.error().message);
      }
    }
    const fs::path journal = journal_path(database_.path(), run_id);
    if (fs::exists(journal)) {
      if (auto added = add_lines(journal, reader); !added) {
        return added;
      }
    }
    auto recorded = reader.run();
    if (!recorded && !steps->empty()) {
      return std::unexpected(std::move(recorded.error()));
    }
    if (!recorded) {  // killed before its first step: what is known is in its row
      recorded = RecordedRun{};
      recorded->run = **there;
    }
    return save(*std::move(recorded), fs::exists(journal) ? journal : fs::path{});
  }

  /// A run that was over before its program ended, and for which there was room in the directory
  /// for temporary files alone.
  static std::optional<std::pair<RecordedRun, fs::path>> read_elsewhere(const std::string& run_id) {
    const fs::path file = RunJournal::path_in(temporary_directory(), run_id);
    struct stat status{};
    // Others may write there, too: only what is ours is taken.
    if (lstat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_uid != geteuid()) {
      return std::nullopt;
    }
    StepReader reader;
    if (const auto added = add_lines(file, reader); !added) {
      kLog.warning("{}", added.error().message);
      return std::nullopt;
    }
    auto recorded = reader.run();
    if (!recorded || !recorded->complete || recorded->run.run_id != run_id) {
      return std::nullopt;
    }
    return std::pair{*std::move(recorded), file};
  }

  static Result<void> add_lines(const fs::path& journal, StepReader& reader) {
    const auto lines = read_journal(journal);
    if (!lines) {
      return std::unexpected(lines.error());
    }
    for (const std::string& line : *lines) {
      if (auto added = reader.add(line); !added) {
        added.error().message =
            fmt::format("In the journal {}: {}", journal.string(), added.error().message);
        return added;
      }
    }
    return {};
  }

  Result<void> bring_in_or_set_aside(const fs::path& journal) {
    if (const auto lines = read_journal(journal); lines && lines->empty()) {
      // Whoever made it could not write a line: the disk was full.
      const auto locked = RunLock::take_for_journal(journal);
      return locked ? remove_journal(journal) : Result<void>{};
    }
    Result<void> outcome = bring_in(journal);
    if (outcome || (outcome.error().code != ErrorCode::malformed &&
                    outcome.error().code != ErrorCode::not_found)) {
      return outcome;
    }
    // Who could not be understood once will not be the next time: no command shall complain for
    // ever.
    const fs::path aside = journal.string() + ".unreadable";
    std::error_code failed;
    fs::rename(journal, aside, failed);
    if (!failed) {
      outcome.error().hint +=
          fmt::format(" It is {} now, and is left alone from here on.", aside.string());
    }
    return outcome;
  }

  Result<void> bring_in(const fs::path& journal) {
    const auto in_it = [&](Error error) {
      error.message =
          fmt::format("The journal {} cannot be brought in: {}", journal.string(), error.message);
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
      return {};  // it is tried again from memory
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

  /// A run that its program died of before it was in the database: while its model was loaded.
  Result<void> keep(std::string run_id) {  // a copy: the attempt that it names goes
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

  /// `journal` is empty where there is none.
  Result<void> save(RecordedRun recorded, const fs::path& journal) {
    ProfiledRun run = assemble_recorded(std::move(recorded));
    std::string reason;
    const auto attempt = attempts_.find(run.run_id);
    if (attempt != attempts_.end()) {
      tell_end(attempt->second, run);
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
  std::map<std::string, LeftAttempt> attempts_;  // by run, of those that are not dealt with
};

}  // namespace

RecoveryReport recover_runs(ProfileDatabase& database, std::span<const fs::path> elsewhere) {
  return Recovery(database).run(elsewhere);
}

}  // namespace enprof
