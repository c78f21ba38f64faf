#include "base/printable.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

TEST(Printable, ControlsAreEscaped) {
  EXPECT_EQ(printable("a\nb\r\t\x1b[31mc\x7F"), "a\\nb\\r\\t\\x1b[31mc\\x7f");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "\\x9b31m");  // CSI in one character
  EXPECT_EQ(printable("\xE2\x80\xAE"
                      "a\xE2\x81\xA6"),
            "\\u202ea\\u2066");
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
}

TEST(Printable, WhatIsNoUtf8IsReplaced) {
  EXPECT_EQ(printable("caf\xE9"), "caf\xEF\xBF\xBD");
  EXPECT_EQ(printable("\x9B"
                      "31m"),
            "\xEF\xBF\xBD"
            "31m");  // an 8-bit terminal's CSI
}

TEST(Printable, WhatIsPrintableStaysAsItIs) {
  for (const std::string text : {"", "say \"hi\" \\n", "µ – 日本 🙂", "~12.3 mJ"}) {
    EXPECT_EQ(printable(text), text);
  }
  const std::string once = printable("\x1b]0;title\a\n");
  EXPECT_EQ(printable(once), once);
}

TEST(Printable, LinesMayStay) {
  EXPECT_EQ(printable_lines("one\n  two\x1b[2J\n"), "one\n  two\\x1b[2J\n");
}

}  // namespace
}  // namespace enprof
