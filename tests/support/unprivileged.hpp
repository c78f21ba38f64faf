// Drops root's rights, for tests of missing rights.
#pragma once

#include <gtest/gtest.h>

#include <unistd.h>

namespace enprof::testing {

/// Drops root's rights while it lives, because permissions do not apply to root.
class Unprivileged {
 public:
  Unprivileged() : root_(geteuid() == 0) {
    if (root_ && seteuid(kNobody) != 0) {
      root_ = false;
    }
  }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;
  ~Unprivileged() {
    if (root_) {
      EXPECT_EQ(seteuid(0), 0);
    }
  }
  /// False if the process is root and cannot change that.
  [[nodiscard]] static bool works() { return geteuid() != 0; }

 private:
  static constexpr uid_t kNobody = 65534;
  bool root_;
};

}  // namespace enprof::testing
