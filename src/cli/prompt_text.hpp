// Prompts, from the command line and from files, as text that a model can be given.
#pragma once

#include "enprof/base/error.hpp"

#include <string>
#include <string_view>

namespace enprof {

/// Where a prompt comes from: -p, a file, or "-" for standard input.
struct PromptOrigin {
  bool is_argument = true;
  std::string file;
};

/// Reads a file, or standard input where its name is "-", to its end. Errors: as the system has
/// them, and too_large where it is more than a prompt can be.
[[nodiscard]] Result<std::string> read_prompt_file(const std::string& file);

/// The prompt in what was read: without a byte-order mark. Errors: invalid_argument where it is
/// empty or no UTF-8 text, with the command that makes such of it.
[[nodiscard]] Result<std::string> prompt_text(std::string_view bytes, const PromptOrigin& origin);

}  // namespace enprof
