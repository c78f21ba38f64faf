#include "power/counter/descriptor_point.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <system_error>
#include <unistd.h>

namespace enprof {
namespace {

/// The longest number has 20 digits.
constexpr std::size_t kLongestLine = 32;

std::optional<std::uint64_t> read_text(int descriptor) noexcept {
  std::array<char, kLongestLine> line{};
  const ssize_t length = ::pread(descriptor, line.data(), line.size(), 0);
  if (length <= 0) {
    return std::nullopt;
  }
  const char* const end_of_line = line.data() + length;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(line.data(), end_of_line, value);
  if (error != std::errc{} || (end != end_of_line && *end != '\n')) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::uint64_t> read_number(int descriptor) noexcept {
  std::uint64_t value = 0;
  return ::read(descriptor, &value, sizeof value) == sizeof value ? std::optional{value}
                                                                  : std::nullopt;
}

}  // namespace

DescriptorPoint::~DescriptorPoint() {
  if (descriptor_.number >= 0) {
    ::close(descriptor_.number);
  }
}

std::optional<std::uint64_t> DescriptorPoint::read() const noexcept { return read(descriptor_); }

std::optional<std::uint64_t> DescriptorPoint::read(const Descriptor& descriptor) noexcept {
  if (descriptor.number < 0) {
    return std::nullopt;
  }
  return descriptor.is_text ? read_text(descriptor.number) : read_number(descriptor.number);
}

}  // namespace enprof
