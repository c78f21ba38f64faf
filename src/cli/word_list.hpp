// Several names in one word of the command line.
#pragma once

#include <string>
#include <vector>

namespace enprof {

[[nodiscard]] bool is_file(const std::string& word);

/// What commas separate, without empty parts; the whole word if there is a file of that name.
[[nodiscard]] std::vector<std::string> split_list(const std::string& word);

}  // namespace enprof
