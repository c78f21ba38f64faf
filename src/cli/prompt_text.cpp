#include "cli/prompt_text.hpp"

#include "base/format_bytes.hpp"
#include "base/shell_quote.hpp"
#include "base/text_encoding.hpp"
#include "base/utf8.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <system_error>

namespace enprof {
namespace {

/// More than the largest context can hold.
constexpr std::size_t kMostBytes = std::size_t{256} << 20U;

using File = std::unique_ptr<std::FILE, decltype([](std::FILE* file) {
                               if (file != stdin) {
                                 std::fclose(file);
                               }
                             })>;

std::unexpected<Error> cannot_read(const std::string& file, int number) {
  return fail(
      error_code_from_errno(number),
      fmt::format("Cannot read the prompt from {}: {}", file == "-" ? "standard input" : file,
                  std::generic_category().message(number)),
      "Name a text file that exists and that you may read.");
}

/// The command line that converts the prompt and passes it to enprof.
std::string piped(const PromptOrigin& origin, const std::string& command) {
  if (origin.file == "-") {
    return fmt::format("… | {} | enprof run -f - …", command);
  }
  return fmt::format("{} | enprof run -f - …", command);
}

std::string conversion_hint(const PromptOrigin& origin, std::string_view encoding) {
  if (origin.is_argument) {
    return fmt::format(
        "Write it in UTF-8, or save it in a file and convert that: {}",
        piped({.is_argument = false, .file = "FILE"}, conversion_command(encoding, "FILE")));
  }
  return "Convert it first: " + piped(origin, conversion_command(encoding, origin.file));
}

std::string_view spoken_name(WideEncoding encoding) {
  switch (encoding) {
    case WideEncoding::utf16le:
      return "UTF-16, as Windows writes it";
    case WideEncoding::utf16be:
      return "UTF-16 (big-endian)";
    case WideEncoding::utf32le:
    case WideEncoding::utf32be:
      return "UTF-32";
  }
  return "UTF-16";
}

}  // namespace

Result<std::string> read_prompt_file(const std::string& file) {
  errno = 0;
  const File in{file == "-" ? stdin : std::fopen(file.c_str(), "rb")};
  if (!in) {
    return cannot_read(file, errno);
  }
  std::string text;
  std::array<char, 65'536> piece{};
  while (const std::size_t count = std::fread(piece.data(), 1, piece.size(), in.get())) {
    text.append(piece.data(), count);
    if (text.size() > kMostBytes) {
      return fail(ErrorCode::too_large,
                  fmt::format("The prompt from {} has more than {}",
                              file == "-" ? "standard input" : file, format_bytes(kMostBytes)),
                  "Check that it is a text file: no context can hold that much.");
    }
  }
  if (std::ferror(in.get()) != 0) {
    return cannot_read(file, errno);
  }
  return text;
}

Result<std::string> prompt_text(std::string_view bytes, const PromptOrigin& origin) {
  const auto refuse = [](std::string message, std::string hint) {
    return fail(ErrorCode::invalid_argument, std::move(message), std::move(hint));
  };
  if (const auto encoding = wide_encoding(bytes)) {
    return refuse(fmt::format("The prompt is {}, not UTF-8", spoken_name(*encoding)),
                  conversion_hint(origin, iconv_name(*encoding)));
  }
  const std::string_view text = without_byte_order_mark(bytes);
  if (text.empty()) {
    return refuse("The prompt is empty", "Pass one with -p \"…\", or -f FILE.");
  }
  const std::size_t mark = bytes.size() - text.size();
  if (const auto zero = text.find('\0'); zero != std::string_view::npos) {
    return refuse(
        fmt::format("The prompt is not text: byte {} is zero", zero + mark),
        "Pass a text file. To remove such bytes: " +
            piped(origin, origin.file == "-" ? "tr -d '\\000'"
                                             : "tr -d '\\000' < " + shell_quote(origin.file)));
  }
  if (const auto bad = first_invalid_utf8(text)) {
    return refuse(fmt::format("The prompt is not UTF-8: byte {} is 0x{:02x}", *bad + mark,
                              static_cast<unsigned char>(text[*bad])),
                  conversion_hint(origin, "latin1"));
  }
  return std::string{text};
}

}  // namespace enprof
