// Sizes in bytes as text for people.
#pragma once

#include <cstdint>
#include <string>

namespace enprof {

/// "1.5 GiB": powers of 1024, one decimal; below 1 KiB "1023 bytes".
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);

}  // namespace enprof
