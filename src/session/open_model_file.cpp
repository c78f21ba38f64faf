#include "session/open_model_file.hpp"

#include <fmt/format.h>

#include <unistd.h>

namespace enprof {

OpenModelFile::OpenModelFile(OpenModelFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      real_(std::move(other.real_)),
      bytes_(other.bytes_) {}

OpenModelFile& OpenModelFile::operator=(OpenModelFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(real_, other.real_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

OpenModelFile::~OpenModelFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

std::filesystem::path OpenModelFile::path() const {
#ifdef __APPLE__
  return real_;
#else
  return descriptor_ < 0 ? real_
                         : std::filesystem::path{fmt::format("/proc/self/fd/{}", descriptor_)};
#endif
}

}  // namespace enprof
