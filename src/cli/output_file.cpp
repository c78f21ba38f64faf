#include "cli/output_file.hpp"

#include "base/file_limit.hpp"
#include "cli/console.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <unistd.h>

namespace enprof {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

constexpr const char* kAnotherFile =
    "Name a file in a directory that exists and that you may write to, with room left.";

std::unexpected<Error> cannot_write(const std::filesystem::path& path, int error_number) {
  return fail(error_code_from_errno(error_number),
              fmt::format("Cannot write {}: {}", path.string(),
                          std::generic_category().message(error_number)),
              error_number == EFBIG ? file_limit_hint() : std::string{kAnotherFile});
}

/// Whether the path exists and is not a regular file (/dev/stdout, a pipe): it must be written
/// directly.
bool must_write_in_place(const std::filesystem::path& path) {
  std::error_code failed;
  const auto status = std::filesystem::status(path, failed);
  return std::filesystem::exists(status) && !std::filesystem::is_regular_file(status);
}

/// A text that is complete already.
class WholeText final : public TextStream {
 public:
  explicit WholeText(std::string_view text) : text_(text) {}

  Result<bool> next(std::string& text) override {
    text += text_.substr(0, kPiece);
    text_.remove_prefix(std::min(kPiece, text_.size()));
    return !text_.empty();
  }

 private:
  std::string_view text_;
};

/// Passes the text on piece by piece, until `write` returns an error.
template <class Write>
Result<void> for_each_piece(TextStream& text, Write write) {
  std::string piece;
  for (bool more = true; more;) {
    piece.clear();
    const auto made = text.next(piece);
    if (!made) {
      return std::unexpected(made.error());
    }
    more = *made;
    if (auto written = write(piece); !written) {
      return written;
    }
  }
  return {};
}

Result<void> print_pieces(TextStream& text) {
  bool has_seen_enough = false;
  auto written = for_each_piece(text, [&](std::string_view piece) -> Result<void> {
    if (print(piece)) {
      return {};
    }
    has_seen_enough = errno == EPIPE;
    return std::unexpected(cannot_print(errno));
  });
  return has_seen_enough ? Result<void>{} : written;
}

Result<void> write_file(const std::filesystem::path& path, TextStream& text) {
  const bool in_place = must_write_in_place(path);
  const std::filesystem::path target =
      in_place ? path : std::filesystem::path{path.string() + ".partial"};
  File file{std::fopen(target.c_str(), "wb")};
  if (!file) {
    return cannot_write(path, errno);
  }
  auto written = for_each_piece(text, [&](std::string_view piece) {
    return std::fwrite(piece.data(), 1, piece.size(), file.get()) == piece.size()
               ? Result<void>{}
               : cannot_write(path, errno);
  });
  if (written && std::fflush(file.get()) != 0) {
    written = cannot_write(path, errno);
  }
  file.reset();
  if (written && !in_place && std::rename(target.c_str(), path.c_str()) != 0) {
    written = cannot_write(path, errno);
  }
  if (!written && !in_place) {
    std::remove(target.c_str());
  }
  return written;
}

}  // namespace

Result<void> write_output(const std::filesystem::path& path, std::string_view text) {
  WholeText whole(text);
  return write_output(path, whole);
}

Result<void> write_output(const std::filesystem::path& path, TextStream& text) {
  return path == "-" ? print_pieces(text) : write_file(path, text);
}

Result<void> check_output(const std::filesystem::path& path) {
  if (path == "-" || must_write_in_place(path)) {
    std::error_code failed;
    if (std::filesystem::is_directory(path, failed)) {
      return cannot_write(path, EISDIR);
    }
    return {};
  }
  const auto parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
  std::error_code failed;
  if (!std::filesystem::is_directory(parent, failed)) {
    return cannot_write(path, ENOENT);
  }
  if (access(parent.c_str(), W_OK) != 0) {
    return cannot_write(path, errno);
  }
  return {};
}

Result<void> check_not_there(const std::filesystem::path& path) {
  std::error_code failed;
  const bool is_dangling =
      std::filesystem::is_symlink(path, failed) && !std::filesystem::exists(path, failed);
  if (path != "-" && (is_dangling || std::filesystem::is_regular_file(path, failed))) {
    return fail(ErrorCode::invalid_argument, fmt::format("{} exists already", path.string()),
                "Choose another name, or pass --force to replace it");
  }
  return {};
}

Result<void> check_by_product(const std::filesystem::path& path, std::string_view mark) {
  if (auto writable = check_output(path); !writable) {
    return writable;
  }
  std::error_code failed;
  if (path == "-" || !std::filesystem::is_regular_file(path, failed)) {
    return {};
  }
  const File file{std::fopen(path.c_str(), "rb")};
  std::array<char, 256> begin{};
  const std::size_t size = file ? std::fread(begin.data(), 1, begin.size(), file.get()) : 0;
  const std::string_view text{begin.data(), size};
  if (size > 0 && (!text.starts_with('{') || text.find(mark) == std::string_view::npos)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{} exists and was not written by enprof: it is not overwritten",
                            path.string()),
                "Choose another name, or remove it first.");
  }
  return {};
}

}  // namespace enprof
