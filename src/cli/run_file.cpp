#include "cli/run_file.hpp"

#include "base/text_encoding.hpp"
#include "report/run_from_json.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <system_error>

namespace enprof {
namespace {

Result<std::string> read_text(const std::string& path) {
  if (path == "-") {
    return std::string{std::istreambuf_iterator<char>{std::cin}, {}};
  }
  std::error_code none;
  std::ifstream in(path, std::ios::binary);
  const int error_number = std::filesystem::is_directory(path, none) ? EISDIR : in ? 0 : errno;
  if (error_number != 0) {
    return fail(
        error_code_from_errno(error_number),
        fmt::format("Cannot read {}: {}", path, std::generic_category().message(error_number)),
        "Name a file that enprof export or --json wrote and that you may read.");
  }
  return std::string{std::istreambuf_iterator<char>{in}, {}};
}

}  // namespace

Result<ProfiledRun> read_run_file(const std::string& path, std::string_view then) {
  const auto text = read_text(path);
  if (!text) {
    return std::unexpected(text.error());
  }
  if (const auto encoding = wide_encoding(*text)) {
    return fail(ErrorCode::malformed,
                fmt::format("{} is not UTF-8, but {}", path, iconv_name(*encoding)),
                fmt::format("Convert it first: {}{}{}", path == "-" ? "… | " : "",
                            conversion_command(iconv_name(*encoding), path), then));
  }
  auto run = run_from_json(without_byte_order_mark(*text));
  if (!run) {
    run.error().message = fmt::format("{}: {}", path, run.error().message);
  } else if (run->status == RunStatus::running) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}: run {} was still running when it was exported", path, run->run_id),
                "Export it again when it has ended.");
  }
  return run;
}

}  // namespace enprof
