// Simulates a system that cannot start threads.
#pragma once

#include <string>

#if defined(__GLIBC__)
#include <cstddef>
#include <pthread.h>
#endif

namespace enprof::testing {

/// While it exists, the system refuses new threads in this process, even for root: their stacks
/// would be larger than the address space. If that is not possible, why_not() says why, for
/// GTEST_SKIP.
class NoThreads {
 public:
  NoThreads() {
#if defined(__GLIBC__)
    pthread_attr_t huge;
    pthread_attr_init(&huge);
    pthread_attr_setstacksize(&huge, std::size_t{1} << 48U);
    pthread_getattr_default_np(&usual_);
    const bool done = pthread_setattr_default_np(&huge) == 0;
    pthread_attr_destroy(&huge);
    if (!done) {
      why_not_ = "the C library takes no such stack size";
    }
#else
    why_not_ = "only glibc has a default for the stacks of threads";
#endif
  }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;
  ~NoThreads() {
#if defined(__GLIBC__)
    pthread_setattr_default_np(&usual_);
    pthread_attr_destroy(&usual_);
#endif
  }

  [[nodiscard]] const std::string& why_not() const { return why_not_; }

 private:
#if defined(__GLIBC__)
  pthread_attr_t usual_{};
#endif
  std::string why_not_;
};

}  // namespace enprof::testing
