#include "server/model_directory.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <system_error>

namespace enprof {
namespace {

constexpr std::string_view kSuffix = ".gguf";
constexpr std::size_t kNamedAtMost = 10;  // in a message

std::unexpected<Error> cannot_read(const std::filesystem::path& path,
                                   const std::error_code& error) {
  return fail(error_code_from_errno(error.value()),
              fmt::format("Cannot read {}: {}", path.string(), error.message()),
              "Start the server with a --models-dir that exists and that it may read.");
}

}  // namespace

Result<std::vector<ModelDirectory::Entry>> ModelDirectory::list() const {
  std::error_code error;
  std::vector<Entry> result;
  for (std::filesystem::directory_iterator entry(directory_, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code unusable;  // a broken link, say: it is not a model
    if (entry->path().extension() == kSuffix && entry->is_regular_file(unusable)) {
      const auto bytes = entry->file_size(unusable);
      if (!unusable) {
        result.push_back({.name = entry->path().filename().string(), .bytes = bytes});
      }
    }
  }
  if (error) {
    return cannot_read(directory_, error);
  }
  std::ranges::sort(result, {}, &Entry::name);
  return result;
}

Result<std::filesystem::path> ModelDirectory::find(std::string_view name) const {
  if (name.empty() || name.find_first_of(std::string_view{"/\\\0", 3}) != std::string_view::npos ||
      name.starts_with('.') || !name.ends_with(kSuffix)) {
    return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not the name of a model", name),
                "Name a file of GET /api/models, without its directory.");
  }
  const std::filesystem::path path = directory_ / name;
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    const auto models = list();
    if (!models) {
      return std::unexpected(models.error());
    }
    std::vector<std::string> names;
    for (const Entry& entry : *models) {
      if (names.size() < kNamedAtMost) {
        names.push_back(entry.name);
      }
    }
    return fail(ErrorCode::not_found, fmt::format("There is no model {}", name),
                names.empty()
                    ? "There is none at all: put GGUF files into the server's --models-dir."
                    : fmt::format("There are: {}", fmt::join(names, ", ")));
  }
  auto real = std::filesystem::canonical(path, error);
  const auto home = error ? std::filesystem::path{} : std::filesystem::canonical(directory_, error);
  if (error) {
    return cannot_read(path, error);
  }
  if (real.parent_path() != home) {
    return fail(ErrorCode::permission_denied,
                fmt::format("{} is a link that leads out of the models' directory", name),
                "Put the file itself there.");
  }
  return real;
}

}  // namespace enprof
