// A small file system for one test: it can really be full or read-only, also for root.
#pragma once

#include <filesystem>
#include <string>

#if defined(__linux__)
#include <cerrno>
#include <cstring>
#include <sys/mount.h>
#endif

#include "support/temp_dir.hpp"

namespace enprof::testing {

/// Mounts a tmpfs on a temporary directory; unmounts it after the test. If that is not possible,
/// why_not() says why, for GTEST_SKIP.
class Tmpfs {
 public:
  explicit Tmpfs(const std::string& size) {
#if defined(__linux__)
    if (mount("none", path().c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0) {
      mounted_ = true;
    } else {
      why_not_ = std::string{"mounting a tmpfs: "} + std::strerror(errno);
    }
#else
    why_not_ = "mounting a tmpfs of " + size + " needs Linux";
#endif
  }
  Tmpfs(const Tmpfs&) = delete;
  Tmpfs& operator=(const Tmpfs&) = delete;
  ~Tmpfs() {
#if defined(__linux__)
    if (mounted_) {
      umount2(path().c_str(), MNT_DETACH);  // also while a file in it is still open
    }
#endif
  }

  [[nodiscard]] bool mounted() const { return mounted_; }
  [[nodiscard]] const std::string& why_not() const { return why_not_; }
  [[nodiscard]] const std::filesystem::path& path() const { return directory_.path(); }

  /// False if that is not possible, for example while a file in it is open for writing.
  [[nodiscard]] bool make_read_only() const {
#if defined(__linux__)
    return mount("none", path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0;
#else
    return false;
#endif
  }

 private:
  TempDir directory_;
  bool mounted_ = false;
  std::string why_not_;
};

}  // namespace enprof::testing
