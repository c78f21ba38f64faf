#include "base/shell_quote.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

TEST(ShellQuote, LeavesPlainWordsAloneAndQuotesTheRest) {
  EXPECT_EQ(shell_quote("/home/ada/profiles.db"), "/home/ada/profiles.db");
  EXPECT_EQ(shell_quote("my runs.db"), "'my runs.db'");
  EXPECT_EQ(shell_quote("it's"), R"('it'\''s')");
  EXPECT_EQ(shell_quote("$(reboot)"), "'$(reboot)'");
  EXPECT_EQ(shell_quote("~/x"), "'~/x'");
  EXPECT_EQ(shell_quote(""), "''");
}

}  // namespace
}  // namespace enprof
