// A locale with decimal commas, to test that enprof reads and writes points nevertheless.
#pragma once

#include "support/needs_dev.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <array>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <locale>
#include <stdlib.h>
#include <string>

namespace enprof::testing {

/// Sets C's and C++'s locale, with decimal commas and points between thousands, for one test.
class GermanLocale {
 public:
  GermanLocale()
      : previous_(std::locale::global(std::locale(std::locale::classic(), new Numbers))) {
    german_ = setlocale(LC_ALL, "de_DE.UTF-8") != nullptr;
    if (!german_) {  // not installed: made from its source, if that exists
      const std::string command = "localedef -i de_DE -f UTF-8 '" +
                                  (directory_.path() / "de_DE.UTF-8").string() +
                                  "' >/dev/null 2>&1";
      if (std::system(command.c_str()) == 0) {
        setenv("LOCPATH", directory_.path().c_str(), 1);
        german_ = setlocale(LC_ALL, "de_DE.UTF-8") != nullptr;
      }
    }
    if (german_) {
      std::array<char, 8> text{};
      std::snprintf(text.data(), text.size(), "%.1f", 1.5);
      EXPECT_STREQ(text.data(), "1,5");
    }
  }
  GermanLocale(const GermanLocale&) = delete;
  GermanLocale& operator=(const GermanLocale&) = delete;
  ~GermanLocale() {
    setlocale(LC_ALL, "C");
    unsetenv("LOCPATH");
    std::locale::global(previous_);
  }
  /// Whether C's locale was set too; if not, use GTEST_SKIP at the end of the test.
  [[nodiscard]] bool whole() const { return german_; }
  static std::string why_not() {
    return needs_dev("the locale de_DE.UTF-8 or its source: C++'s locale alone was tested");
  }

 private:
  struct Numbers : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };

  TempDir directory_;
  std::locale previous_;
  bool german_ = false;
};

}  // namespace enprof::testing
