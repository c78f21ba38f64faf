#include "report/run_csv.hpp"

#include "support/german_locale.hpp"
#include "support/sample_run.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {
namespace {

using Rows = std::vector<std::vector<std::string>>;

/// Parses CSV strictly by RFC 4180; anything else fails the test.
Rows parse(const std::string& text) {
  Rows rows(1, std::vector<std::string>(1));
  bool quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string& field = rows.back().back();
    if (quoted) {
      if (text[at] != '"') {
        field += text[at];
      } else if (at + 1 < text.size() && text[at + 1] == '"') {
        field += text[++at];
      } else {
        quoted = false;
      }
    } else if (text[at] == '"') {
      EXPECT_TRUE(field.empty()) << "a quote within a plain field";
      quoted = true;
    } else if (text[at] == ',') {
      rows.back().emplace_back();
    } else if (text[at] == '\r') {
      EXPECT_EQ(text.substr(at, 2), "\r\n");
      ++at;
      rows.emplace_back(1);
    } else {
      EXPECT_NE(text[at], '\n') << "a bare line feed";
      field += text[at];
    }
  }
  EXPECT_FALSE(quoted);
  EXPECT_EQ(rows.back(), std::vector<std::string>{""}) << "the last line must end";
  rows.pop_back();
  return rows;
}

/// The text of one table, joined from its pieces.
std::string text_of(const ProfiledRun& run, std::string_view name,
                    CsvBegin begin = CsvBegin::names) {
  RunInMemory source(run);
  RunCsv csv(source, name, begin);
  std::string text;
  for (bool more = true; more;) {
    const std::size_t before = text.size();
    more = csv.next(text).value();
    EXPECT_LT(text.size() - before, 2 * TextStream::kPiece) << name;
  }
  return text;
}

Rows table(const ProfiledRun& run, std::string_view name) { return parse(text_of(run, name)); }

TEST(RunCsv, EveryTableIsRectangularAndHasTheRowsOfItsList) {
  ProfiledRun run = testing::sample_run();
  for (const std::string_view name : csv_table_names()) {
    const Rows rows = table(run, name);
    ASSERT_GE(rows.size(), 2U) << name << ": the sample run has something for each";
    for (const auto& row : rows) {
      EXPECT_EQ(row.size(), rows[0].size()) << name;
    }
    EXPECT_EQ(table({.run_id = "bare"}, name)[0], rows[0]) << name;
  }
  testing::lengthen(run);
  EXPECT_EQ(table(run, "tokens").size(), run.tokens.size() + 1);
  EXPECT_EQ(table(run, "operation_events").size(), run.operation_table.events.size() + 1);
  EXPECT_EQ(table(run, "power_samples").size(), run.power.samples.size() + 1);
  const Rows kinds = table(run, "operation_kinds");
  ASSERT_EQ(kinds.size(), run.operation_table.operations.size() + 1);
  EXPECT_EQ(kinds[2001][1], "2000") << "rows are counted through";
}

TEST(RunCsv, ValuesAreThoseOfTheRunInTheUnitsOfTheColumns) {
  const ProfiledRun run = testing::sample_run();
  const Rows rows = table(run, "tokens");
  const auto value = [&](std::size_t row, std::string_view column) {
    const auto at = std::ranges::find(rows[0], column) - rows[0].begin();
    return rows[row][static_cast<std::size_t>(at)];
  };
  for (std::size_t index = 0; index < run.tokens.size(); ++index) {
    EXPECT_EQ(value(index + 1, "text"), run.tokens[index].text);
    EXPECT_EQ(std::stod(value(index + 1, "energy_mj")), to_mj(*run.tokens[index].figure.total));
    EXPECT_EQ(std::stod(value(index + 1, "begin_ms")), to_ms(run.tokens[index].begin));
  }
  // An absent value is empty, never zero: the fifth event has no energy, and the prompt has no
  // token.
  const Rows events = table(run, "operation_events");
  EXPECT_EQ(events[5][3], "");
  EXPECT_EQ(events[1][5], "");
  EXPECT_EQ(events[7][5], "0");
}

TEST(RunCsv, TablesOfSeveralRunsAreOneAfterAnother) {
  const ProfiledRun first = testing::sample_run("first");
  ProfiledRun second = testing::sample_run("second, \"quoted\"");
  second.values.experts.insert(second.values.experts.begin(), 600, {});  // rows of no table
  for (const std::string_view name : csv_table_names()) {
    const Rows both =
        parse(text_of(first, name) + text_of({.run_id = "bare"}, name, CsvBegin::rows) +
              text_of(second, name, CsvBegin::rows));
    EXPECT_EQ(both[0][0], "run_id") << name;
    std::size_t of_second = 0;
    for (const auto& row : both) {
      EXPECT_EQ(row.size(), both[0].size()) << name;
      of_second += row[0] == second.run_id ? 1 : 0;
    }
    EXPECT_EQ(of_second, table(second, name).size() - 1) << name;
    EXPECT_EQ(both[1][0], "first") << name;
  }
}

TEST(RunCsv, OneRowHasTheFactsOfARun) {
  const ProfiledRun run = testing::sample_run();
  const Rows rows = table(run, "runs");
  ASSERT_EQ(rows.size(), 2U);
  const auto value = [&](const Rows& of, std::string_view column) {
    EXPECT_EQ(std::ranges::count(of[0], column), 1) << column;
    return of[1][static_cast<std::size_t>(std::ranges::find(of[0], column) - of[0].begin())];
  };
  for (const auto& fact : table(run, "run")) {  // each fact once; tags and sources are lists
    if (fact[1] != "key" && fact[1] != "tag" && fact[1] != "power_source") {
      EXPECT_EQ(value(rows, fact[1]), fact[2]) << fact[1];
    }
  }
  EXPECT_EQ(value(rows, "tag"), R"(["q8","baseline","q8"])");
  const Rows bare = table({.run_id = "bare"}, "runs");
  EXPECT_EQ(value(bare, "energy_mj"), "");
  EXPECT_EQ(value(bare, "baseline_power_mw"), "");
}

TEST(RunCsv, AnyTextIsAField) {
  ProfiledRun run = testing::sample_run();
  run.tokens[0].text = "a,\"b\"\r\nc;";
  run.tokens[1].text = std::string("x\0y", 3) + "\xFF";
  run.tokens[2].text = "";
  const Rows rows = table(run, "tokens");
  EXPECT_EQ(rows[1][2], run.tokens[0].text);
  EXPECT_EQ(rows[2][2], "x\xEF\xBF\xBDy\xEF\xBF\xBD");
  EXPECT_EQ(rows[3][2], "");
  EXPECT_NE(text_of(run, "tokens").find(",2,\"\",decode"), std::string::npos)
      << "an empty text is not absent";
}

TEST(RunCsv, DecimalCommasChangeNothing) {
  const ProfiledRun run = testing::sample_run();
  std::vector<std::string> before;
  for (const std::string_view name : csv_table_names()) {
    before.push_back(text_of(run, name));
  }
  const testing::GermanLocale german;
  for (std::size_t index = 0; index < before.size(); ++index) {
    EXPECT_EQ(text_of(run, csv_table_names()[index]), before[index]);
  }
  if (!german.whole()) {
    GTEST_SKIP() << testing::GermanLocale::why_not();
  }
}

}  // namespace
}  // namespace enprof
