#include "engines/llama/split_model.hpp"

#include "base/shell_quote.hpp"
#include "engines/llama/llama_guard.hpp"
#include "engines/llama/llama_log.hpp"

#include <fmt/format.h>
#include <llama.h>

#include <algorithm>
#include <system_error>

namespace enprof {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostParts = 99'999;  // the most that a name can have
/// The most files beside a part that are searched for the first part.
constexpr std::size_t kMostLookedInto = 100;

/// A file's place among the parts of a model.
struct Place {
  std::int64_t number = 0;  ///< from 0
  std::int64_t count = 1;
  std::optional<std::int64_t> tensors;  ///< the number of tensors of all parts

  static Place of(const GgufMetadata& metadata) {
    return {.number = metadata.integer("split.no").value_or(0),
            .count = metadata.integer("split.count").value_or(1),
            .tensors = metadata.integer("split.tensors.count")};
  }
  [[nodiscard]] bool is_possible() const {
    return count <= kMostParts && number >= 0 && number < count;
  }
};

std::string part_name(const std::string& prefix, std::int64_t number, std::int64_t count) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", prefix, number, count);
}

/// The name before -00001-of-00003.gguf; empty if the name has no such ending.
std::string prefix_of(const fs::path& path, const Place& place) {
  if (!place.is_possible()) {
    return {};
  }
  const std::string text = path.string();
  std::string prefix(text.size() + 1, '\0');
  const std::int32_t length = llama_split_prefix(prefix.data(), prefix.size(), text.c_str(),
                                                 static_cast<std::int32_t>(place.number),
                                                 static_cast<std::int32_t>(place.count));
  prefix.resize(static_cast<std::size_t>(std::max(length, 0)));
  return prefix;
}

/// A prefix for a file with another name: the name without its ending and without the place of
/// another part.
std::string prefix_for(const fs::path& path) {
  std::string text = path.string();
  if (text.ends_with(".gguf")) {
    text.resize(text.size() - 5);
  }
  constexpr std::string_view kShape = "-00001-of-00003";
  const auto is_alike = [](char shape, char c) {
    return shape >= '0' && shape <= '9' ? c >= '0' && c <= '9' : shape == c;
  };
  if (text.size() > kShape.size() &&
      std::equal(kShape.begin(), kShape.end(), text.end() - kShape.size(), is_alike)) {
    text.resize(text.size() - kShape.size());
  }
  return text;
}

std::optional<Place> place_of_file(const fs::path& path) {
  const LlamaLogCapture quiet;
  const Result<gguf_context*> gguf = guarded(
      [&path] { return gguf_init_from_file(path.c_str(), {.no_alloc = true, .ctx = nullptr}); });
  if (!gguf || *gguf == nullptr) {
    return std::nullopt;
  }
  return Place::of(GgufMetadata(GgufPtr(*gguf)));
}

/// The first part of the same model in the same directory, with any name; empty if there is none,
/// or more than one.
fs::path find_first_part(const fs::path& later, const Place& place) {
  std::error_code ignored;
  const fs::path directory = later.has_parent_path() ? later.parent_path() : fs::path{"."};
  fs::path found;
  std::size_t looked_into = 0;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    if (entry.path().extension() != ".gguf" || !entry.is_regular_file(ignored)) {
      continue;
    }
    if (++looked_into > kMostLookedInto) {
      return {};
    }
    const auto other = place_of_file(entry.path());
    if (other && other->number == 0 && other->count == place.count &&
        other->tensors == place.tensors) {
      if (!found.empty()) {
        return {};
      }
      found = later.has_parent_path() ? entry.path() : entry.path().filename();
    }
  }
  return found;
}

std::string move_command(const fs::path& from, const std::string& to) {
  return fmt::format("mv {} {}", shell_quote(from.string()), shell_quote(to));
}

/// The hint for a later part, which must not be passed itself.
std::string hint_for_later(const fs::path& path, const Place& place, const std::string& prefix) {
  std::error_code ignored;
  const std::string right = prefix.empty() ? std::string{} : part_name(prefix, 1, place.count);
  if (!right.empty() && fs::exists(right, ignored)) {
    return fmt::format("Pass the first part: -m {}", shell_quote(right));
  }
  const fs::path first = find_first_part(path, place);
  if (first.empty()) {
    const std::string name = !right.empty() ? right : part_name(prefix_for(path), 1, place.count);
    return fmt::format("Download the first part into the same directory, then pass it: -m {}",
                       shell_quote(name));
  }
  const std::string first_prefix = prefix_of(first, {.number = 0, .count = place.count});
  if (first_prefix.empty()) {
    const std::string name =
        part_name(prefix_for(prefix.empty() ? first : fs::path{prefix}), 1, place.count);
    return fmt::format("The first part is {}: give it a part's name, {}, then pass it: -m {}",
                       first.string(), move_command(first, name), shell_quote(name));
  }
  const std::string own = part_name(first_prefix, place.number + 1, place.count);
  return fmt::format(
      "Pass the first part: -m {}{}", shell_quote(first.string()),
      own == path.string() || fs::exists(own, ignored)
          ? ""
          : fmt::format(", with this one beside it as {}: {}", own, move_command(path, own)));
}

}  // namespace

Result<std::vector<fs::path>> split_paths(const fs::path& path, const GgufMetadata& metadata) {
  const Place place = Place::of(metadata);
  if (place.count <= 1) {
    return std::vector{path};
  }
  if (!place.is_possible()) {
    return fail(ErrorCode::corrupt,
                fmt::format("{} says that it is part {} of {} of a split model", path.string(),
                            place.number + 1, place.count),
                "The file is damaged: download it again and compare its checksum.");
  }
  const std::string prefix = prefix_of(path, place);
  if (place.number != 0) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{} is part {} of {} of a split model", path.string(), place.number + 1,
                            place.count),
                hint_for_later(path, place, prefix));
  }
  if (prefix.empty()) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{} says that it is part 1 of {} of a split model, but its name does "
                            "not",
                            path.string(), place.count),
                fmt::format("The parts must lie in one directory and have names of this kind: {}, "
                            "and so on for the others.",
                            move_command(path, part_name(prefix_for(path), 1, place.count))));
  }
  std::vector<fs::path> parts;
  for (std::int64_t part = 1; part <= place.count; ++part) {
    parts.emplace_back(part_name(prefix, part, place.count));
  }
  return parts;
}

PartsCheck::PartsCheck(const std::vector<fs::path>& parts, const GgufMetadata& first)
    : parts_(parts), tensor_count_(Place::of(first).tensors) {
  add_tensors(first);
}

std::optional<std::string> PartsCheck::add_tensors(const GgufMetadata& part) {
  std::optional<std::string> twice;
  for (std::int64_t id = 0; id < gguf_get_n_tensors(part.gguf()); ++id) {
    const char* const name = gguf_get_tensor_name(part.gguf(), id);
    if (!tensors_.emplace(name).second && !twice) {
      twice = name;
    }
  }
  return twice;
}

Result<void> PartsCheck::add(std::size_t index, const GgufMetadata& part) {
  const Place place = Place::of(part);
  const auto other = [&](const std::string& reason) {
    return fail(
        ErrorCode::corrupt,
        fmt::format("{} is not part {} of {} of the same model as {}: {}", parts_[index].string(),
                    index + 1, parts_.size(), parts_.front().string(), reason),
        "Download that part of this model again, under this name.");
  };
  if (place.count <= 1) {
    return other("it is not a part of a split model");
  }
  if (static_cast<std::size_t>(place.number) != index ||
      static_cast<std::size_t>(place.count) != parts_.size()) {
    return other(fmt::format("it says part {} of {}", place.number + 1, place.count));
  }
  if (place.tensors != tensor_count_) {
    return other(fmt::format(
        "that model has {} tensors in total, this one's {}",
        tensor_count_ ? fmt::format("{}", *tensor_count_) : std::string{"an unknown number of"},
        place.tensors ? fmt::format("has {}", *place.tensors) : std::string{"does not say"}));
  }
  if (const auto twice = add_tensors(part)) {
    return other(fmt::format("both have the tensor {}", *twice));
  }
  return {};
}

Result<void> PartsCheck::finish() const {
  if (parts_.size() > 1 && tensor_count_ &&
      static_cast<std::size_t>(std::max<std::int64_t>(*tensor_count_, 0)) != tensors_.size()) {
    return fail(
        ErrorCode::corrupt,
        fmt::format("The {} parts of {} have {} tensors together, the model has {}", parts_.size(),
                    parts_.front().string(), tensors_.size(), *tensor_count_),
        "They are of different models, or damaged: download all of them again.");
  }
  return {};
}

}  // namespace enprof
