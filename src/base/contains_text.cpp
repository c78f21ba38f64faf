#include "base/contains_text.hpp"

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <string>
#include <system_error>

namespace enprof {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20U;

}  // namespace

bool contains_text(const std::filesystem::path& file, std::string_view text) {
  std::error_code none;
  if (!std::filesystem::is_regular_file(file, none)) {
    return false;  // reading a pipe would wait
  }
  std::ifstream in(file, std::ios::binary);
  std::string block;
  while (in) {
    // The text may begin in the block before.
    block.erase(0, block.size() - std::min(block.size(), text.size()));
    const std::size_t kept = block.size();
    block.resize(kept + kBlock);
    in.read(block.data() + kept, kBlock);
    block.resize(kept + static_cast<std::size_t>(in.gcount()));
    if (block.find(text) != std::string::npos) {
      return true;
    }
  }
  return false;
}

}  // namespace enprof
