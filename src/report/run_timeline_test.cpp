#include "report/run_timeline.hpp"

#include "enprof/store/profile_database.hpp"

#include "support/small_run.hpp"
#include "support/temp_dir.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

double ms(Nanoseconds time) { return to_ms(time); }

/// Writes what it is told, and checks that slices nest and time never goes back.
class Told final : public TimelineWriter {
 public:
  void begin(Nanoseconds at, const TimelineSlice& slice) override {
    expect_later(at);
    if (!open_.empty()) {
      EXPECT_LE(open_.back(), slice.level) << slice.name << " lies within a finer slice";
    }
    slices += fmt::format("{}{} {} {{\n", std::string(2 * open_.size(), ' '), ms(at), slice.name);
    open_.push_back(slice.level);
  }
  void end(Nanoseconds at, Level level, const std::optional<Joules>& energy) override {
    expect_later(at);
    ASSERT_FALSE(open_.empty());
    EXPECT_EQ(open_.back(), level);
    open_.pop_back();
    slices += fmt::format("{}}} {}{}\n", std::string(2 * open_.size(), ' '), ms(at),
                          energy ? fmt::format(" {:.1f} J", energy->value()) : "");
  }
  void operation(Nanoseconds begin, Nanoseconds end, std::string_view name,
                 const std::optional<Joules>& energy) override {
    expect_later(begin);
    expect_later(end);
    slices += fmt::format("{}{}–{} {} {}\n", std::string(2 * open_.size(), ' '), ms(begin), ms(end),
                          name, energy ? fmt::format("{:.1f} J", energy->value()) : "?");
  }
  void count(Nanoseconds at, const TimelineCounter& counter, double value) override {
    others += fmt::format("{} {} = {:.4f} {}\n", ms(at), counter.name, value, counter.unit);
    EXPECT_EQ(numbers_.try_emplace(counter.number, counter.name).first->second, counter.name);
    EXPECT_LT(counter.number, numbers_.size());
  }
  void not_measured(Nanoseconds begin, Nanoseconds end, std::size_t domain,
                    std::string_view name) override {
    others += fmt::format("{}–{} {} {}: not measured\n", ms(begin), ms(end), domain, name);
  }
  [[nodiscard]] bool has_ended() const { return open_.empty(); }

  std::string slices;
  std::string others;

 private:
  void expect_later(Nanoseconds at) {
    EXPECT_GE(at, now_);
    now_ = at;
  }

  std::vector<Level> open_;
  Nanoseconds now_{0};
  std::map<std::size_t, std::string> numbers_;
};

void tell(std::unique_ptr<RunSource> source, Told& told) {
  RunTimeline timeline(std::move(source));
  while (timeline.next(told).value()) {
  }
  EXPECT_TRUE(told.has_ended());
}

TEST(RunTimeline, TellsSlicesWithinEachOther) {
  const ProfiledRun run = testing::small_run();
  Told told;
  tell(std::make_unique<RunInMemory>(run), told);
  EXPECT_EQ(told.slices, R"(0 run {
  0 prefill {
    1 forward {
      2 layer 0 {
        2 q_proj {
          2–17 MUL_MAT 1.5 J
          17–22 ROPE 0.5 J
        } 22 2.0 J
      } 22 2.0 J
      22 outside the layers {
        22 lm_head {
          22–30 MUL_MAT 0.8 J
        } 30 0.8 J
      } 30 0.8 J
    } 31
    35 token 0 "A" {
    } 39
  } 40
  40 decode {
    40 token 1 " b" {
      41 layer 0 {
        41 q_proj {
          41–51 MUL_MAT 1.0 J
          51–56 ROPE 0.5 J
        } 56 1.5 J
      } 56 1.5 J
      56 outside the layers {
        56 lm_head {
          56–61 MUL_MAT 0.5 J
        } 61 0.5 J
      } 61 0.5 J
    } 70
    70 token 2 "\n" {
      71 layer 0 {
        71 q_proj {
          71–81 MUL_MAT 1.0 J
          81–86 ROPE 0.5 J
        } 86 1.5 J
      } 86 1.5 J
      86 outside the layers {
        86 lm_head {
          86–91 MUL_MAT 0.5 J
        } 91 0.5 J
      } 91 0.5 J
    } 100
  } 100
} 100
)");
}

TEST(RunTimeline, TellsPowerAndWhereItWasNotMeasured) {
  const ProfiledRun run = testing::small_run();
  Told told;
  tell(std::make_unique<RunInMemory>(run), told);
  EXPECT_EQ(told.others,
            "0 package-0 power = 100.0000 W\n"
            "40 package-0 power = 120.0000 W\n"
            "60–70 0 package-0: not measured\n"
            "70 package-0 power = 80.0000 W\n"
            "90–100 0 package-0: not measured\n"
            "50 package-0 temperature_celsius = 61.5000 \n");
}

TEST(RunTimeline, ASumOfUnknownPartsIsUnknown) {
  ProfiledRun run = testing::small_run();
  run.operation_table.events[1].energy_j = std::nan("");
  Told told;
  tell(std::make_unique<RunInMemory>(run), told);
  EXPECT_NE(told.slices.find("          17–22 ROPE ?\n        } 22\n      } 22\n"),
            std::string::npos)
      << told.slices;
}

TEST(RunTimeline, ComponentsOfModuleDepthHaveNoOperations) {
  ProfiledRun run = testing::small_run();
  for (OperationInfo& kind : run.operation_table.operations) {
    kind.op.clear();
  }
  Told told;
  tell(std::make_unique<RunInMemory>(run), told);
  EXPECT_EQ(told.slices.find("MUL_MAT"), std::string::npos);
  EXPECT_NE(told.slices.find("        2 q_proj {\n        } 22 2.0 J\n"), std::string::npos)
      << told.slices;
}

TEST(RunTimeline, WhatDoesNotNestIsCutOff) {  // Told checks that it nests
  ProfiledRun run = testing::small_run();
  run.phases[0].figure.duration = Nanoseconds{1'000'000'000};  // longer than the run
  run.tokens[1].figure.duration = Nanoseconds{45'000'000};     // into the next token
  run.operation_table.events[4].begin -= Nanoseconds{5'000'000};
  run.operation_table.events[5].duration_ns = 4'000'000'000;
  run.operation_table.events[6].operation = 99;
  run.operation_table.events.push_back(run.operation_table.events.front());  // not in order
  Told told;
  RunTimeline timeline(std::make_unique<RunInMemory>(run));
  bool more = true;
  while (more) {
    more = timeline.next(told).value();
  }
  EXPECT_TRUE(told.has_ended());
}

TEST(RunTimeline, ReadsAStoredRunLikeOneInMemory) {
  ProfiledRun run = testing::small_run();
  for (int more = 0; more < 2000; ++more) {  // several pages of each list
    const auto begin = Nanoseconds{1'000'000'000} * (more + 1);
    run.tokens.push_back(run.tokens[1]);
    run.tokens.back().index = run.tokens.size() - 1;
    run.tokens.back().begin = begin;
    run.operation_table.events.push_back(run.operation_table.events[3]);
    run.operation_table.events.back().begin = begin + Nanoseconds{1'000'000};
    run.operation_table.events.back().token = static_cast<std::int32_t>(run.tokens.size() - 1);
  }
  run.totals.figure.duration = run.phases[1].figure.duration = Nanoseconds{2'002'000'000'000};
  const testing::TempDir dir;
  auto database = ProfileDatabase::connect(dir.path() / "profiles.db");
  ASSERT_TRUE(database);
  ASSERT_TRUE(database->save_run(run));
  Told stored;
  tell(RunInStore::open(*database, run.run_id).value(), stored);
  Told in_memory;
  tell(std::make_unique<RunInMemory>(run), in_memory);
  EXPECT_EQ(stored.slices, in_memory.slices);
  EXPECT_EQ(stored.others, in_memory.others);
  EXPECT_NE(stored.slices.find("token 2002 "), std::string::npos);
}

}  // namespace
}  // namespace enprof
