#include "engines/llama/gguf_check.hpp"

#include "enprof/base/clock.hpp"

#include "base/format_bytes.hpp"
#include "base/shell_quote.hpp"
#include "engines/llama/gguf_hyperparameters.hpp"
#include "engines/llama/llama_guard.hpp"
#include "engines/llama/llama_log.hpp"
#include "engines/llama/split_model.hpp"

#include <fmt/format.h>
#include <llama.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>

namespace enprof {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDownloadAgain =
    "The download is incomplete or damaged: download the file again and compare its checksum.";
constexpr std::size_t kFirstBytes = 64;

using FilePtr = std::unique_ptr<std::FILE, decltype([](std::FILE* file) { std::fclose(file); })>;

/// The first bytes of a format that is not GGUF, with its name.
struct KnownFormat {
  std::string_view magic;
  std::string_view name;
  std::string_view hint;
};
constexpr std::string_view kConvert =
    "Convert it with llama.cpp's convert_hf_to_gguf.py, or download a GGUF version of the model.";
constexpr std::array kKnownFormats{
    KnownFormat{"PK\x03\x04", "a PyTorch checkpoint or another ZIP archive", kConvert},
    KnownFormat{"\x80\x02", "a PyTorch checkpoint (pickle)", kConvert},
    KnownFormat{"\x89HDF", "an HDF5 file", kConvert},
    KnownFormat{"lmgg", "a model in ggml's old format", kConvert},
    KnownFormat{"fmgg", "a model in ggml's old format", kConvert},
    KnownFormat{"tjgg", "a model in ggml's old format", kConvert},
    KnownFormat{"\x1F\x8B", "a gzip archive", "Unpack it first: gunzip FILE"},
    KnownFormat{"\x28\xB5\x2F\xFD", "a zstd archive", "Unpack it first: unzstd FILE"},
    KnownFormat{"version https://git-lfs", "a Git LFS pointer, not the model itself",
                "Fetch the model that it points to: git lfs pull"},
    KnownFormat{"<", "a web page: the download got an error or a log-in page",
                "Download the file itself; its link usually ends in .gguf."},
    KnownFormat{"{", "JSON: a model's configuration or an error message",
                "Pass the .gguf file, not the files beside it."},
};

/// safetensors: the header's length in 8 bytes, then the header, JSON.
bool is_safetensors(std::string_view head) {
  return head.size() > 9 && head[8] == '{' && head[6] == '\0' && head[7] == '\0';
}

std::string show_bytes(std::string_view head) {
  std::string hex;
  std::string text;
  for (const char byte : head.substr(0, 8)) {
    const auto value = static_cast<unsigned char>(byte);
    hex += fmt::format("{}{:02x}", hex.empty() ? "" : " ", value);
    text += value >= 0x20 && value < 0x7F ? byte : '.';
  }
  return fmt::format("{} (\"{}\")", hex, text);
}

std::unexpected<Error> not_gguf(const fs::path& path, std::string_view head) {
  const std::string message =
      fmt::format("{} is not a GGUF file: it begins with {}", path.string(), show_bytes(head));
  if (is_safetensors(head)) {
    return fail(ErrorCode::malformed, message + ", like safetensors", std::string(kConvert));
  }
  for (const KnownFormat& format : kKnownFormats) {
    if (head.starts_with(format.magic)) {
      return fail(ErrorCode::malformed, fmt::format("{}, like {}", message, format.name),
                  std::string(format.hint));
    }
  }
  return fail(ErrorCode::malformed, message, "Pass a model in GGUF format, such as model.gguf.");
}

std::unexpected<Error> directory_error(const fs::path& path) {
  std::error_code ignored;
  fs::path candidate;
  for (const auto& entry : fs::directory_iterator(path, ignored)) {
    if (entry.path().extension() == ".gguf" && (candidate.empty() || entry.path() < candidate)) {
      candidate = entry.path();
    }
  }
  return fail(ErrorCode::invalid_argument,
              fmt::format("{} is a directory, not a model file", path.string()),
              candidate.empty()
                  ? "Pass the .gguf file itself."
                  : fmt::format("Pass a file in it: -m {}", shell_quote(candidate.string())));
}

fs::path opened_as(const fs::path& path, const OpenAs& open_as) {
  return open_as ? open_as(path) : path;
}

/// Opens the file, or returns the error. Here and below, a file is opened by the path `opened`, and
/// messages call it `path`.
Result<FilePtr> open_model(const fs::path& path, const fs::path& opened) {
  std::error_code error;
  const fs::file_status status = fs::status(opened, error);
  if (status.type() == fs::file_type::not_found) {
    return fail(
        ErrorCode::not_found, fmt::format("There is no file {}", path.string()),
        "Check the path; to try enprof without a model: enprof model synth -o " +
            (path.extension() == ".gguf" ? shell_quote(path.filename().string()) : "model.gguf"));
  }
  if (error) {
    return fail(error_code_from_errno(error.value()),
                fmt::format("Cannot access {}: {}", path.string(), error.message()),
                "Check the path and your rights to its directories.");
  }
  if (fs::is_directory(status)) {
    return directory_error(path);
  }
  if (!fs::is_regular_file(status)) {
    return fail(ErrorCode::invalid_argument, fmt::format("{} is not a regular file", path.string()),
                "Pass a GGUF file on a disk: llama.cpp maps it into memory.");
  }
  FilePtr file(std::fopen(opened.c_str(), "rb"));
  if (!file) {
    const int number = errno;
    return fail(error_code_from_errno(number),
                fmt::format("Cannot read {}: {}", path.string(), std::strerror(number)),
                number == EACCES
                    ? "Give yourself the right to read it: chmod u+r " + shell_quote(path.string())
                    : "");
  }
  return file;
}

Result<void> check_beginning(const fs::path& path, std::FILE* file) {
  std::array<char, kFirstBytes> buffer{};
  const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), file);
  if (std::ferror(file) != 0) {
    return fail(ErrorCode::io, fmt::format("Cannot read {}", path.string()),
                "Check the file's disk.");
  }
  const std::string_view head(buffer.data(), count);
  if (head.empty()) {
    return fail(ErrorCode::corrupt, fmt::format("{} is empty", path.string()),
                std::string(kDownloadAgain));
  }
  if (!head.starts_with(GGUF_MAGIC)) {
    return not_gguf(path, head);
  }
  std::uint32_t version = 0;
  if (head.size() < 4 + sizeof(version)) {
    return fail(ErrorCode::corrupt,
                fmt::format("{} ends after {} bytes, within its header", path.string(), count),
                std::string(kDownloadAgain));
  }
  std::memcpy(&version, buffer.data() + 4, sizeof(version));
  if (version == 0 || (version & 0xFFFFU) == 0) {
    return fail(ErrorCode::unsupported,
                fmt::format("{} has GGUF version {:#x}: it was written for a machine of the other "
                            "byte order, or is damaged",
                            path.string(), version),
                "Get the little-endian version of the model, which is the usual one.");
  }
  if (version == 1 || version > GGUF_VERSION) {
    return fail(ErrorCode::unsupported,
                fmt::format("{} has GGUF version {}; this build reads versions 2 to {}",
                            path.string(), version, GGUF_VERSION),
                version == 1 ? "Download a newer conversion of the model."
                             : "Build enprof with a newer llama.cpp.");
  }
  return {};
}

/// Whether llama.cpp's gguf reader failed because the file ended, not because of its content.
bool ran_out(const LlamaLogCapture& log) {
  return std::ranges::all_of(log.lines(), [](const std::string& line) {
    return line.find("failed to read ") != std::string::npos ||
           line.find("failed to seek ") != std::string::npos ||
           line.find("exceeds remaining file size") != std::string::npos;
  });
}

Result<GgufMetadata> read_metadata(const fs::path& path, const fs::path& opened) {
  const LlamaLogCapture log;
  Result<gguf_context*> gguf = guarded([&opened] {
    return gguf_init_from_file(opened.c_str(), {.no_alloc = true, .ctx = nullptr});
  });
  if (gguf && *gguf != nullptr) {
    return GgufMetadata(GgufPtr(*gguf));
  }
  if (gguf && ran_out(log)) {
    return fail(
        ErrorCode::corrupt,
        fmt::format("{} ends within its metadata, or its metadata are damaged", path.string()),
        std::string(kDownloadAgain));
  }
  const std::string reason = gguf ? log.reason() : gguf.error().message;
  return fail(ErrorCode::corrupt,
              fmt::format("The metadata of {} are malformed: {}", path.string(), reason),
              std::string(kDownloadAgain));
}

/// The size of the tensors in bytes; an error if the file does not contain all of them.
Result<std::uint64_t> check_tensors(const fs::path& path, const gguf_context* gguf,
                                    std::uint64_t file_bytes) {
  std::uint64_t end = 0;
  std::uint64_t sum = 0;
  for (std::int64_t id = 0; id < gguf_get_n_tensors(gguf); ++id) {
    const std::uint64_t size = gguf_get_tensor_size(gguf, id);
    sum += size;
    end = std::max(end, gguf_get_data_offset(gguf) + gguf_get_tensor_offset(gguf, id) + size);
  }
  if (end > file_bytes) {
    return fail(ErrorCode::corrupt,
                fmt::format("{} is truncated: its weights end at byte {}, the file has {} bytes "
                            "({} are missing)",
                            path.string(), end, file_bytes, format_bytes(end - file_bytes)),
                std::string(kDownloadAgain));
  }
  return sum;
}

std::optional<int> learned_positions(const gguf_context* gguf) {
  const std::int64_t id = gguf_find_tensor(gguf, kPositionTable);
  if (id < 0) {
    return std::nullopt;
  }
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  return static_cast<int>(std::clamp<std::int64_t>(gguf_get_tensor_ne(gguf, id)[1], 0, kMost));
}

/// Elements of all tensors; their sizes were checked.
std::uint64_t count_parameters(const gguf_context* gguf) {
  std::uint64_t sum = 0;
  for (std::int64_t id = 0; id < gguf_get_n_tensors(gguf); ++id) {
    const ggml_type type = gguf_get_tensor_type(gguf, id);
    sum += gguf_get_tensor_size(gguf, id) / ggml_type_size(type) *
           static_cast<std::uint64_t>(ggml_blck_size(type));
  }
  return sum;
}

struct CheckedPart {
  GgufMetadata metadata;
  std::uint64_t file_bytes = 0;
  std::uint64_t weight_bytes = 0;
  std::uint64_t parameters = 0;
  std::optional<int> learned_positions{};
};

Result<CheckedPart> check_part(const fs::path& path, const OpenAs& open_as) {
  const fs::path opened = opened_as(path, open_as);
  Result<FilePtr> file = open_model(path, opened);
  if (!file) {
    return std::unexpected(file.error());
  }
  if (auto beginning = check_beginning(path, file->get()); !beginning) {
    return std::unexpected(beginning.error());
  }
  std::error_code error;
  const std::uint64_t file_bytes = fs::file_size(opened, error);
  if (error) {
    return fail(error_code_from_errno(error.value()),
                fmt::format("Cannot access {}: {}", path.string(), error.message()));
  }
  Result<GgufMetadata> metadata = read_metadata(path, opened);
  if (!metadata) {
    return std::unexpected(metadata.error());
  }
  const Result<std::uint64_t> weights = check_tensors(path, metadata->gguf(), file_bytes);
  if (!weights) {
    return std::unexpected(weights.error());
  }
  if (auto computable = check_weight_types(path, metadata->gguf()); !computable) {
    return std::unexpected(computable.error());
  }
  const auto positions = learned_positions(metadata->gguf());
  const std::uint64_t parameters = count_parameters(metadata->gguf());
  return CheckedPart{std::move(*metadata), file_bytes, *weights, parameters, positions};
}

std::unexpected<Error> missing_part(const std::vector<fs::path>& parts, std::size_t index) {
  return fail(ErrorCode::not_found,
              fmt::format("Part {} of {} of the split model is missing: {}", index + 1,
                          parts.size(), parts[index].string()),
              "Download the missing part into the same directory.");
}

}  // namespace

Result<CheckedModel> check_model(const fs::path& path, const OpenAs& open_as) {
  const Instant begin = monotonic_clock().now();
  start_llama();
  Result<CheckedPart> first = check_part(path, open_as);
  if (!first) {
    return std::unexpected(first.error());
  }
  // A later part of a split model says only that it is one.
  Result<std::vector<fs::path>> parts = split_paths(path, first->metadata);
  if (!parts) {
    return std::unexpected(parts.error());
  }
  if (first->metadata.architecture().empty()) {
    return fail(
        ErrorCode::corrupt,
        fmt::format("{} does not name its architecture (general.architecture)", path.string()),
        "It may be an adapter or a part of something else: pass the model itself.");
  }
  if (auto sound = check_hyperparameters(path, first->metadata); !sound) {
    return std::unexpected(sound.error());
  }
  CheckedModel model{.parts = std::move(*parts),
                     .metadata = std::move(first->metadata),
                     .file_bytes = first->file_bytes,
                     .weight_bytes = first->weight_bytes,
                     .parameters = first->parameters,
                     .learned_positions = first->learned_positions};
  PartsCheck together(model.parts, model.metadata);
  for (std::size_t index = 1; index < model.parts.size(); ++index) {
    std::error_code ignored;
    if (!fs::exists(opened_as(model.parts[index], open_as), ignored)) {
      return missing_part(model.parts, index);
    }
    const Result<CheckedPart> part = check_part(model.parts[index], open_as);
    if (!part) {
      return std::unexpected(part.error());
    }
    if (auto belongs = together.add(index, part->metadata); !belongs) {
      return std::unexpected(belongs.error());
    }
    model.file_bytes += part->file_bytes;
    model.weight_bytes += part->weight_bytes;
    model.parameters += part->parameters;
    if (part->learned_positions) {
      model.learned_positions = part->learned_positions;
    }
  }
  if (auto whole = together.finish(); !whole) {
    return std::unexpected(whole.error());
  }
  if (model.weight_bytes == 0) {
    return fail(ErrorCode::unsupported,
                fmt::format("{} has no weights, only a tokenizer", path.string()),
                "Pass a whole model; to make a dummy one: enprof model synth -o model.gguf");
  }
  model.duration = monotonic_clock().now() - begin;
  return model;
}

Result<void> check_fits_memory(const std::string& what, std::uint64_t needed,
                               std::optional<std::uint64_t> available, const std::string& hint) {
  if (available && needed > *available) {
    return fail(ErrorCode::too_large,
                fmt::format("{} need {}; this process may use {} of memory", what,
                            format_bytes(needed), format_bytes(*available)),
                hint);
  }
  return {};
}

}  // namespace enprof
