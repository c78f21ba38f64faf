#include "store/run_reader.hpp"

#include "enprof/store/profile_database.hpp"

#include "store/row_columns.hpp"
#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"

#include <SQLiteCpp/Statement.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <string>

namespace enprof {
namespace {

/// The run that is stored under an id; errors fail the test.
std::optional<ProfiledRun> stored(ProfileDatabase& database, std::string_view run_id) {
  auto run = database.get_run(run_id);
  EXPECT_TRUE(run) << run.error().message;
  return run ? *std::move(run) : std::nullopt;
}

class RunReader : public ::testing::Test {
 protected:
  /// Saves a run and reads it back through a second connection.
  ProfiledRun round_trip(const ProfiledRun& run) {
    const auto saved = database_.save_run(run);
    EXPECT_TRUE(saved) << saved.error().message;
    auto other = ProfileDatabase::connect(path_);
    EXPECT_TRUE(other);
    auto read = other->get_run(run.run_id);
    EXPECT_TRUE(read) << read.error().message;
    EXPECT_TRUE(read->has_value());
    return std::move(**read);
  }
  /// Runs SQL as a program would that does not know enprof.
  void edit(const char* sql) const {
    SQLite::Database raw(path_.string(), SQLite::OPEN_READWRITE);
    raw.exec("PRAGMA foreign_keys = OFF");
    raw.exec(sql);
  }

  const testing::TempDir dir_;
  const std::filesystem::path path_ = dir_.path() / "profiles.db";
  ProfileDatabase database_ = ProfileDatabase::connect(path_).value();
};

TEST_F(RunReader, GivesBackEveryField) {
  const ProfiledRun run = testing::sample_run();
  EXPECT_EQ(round_trip(run), run);
}

TEST_F(RunReader, GivesBackARunOfWhichNothingIsKnown) {
  ProfiledRun run;
  run.run_id = "bare";
  const ProfiledRun read = round_trip(run);
  EXPECT_EQ(read, run);
  EXPECT_EQ(read.totals.figure.total, std::nullopt);
  EXPECT_FALSE(read.power.baseline);
}

TEST_F(RunReader, AbsentIsNullInTheTablesAndZeroIsZero) {
  ProfiledRun run;
  run.run_id = "bare";
  run.totals.figure.dynamic = Joules{0.0};
  ASSERT_TRUE(database_.save_run(run));
  SQLite::Database raw(path_.string());
  EXPECT_EQ(raw.execAndGet("SELECT count(*) FROM runs WHERE energy_j IS NULL AND energy_mj IS NULL "
                           "AND experiment IS NULL AND peak_power_w IS NULL AND layers IS NULL "
                           "AND dynamic_energy_mj = 0.0 AND prompt = ''")
                .getInt(),
            1);
  EXPECT_EQ(round_trip({.run_id = "other"}).totals.figure.dynamic, std::nullopt);
}

TEST_F(RunReader, GivesBackAnyBytesInTexts) {
  using std::string_literals::operator""s;
  ProfiledRun run = testing::sample_run();
  run.prompt = "it's \"quoted\"; DROP TABLE runs; --\\ % _ ?1 🔋\r\n\t"s;
  run.response = "before\0after"s;
  run.experiment = "\0"s;
  run.tags = {"", "\xF0\x9F"s, "🔋", "'", "a\0b"s};
  // A character in two tokens, a lone continuation byte, an overlong and a surrogate.
  run.tokens[0].text = "\xF0\x9F"s;
  run.tokens[1].text = "\x94\x8B"s;
  run.tokens[2].text = "\xC0\x80\xED\xA0\x80\xFF\0"s;
  run.model.name = "naïve\xFF.gguf";
  run.warnings[0].message = std::string(1 << 20, 'w');
  EXPECT_EQ(round_trip(run), run);
}

TEST_F(RunReader, GivesBackAMegabyteOfPrompt) {
  ProfiledRun run = testing::sample_run();
  for (int index = 0; index < 1 << 18; ++index) {
    run.prompt += "\xF0\x9F\x94\x8B";
  }
  EXPECT_EQ(round_trip(run), run);
}

TEST_F(RunReader, GivesBackDoublesBitForBit) {
  using Limits = std::numeric_limits<double>;
  const auto bits = [](double value) { return std::bit_cast<std::uint64_t>(value); };
  ProfiledRun run = testing::sample_run();
  const auto after = [&](double value) {
    run.run_id += "x";
    run.tokens[0].figure.total = Joules{value};
    return round_trip(run).tokens[0].figure.total.value_or(Joules{7}).value();
  };
  // Joules that do not survive conversion to millijoules and back, as one value in 44 does not.
  for (const double value : {0.5844122885630796, 0.999267773131533, 0.03418360726152825}) {
    EXPECT_NE(from_mj(to_mj(Joules{value})).value(), value);
    EXPECT_EQ(bits(after(value)), bits(value)) << value;
  }
  for (const double value :
       {0.0, 0.1, -0.7, 3.0, 1e300, Limits::max(), Limits::min(), Limits::denorm_min(),
        Limits::infinity(), -Limits::infinity(), 9007199254740993.0}) {
    EXPECT_EQ(bits(after(value)), bits(value)) << value;
  }
  EXPECT_EQ(bits(after(-0.0)), bits(0.0)) << "SQLite keeps small whole numbers as integers";
}

TEST_F(RunReader, NaNIsAbsent) {
  ProfiledRun run = testing::sample_run();
  run.totals.tokens_per_joule = std::nan("");
  EXPECT_EQ(round_trip(run).totals.tokens_per_joule, std::nullopt);

  run.run_id = "required";
  run.tokens[2].figure.quality.coverage = std::nan("");
  const auto saved = database_.save_run(run);
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(saved.error().message.find("tokens.coverage"), std::string::npos)
      << saved.error().message;
  EXPECT_EQ(stored(database_, "required"), std::nullopt);
}

/// Puts any value that its type can have into each column of a row.
class AnyValue : public FieldKinds<AnyValue> {
 public:
  explicit AnyValue(std::mt19937_64& random) : random_(random) {}

  void operator()(FieldName, double& value) {
    do {
      value = std::bit_cast<double>(random_());
    } while (std::isnan(value));
  }
  void operator()(FieldName, std::string& text) {
    text.resize(random_() % 20);
    for (char& character : text) {
      character = static_cast<char>(random_());
    }
  }
  template <std::integral Number>
  void operator()(FieldName, Number& value) {
    value = static_cast<Number>(random_());
  }
  template <class Enum>
    requires std::is_enum_v<Enum>
  void operator()(FieldName, Enum& value) {
    value = static_cast<Enum>(random_() % 3);
  }
  template <class Dimension>
  void operator()(FieldName name, Quantity<Dimension>& value) {
    double number = 0;
    (*this)(name, number);
    value = Quantity<Dimension>{number};
  }
  void operator()(FieldName, Nanoseconds& value) {
    value = Nanoseconds{static_cast<Nanoseconds::rep>(random_())};
  }
  void operator()(FieldName, WallTime& value) {
    value = WallTime{WallTime::duration{static_cast<WallTime::rep>(random_())}};
  }
  template <class T>
  void operator()(FieldName name, std::optional<T>& value) {
    if (random_() % 2 == 0) {
      (*this)(name, value.emplace());
    }
  }
  template <class Row>
  void group(FieldName, std::optional<Row>& row, const auto& columns) {
    if (random_() % 2 == 0) {
      columns(*this, row.emplace());
    }
  }
  template <class Row>
  void rows_of(std::vector<Row>& rows, const auto& columns) {
    rows.resize(random_() % 6);
    for (Row& row : rows) {
      columns(*this, row);
    }
  }

 private:
  std::mt19937_64& random_;
};

ProfiledRun any_run(std::mt19937_64& random) {
  ProfiledRun run;
  AnyValue any(random);
  kRunColumns(any, run);
  run.run_id += std::to_string(random());
  any.rows_of(run.tags, kTagColumns);
  any.rows_of(run.phases, kPhaseFields);
  any.rows_of(run.sections, kSectionFields);
  any.rows_of(run.tokens, kTokenFields);
  any.rows_of(run.warnings, kWarningFields);
  PowerFigures& power = run.power;
  any.rows_of(power.sources, kSourceColumns);
  any.rows_of(power.domains, kDomainFigureFields);
  for (DomainFigure& figure : power.domains) {
    if (figure.domain.parent) {
      figure.domain.parent = random() % power.domains.size();
    }
  }
  if (power.peak) {
    any.rows_of(power.peak->by_domain, kPeakPowerColumns);
    power.peak->by_domain.resize(std::min(power.peak->by_domain.size(), power.domains.size()));
  }
  if (!power.domains.empty()) {
    any.rows_of(power.samples, kSampleColumns);
    for (PowerSample& sample : power.samples) {
      sample.domain = random() % power.domains.size();
      sample.end = Nanoseconds{static_cast<Nanoseconds::rep>(random())};
    }
  }
  return run;
}

TEST_F(RunReader, GivesBackAnyRunUnchanged) {
  std::mt19937_64 random{20'231'107};
  for (int count = 0; count < 200; ++count) {
    const ProfiledRun run = any_run(random);
    ASSERT_TRUE(database_.save_run(run));
    const auto read = database_.get_run(run.run_id);
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(*read, run) << count;
  }
}

TEST_F(RunReader, AMissingRunIsEmpty) {
  EXPECT_EQ(stored(database_, "none"), std::nullopt);
  EXPECT_EQ(stored(database_, ""), std::nullopt);
}

TEST_F(RunReader, AnUnknownNameIsDamage) {
  ASSERT_TRUE(database_.save_run(testing::sample_run()));
  edit("UPDATE pipeline_phases SET phase = 'encode' WHERE position = 1");
  const auto read = database_.get_run("5eed0123456789ab");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::corrupt);
  EXPECT_NE(read.error().message.find("phase holds the unknown value 'encode'"), std::string::npos)
      << read.error().message;
}

TEST_F(RunReader, ADomainThatIsNotThereIsDamage) {
  ASSERT_TRUE(database_.save_run(testing::sample_run()));
  for (const char* const sql :
       {"UPDATE power_samples SET domain = 4 WHERE position = 7",
        "UPDATE power_domains SET parent = -1 WHERE domain = 2", "DELETE FROM power_domains"}) {
    edit(sql);
    const auto read = database_.get_run("5eed0123456789ab");
    ASSERT_FALSE(read) << sql;
    EXPECT_EQ(read.error().code, ErrorCode::corrupt) << sql;
  }
}

}  // namespace
}  // namespace enprof
