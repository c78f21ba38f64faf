#include "base/say.hpp"

#include "support/wait_until.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <string>
#include <unistd.h>

namespace enprof {
namespace {

/// Replaces stderr as long as it lives.
class StderrAt {
 public:
  explicit StderrAt(int descriptor) : saved_(::dup(STDERR_FILENO)) {
    if (descriptor < 0) {
      ::close(STDERR_FILENO);
    } else {
      ::dup2(descriptor, STDERR_FILENO);
    }
  }
  StderrAt(const StderrAt&) = delete;
  StderrAt& operator=(const StderrAt&) = delete;
  ~StderrAt() {
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
  }

 private:
  int saved_;
};

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe(ends.data()), 0); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  /// Everything that was written.
  [[nodiscard]] std::string read() const {
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    std::string text;
    std::array<char, 4096> piece{};
    for (ssize_t count = 0; (count = ::read(ends[0], piece.data(), piece.size())) > 0;) {
      text.append(piece.data(), static_cast<std::size_t>(count));
    }
    return text;
  }
  std::array<int, 2> ends{};
};

TEST(Say, WritesToStderr) {
  const Pipe pipe;
  {
    const StderrAt there(pipe.ends[1]);
    say("hello\n");
    say_at_once("the end\n");
  }
  EXPECT_EQ(pipe.read(), "hello\nthe end\n");
}

// SIGPIPE is not ignored here: writing to such a pipe would end the test.
TEST(Say, AReaderThatIsGoneChangesNothing) {
  Pipe pipe;
  ::close(pipe.ends[0]);
  const StderrAt there(pipe.ends[1]);
  errno = ENOENT;
  say("this is not read\n");
  say_at_once("and this is not read\n");
  EXPECT_EQ(errno, ENOENT);
  pipe.ends[0] = ::open("/dev/null", O_RDONLY);
}

TEST(Say, NeitherDoesAFullDiskOrAClosedDescriptor) {
  const int full = ::open("/dev/full", O_WRONLY);
  {
    const StderrAt there(full);
    say("no room\n");
  }
  ::close(full);
  {
    const StderrAt closed(-1);
    say("no descriptor\n");
    say_at_once("none\n");
  }
  const Pipe pipe;
  {
    const StderrAt there(pipe.ends[1]);
    say("heard\n");
  }
  const std::string text = pipe.read();
  EXPECT_TRUE(text.ends_with("heard\n")) << text;
  EXPECT_NE(text.find(" messages were lost"), std::string::npos) << text;
}

TEST(Say, OneThatDoesNotReadIsWaitedForOnceAndToldWhatItMissed) {
  const Pipe pipe;
  const std::string line(1000, 'x');
  const auto begin = std::chrono::steady_clock::now();
  {
    const StderrAt there(pipe.ends[1]);
    for (int count = 0; count < 1000; ++count) {  // a pipe holds 64 KiB or so
      say(line + "\n");
    }
  }
  // Were each waited for, it would be more than four minutes, on the fastest of machines.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, testing::kLongWait);
  static_cast<void>(pipe.read());
  {
    const StderrAt there(pipe.ends[1]);
    say("heard again\n");
  }
  const std::string text = pipe.read();
  EXPECT_NE(text.find(" messages were lost: they were not read\nheard again\n"), std::string::npos)
      << text;
}

}  // namespace
}  // namespace enprof
