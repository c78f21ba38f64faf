// Shared by tests of saving a run during the run.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"
#include "enprof/store/profile_database.hpp"

#include "profile/save/step_reader.hpp"
#include "store/run_journal.hpp"
#include "store/step_store.hpp"
#include "support/fake_source.hpp"
#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"
#include "support/warning_codes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace enprof::testing {

/// A monitor over a fake sensor of 50 W.
inline std::unique_ptr<PowerMonitor> fake_monitor(const Clock& clock) {
  std::vector<std::unique_ptr<PowerSource>> sources;
  sources.push_back(std::make_unique<FakeSource>("fake", std::vector<std::string>{"cpu"}, clock,
                                                 std::make_shared<FakeSensor>()));
  return std::make_unique<PowerMonitor>(std::move(sources), clock);
}

/// The last directory for runs that cannot be saved elsewhere, for one test.
class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(const std::filesystem::path& path) {
    if (const char* const old = getenv("TMPDIR")) {
      old_ = old;
    }
    setenv("TMPDIR", path.c_str(), 1);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    if (old_) {
      setenv("TMPDIR", old_->c_str(), 1);
    } else {
      unsetenv("TMPDIR");
    }
  }

 private:
  std::optional<std::string> old_;
};

/// On a clock that the tests move.
class RunSaverTest : public ::testing::Test {
 protected:
  static constexpr Nanoseconds kSavePeriod = std::chrono::milliseconds{2};

  [[nodiscard]] DatabaseOptions impatient() const {
    return {.busy_timeout = std::chrono::milliseconds{20}, .clock = &clock_};
  }

  [[nodiscard]] ProfileDatabase connect() const {
    auto database = ProfileDatabase::connect(path_, impatient());
    EXPECT_TRUE(database) << database.error().message;
    return *std::move(database);
  }
  /// A profiler that saves every kSavePeriod.
  [[nodiscard]] std::unique_ptr<InferencePipelineProfiler> profiler(ProfileDatabase& database) {
    return std::make_unique<InferencePipelineProfiler>(
        monitor_.get(), &database,
        ProfilerOptions{.clock = &clock_,
                        .power_interval = std::chrono::milliseconds{1},
                        .save_period = kSavePeriod,
                        .on_trouble = [this](const Warning& warning) {
                          const std::lock_guard lock(mutex_);
                          trouble_.push_back(warning);
                        }});
  }
  /// Tokens of a millisecond each.
  void decode(RunScope& run, int tokens, const char* text = "x") {
    for (int token = 0; token < tokens; ++token) {
      TokenScope scope = run.token(Phase::decode);
      const SectionScope section = run.section(Phase::decode, "forward");
      clock_.pass(std::chrono::milliseconds{1});
      scope.set_text(text);
    }
  }
  /// Lets a saver take its next step.
  void save_step() { clock_.pass(kSavePeriod); }
  [[nodiscard]] std::vector<std::string> trouble() {
    const std::lock_guard lock(mutex_);
    return warning_codes(trouble_);
  }
  static bool has_warning(const ProfiledRun& run, std::string_view code) {
    return std::ranges::find(run.warnings, code, &Warning::code) != run.warnings.end();
  }
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path())) {
      names.push_back(std::filesystem::relative(entry.path(), dir_.path()).string());
    }
    std::ranges::sort(names);
    return names;
  }
  /// Makes every connection fail until put_back(): moves the file away, and puts something that is
  /// not a file in its place.
  void take_away() const { take_away(path_); }
  static void take_away(const std::filesystem::path& database) {
    const std::filesystem::path away = database.parent_path() / "away";
    std::filesystem::create_directory(away);
    for (const char* const suffix : {"", "-wal", "-shm"}) {
      std::error_code none;
      std::filesystem::rename(database.string() + suffix, away / (std::string{"db"} + suffix),
                              none);
    }
    std::filesystem::create_directory(database);
  }
  void put_back() const { put_back(path_); }
  static void put_back(const std::filesystem::path& database) {
    const std::filesystem::path away = database.parent_path() / "away";
    std::filesystem::remove(database);
    for (const char* const suffix : {"", "-wal", "-shm"}) {
      std::error_code none;
      std::filesystem::rename(away / (std::string{"db"} + suffix), database.string() + suffix,
                              none);
    }
    std::filesystem::remove_all(away);
  }
  /// Fills a file system, leaving this much space.
  static void fill(const std::filesystem::path& file, std::size_t room) {
    {
      std::ofstream ballast(file, std::ios::binary);
      while (ballast) {
        ballast << std::string(4096, 'b') << std::flush;
      }
    }
    std::filesystem::resize_file(file, std::filesystem::file_size(file) - room);
  }
  /// The run as it could be recovered from the database now.
  static Result<RecordedRun> recorded(ProfileDatabase& database, const std::string& run_id) {
    const auto steps = StepStore(database).read_steps(run_id);
    if (!steps) {
      return std::unexpected(steps.error());
    }
    StepReader reader;
    for (const RunStep& step : *steps) {
      if (auto added = reader.add(step.content); !added) {
        return std::unexpected(added.error());
      }
    }
    return reader.run();
  }
  static std::size_t saved_tokens(ProfileDatabase& database, const std::string& run_id) {
    auto run = recorded(database, run_id);
    return run ? assemble_recorded(*std::move(run)).tokens.size() : 0;
  }

  /// Makes writes to the database and to the run's journal fail until give_back().
  void take_all_away(const std::string& run_id) const {
    take_away();
    std::filesystem::create_directories(journal_path(path_, run_id));
  }
  void give_back(const std::string& run_id) const {
    put_back();
    std::filesystem::remove(journal_path(path_, run_id));
  }

  ManualClock clock_;
  const TempDir dir_;
  const std::filesystem::path path_ = dir_.path() / "profiles.db";
  const TemporaryDirectory nowhere_{"/nowhere"};
  std::unique_ptr<PowerMonitor> monitor_ = fake_monitor(clock_);
  std::mutex mutex_;
  std::vector<Warning> trouble_;
};

}  // namespace enprof::testing
