#include "store/sqlite_error.hpp"

#include "support/temp_dir.hpp"

#include <SQLiteCpp/Exception.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <new>
#include <stdexcept>

namespace enprof {
namespace {

class SqliteError : public ::testing::Test {
 protected:
  template <class Thrown>
  Error of(const Thrown& thrown) const {
    const auto result = guarded(action_, [&]() -> Result<int> { throw thrown; });
    EXPECT_FALSE(result);
    return result ? Error{} : result.error();
  }
  Error of_code(int code) const { return of(SQLite::Exception("the detail", code)); }

  const testing::TempDir dir_;
  const StoreAction action_{.path = dir_.write("my runs.db", ""),
                            .what = "save run r1",
                            .busy_timeout = std::chrono::seconds{5},
                            .bytes_needed = 12'345'678,
                            .bytes_free = 345'678};
};

TEST_F(SqliteError, EachCodeHasItsMeaningAndRemedy) {
  const auto expect = [&](int sqlite_code, ErrorCode code, std::string_view message,
                          std::string_view hint) {
    const Error error = of_code(sqlite_code);
    EXPECT_EQ(error.code, code) << error.message;
    EXPECT_NE(error.message.find(message), std::string::npos) << error.message;
    EXPECT_NE(error.message.find(action_.path.string()), std::string::npos) << error.message;
    EXPECT_NE(error.hint.find(hint), std::string::npos) << error.hint;
    EXPECT_FALSE(error.hint.empty());
  };
  expect(SQLITE_BUSY, ErrorCode::busy, "5.0 s of waiting", "fuser -v '");
  expect(SQLITE_LOCKED, ErrorCode::busy, "save run r1", "fuser");
  expect(SQLITE_FULL, ErrorCode::too_large, "is full (337.6 KiB free, about 11.8 MiB needed)",
         "df -h");
  expect(SQLITE_NOTADB, ErrorCode::corrupt, "is not a database", "mv '");
  expect(SQLITE_CORRUPT, ErrorCode::corrupt, "the detail", "enprof db check --db '");
  expect(SQLITE_IOERR, ErrorCode::io, "the detail", "dmesg");
  expect(SQLITE_CANTOPEN, ErrorCode::io, "the detail", "--db");
  expect(SQLITE_TOOBIG, ErrorCode::too_large, "the detail", "1 GB");
}

TEST_F(SqliteError, ABrokenConstraintIsNamed) {
  const Error foreign = of_code(SQLITE_CONSTRAINT);
  EXPECT_EQ(foreign.code, ErrorCode::invalid_argument);
  EXPECT_NE(foreign.message.find("save run r1"), std::string::npos);
  EXPECT_NE(foreign.message.find("Nothing was changed"), std::string::npos);
}

TEST_F(SqliteError, NothingThatIsThrownLeaves) {
  EXPECT_EQ(of(std::bad_alloc{}).code, ErrorCode::too_large);
  EXPECT_EQ(of(std::runtime_error{"odd"}).code, ErrorCode::internal);
  EXPECT_NE(of(std::runtime_error{"odd"}).message.find("odd"), std::string::npos);
  EXPECT_EQ(of(42).code, ErrorCode::internal);
  EXPECT_EQ(of_code(SQLITE_MISUSE).code, ErrorCode::internal);
}

TEST_F(SqliteError, ABodyThatDoesNotThrowIsPassedThrough) {
  EXPECT_EQ(guarded(action_, []() -> Result<int> { return 7; }), 7);
  const auto failed =
      guarded(action_, []() -> Result<int> { return fail(ErrorCode::not_found, "x"); });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace enprof
