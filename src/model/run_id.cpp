#include "model/run_id.hpp"

#include <algorithm>

namespace enprof {

bool is_valid_run_id(std::string_view id) {
  const bool plain = std::ranges::all_of(id, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
  });
  return !id.empty() && id.size() <= kLongestRunId && plain && id.front() != '.' &&
         id.front() != '-' && id != "last";
}

}  // namespace enprof
