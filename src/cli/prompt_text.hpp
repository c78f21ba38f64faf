// Prompts from the command line and from files, as text for a model.
#pragma once

#include "enprof/base/error.hpp"

#include <string>
#include <string_view>

namespace enprof {

/// The origin of a prompt: -p, a file, or "-" for standard input.
struct PromptOrigin {
  bool is_argument = true;
  std::string file;
};

/// Reads a file, or standard input if its name is "-", completely. Errors: those of the system;
/// too_large, if it is larger than any prompt.
[[nodiscard]] Result<std::string> read_prompt_file(const std::string& file);

/// The prompt without a byte-order mark. Errors: invalid_argument, if it is empty or not UTF-8
/// text, with the command that converts it.
[[nodiscard]] Result<std::string> prompt_text(std::string_view bytes, const PromptOrigin& origin);

}  // namespace enprof
