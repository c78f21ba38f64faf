#include "base/inherited_descriptors.hpp"

#include "base/directory_names.hpp"
#include "base/kernel_text.hpp"

#include <algorithm>
#include <fcntl.h>
#include <optional>
#include <string>

namespace enprof {
namespace {

/// Those that are open now, ascending. The one that reads the list may be among them: it is closed
/// by the time this returns.
std::vector<int> open_descriptors() {
#if defined(__linux__)
  constexpr const char* kList = "/proc/self/fd";
#else
  constexpr const char* kList = "/dev/fd";
#endif
  std::vector<int> descriptors;
  for (const std::string& name : names_in(kList)) {
    const auto number = whole_number_in(name);
    if (number && fcntl(static_cast<int>(*number), F_GETFD) >= 0) {
      descriptors.push_back(static_cast<int>(*number));
    }
  }
  std::ranges::sort(descriptors);
  return descriptors;
}

}  // namespace

InheritedDescriptors::InheritedDescriptors() : descriptors_(open_descriptors()) {}

void InheritedDescriptors::close_others_on_exec() const {
  for (const int descriptor : open_descriptors()) {
    if (!std::ranges::binary_search(descriptors_, descriptor)) {
      fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    }
  }
}

}  // namespace enprof
