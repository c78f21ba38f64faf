#include "base/last_words.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>

namespace enprof {
namespace {

using ::testing::ExitedWithCode;
using ::testing::HasSubstr;
using ::testing::KilledBySignal;

class LastWordsDeathTest : public ::testing::Test {
 protected:
  LastWordsDeathTest() {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    if (const char* there = std::getenv("ENPROF_LAST_WORDS_NOTE")) {  // the process that dies
      note_ = there;
    } else {
      note_ = directory_.emplace().path() / "note";
      ::setenv("ENPROF_LAST_WORDS_NOTE", note_.c_str(), 1);
    }
  }
  ~LastWordsDeathTest() override { ::unsetenv("ENPROF_LAST_WORDS_NOTE"); }

  [[nodiscard]] int open_note() const {
    return ::open(note_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  }

  std::optional<testing::TempDir> directory_;
  std::filesystem::path note_;
};

TEST_F(LastWordsDeathTest, SayWhoDidItAndWhy) {
  const auto die = [&] {
    remember_line("load: something was odd");
    const CrashContext undertaking("evil\x1b[2J.gguf", "4f2a", open_note());
    end_with_last_words("llama.cpp gave up: ops.cpp:1: GGML_ASSERT(x) failed");
  };
  EXPECT_EXIT(die(), ExitedWithCode(1),
              "enprof: error: llama.cpp gave up: ops.cpp:1: GGML_ASSERT\\(x\\) failed\n"
              "  llama.cpp logged before: load: something was odd\n"
              "  It was using the model evil\\?\\[2J.gguf, in run 4f2a");
  EXPECT_EQ(testing::read_file(note_), "llama.cpp gave up: ops.cpp:1: GGML_ASSERT(x) failed\n");
}

TEST_F(LastWordsDeathTest, ACrashIsToldAndStaysACrash) {
  const auto die = [&] {
    std::signal(SIGSEGV, SIG_DFL);  // else a sanitizer's handler would stay
    install_last_words();
    const CrashContext undertaking("m.gguf", "4f2a", open_note());
    std::raise(SIGSEGV);
  };
  EXPECT_EXIT(die(), KilledBySignal(SIGSEGV),
              "SIGSEGV.*\n  It was using the model m.gguf, in run 4f2a");
  EXPECT_THAT(testing::read_file(note_), HasSubstr("SIGSEGV"));
}

TEST_F(LastWordsDeathTest, AnAbortEndsTheProgramInOrder) {
  const auto die = [] {
    std::signal(SIGABRT, SIG_DFL);
    install_last_words();
    const CrashContext undertaking("m.gguf", "", -1);
    std::abort();
  };
  EXPECT_EXIT(die(), ExitedWithCode(1), "SIGABRT.*\n  It was using the model m.gguf. The program");
}

TEST_F(LastWordsDeathTest, AnExceptionThatNobodyCatchesIsTold) {
  const auto die = [] {
    install_last_words();
    std::thread([] { throw std::runtime_error("lost in space"); }).join();
  };
  EXPECT_EXIT(die(), ExitedWithCode(1), "error: an unexpected exception: lost in space");
}

/// All threads that compute a graph fail together.
TEST_F(LastWordsDeathTest, OfManyThreadsThatDieOneSpeaks) {
  const auto die = [&] {
    const CrashContext undertaking("m.gguf", "4f2a", open_note());
    std::thread other([] { end_with_last_words("one of them failed"); });
    std::thread third([] { end_with_last_words("one of them failed"); });
    end_with_last_words("one of them failed");
  };
  EXPECT_EXIT(die(), ExitedWithCode(1), "one of them failed");
  EXPECT_EQ(testing::read_file(note_), "one of them failed\n");
}

TEST_F(LastWordsDeathTest, WhatIsOverIsNotBlamed) {
  const auto die = [&] {
    {
      const CrashContext undertaking("m.gguf", "4f2a", open_note());
    }
    end_with_last_words("something else");
  };
  EXPECT_EXIT(die(), ExitedWithCode(1), "something else\n  The program cannot go on");
  EXPECT_EQ(testing::read_file(note_), "");
}

}  // namespace
}  // namespace enprof
