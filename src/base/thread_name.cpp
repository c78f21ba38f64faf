#include "base/thread_name.hpp"

#include <algorithm>
#include <array>
#include <pthread.h>

namespace enprof {

void name_this_thread(std::string_view name) noexcept {
  std::array<char, 16> short_name{};  // Linux's limit
  std::ranges::copy(name.substr(0, short_name.size() - 1), short_name.begin());
#if defined(__linux__)
  pthread_setname_np(pthread_self(), short_name.data());
#elif defined(__APPLE__)
  pthread_setname_np(short_name.data());
#else
  static_cast<void>(short_name);
#endif
}

}  // namespace enprof
