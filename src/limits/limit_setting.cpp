#include "limits/limit_setting.hpp"

#include "base/json_node.hpp"
#include "base/json_text.hpp"
#include "base/whole_number_file.hpp"
#include "base/write_all.hpp"
#include "power/nvml/nvml_library.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <fcntl.h>
#include <memory>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

constexpr std::string_view kRightsHint =
    "Only root may change limits of the machine: run this command with sudo, or leave the limit "
    "out.";

Error error_of_file(const std::string& path, const std::string& tried, int number) {
  const bool is_refused = number == EACCES || number == EPERM || number == EROFS;
  return {is_refused         ? ErrorCode::permission_denied
          : number == ENOENT ? ErrorCode::not_found
                             : ErrorCode::io,
          fmt::format("Cannot {} {}: {}", tried, path, std::generic_category().message(number)),
          is_refused ? std::string{kRightsHint} : std::string{}};
}

Result<void> write_file(const LimitSetting& setting) {
  const int descriptor = open(setting.target.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  if (descriptor < 0) {
    return std::unexpected(error_of_file(setting.target, "write", errno));
  }
  const std::string text = fmt::format("{}\n", setting.value);
  const ssize_t written = write(descriptor, text.data(), text.size());
  const int number = written < 0 ? errno : written < static_cast<ssize_t>(text.size()) ? EIO : 0;
  if (close(descriptor) != 0 && number == 0) {
    return std::unexpected(error_of_file(setting.target, "write", errno));
  }
  return number == 0 ? Result<void>{}
                     : std::unexpected(error_of_file(
                           setting.target, fmt::format("write {} to", setting.value), number));
}

/// A GPU with the library that its handle belongs to.
struct OpenGpu {
  std::unique_ptr<NvmlLibrary> library;
  nvml::Device device = nullptr;
};

Result<OpenGpu> open_gpu(const LimitSetting& setting) {
  auto library = NvmlLibrary::open(setting.library);
  if (!library) {
    return std::unexpected(std::move(library.error()));
  }
  const auto device = (*library)->device(setting.target);
  if (!device) {
    return std::unexpected(
        (*library)->error(device.error(), fmt::format("GPU {} is not there", setting.target)));
  }
  return OpenGpu{.library = *std::move(library), .device = *device};
}

Result<void> set_gpu(const LimitSetting& setting) {
  const auto gpu = open_gpu(setting);
  if (!gpu) {
    return std::unexpected(gpu.error());
  }
  const auto set = gpu->library->set_power_limit(gpu->device, static_cast<unsigned>(setting.value));
  if (set) {
    return {};
  }
  Error error = gpu->library->error(
      set.error(), fmt::format("The power limit of GPU {} cannot be set to {:g} W", setting.target,
                               1e-3 * static_cast<double>(setting.value)));
  if (error.code == ErrorCode::permission_denied) {
    error.hint = kRightsHint;
  }
  return std::unexpected(std::move(error));
}

}  // namespace

Result<std::int64_t> read_limit(const LimitSetting& setting) {
  if (setting.kind == LimitSetting::Kind::file) {
    return read_whole_number(std::filesystem::path{setting.target});
  }
  const auto gpu = open_gpu(setting);
  if (!gpu) {
    return std::unexpected(gpu.error());
  }
  const auto limit = gpu->library->power_limit_mw(gpu->device);
  if (!limit) {
    return std::unexpected(gpu->library->error(
        limit.error(), fmt::format("The power limit of GPU {} cannot be read", setting.target)));
  }
  return static_cast<std::int64_t>(*limit);
}

Result<void> write_limit(const LimitSetting& setting) {
  if (auto set = setting.kind == LimitSetting::Kind::file ? write_file(setting) : set_gpu(setting);
      !set) {
    return set;
  }
  const auto shown = read_limit(setting);
  if (!shown) {
    return std::unexpected(shown.error());
  }
  const double off = std::abs(static_cast<double>(*shown - setting.value));
  if (off > kRounding * std::abs(static_cast<double>(setting.value))) {
    return fail(ErrorCode::unavailable,
                fmt::format("{} was set to {} but shows {}", setting.target, setting.value, *shown),
                "The firmware may have locked it, or another program sets it too.");
  }
  return {};
}

Result<void> check_limit(const LimitSetting& setting) {
  const auto present = read_limit(setting);
  if (!present) {
    return std::unexpected(present.error());
  }
  if (setting.kind == LimitSetting::Kind::file) {
    return faccessat(AT_FDCWD, setting.target.c_str(), W_OK, AT_EACCESS) == 0
               ? Result<void>{}
               : std::unexpected(error_of_file(setting.target, "write", errno));
  }
  LimitSetting same = setting;  // NVML says only when it is asked to set one
  same.value = *present;
  return set_gpu(same);
}

std::string settings_to_json(const std::vector<LimitSetting>& settings) {
  nlohmann::json list = nlohmann::json::array();
  for (const LimitSetting& setting : settings) {
    list.push_back({{"kind", setting.kind == LimitSetting::Kind::gpu ? "gpu" : "file"},
                    {"target", setting.target},
                    {"library", setting.library},
                    {"value", setting.value}});
  }
  return on_one_line(list);
}

Result<std::vector<LimitSetting>> settings_from_json(std::string_view text) {
  try {
    const nlohmann::json document = parse_document(text);
    return JsonNode(document, "the limits").list([](const JsonNode& node) {
      return LimitSetting{.kind = node.at("kind").text() == "gpu" ? LimitSetting::Kind::gpu
                                                                  : LimitSetting::Kind::file,
                          .target = node.at("target").text(),
                          .library = node.at("library").text(),
                          .value = node.at("value").whole<std::int64_t>()};
    });
  } catch (const JsonError& error) {
    return fail(ErrorCode::malformed, error.what(), error.hint());
  }
}

}  // namespace enprof
