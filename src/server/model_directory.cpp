#include "server/model_directory.hpp"

#include "base/log.hpp"
#include "base/utf8.hpp"
#include "engines/registry/engine_registry.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#ifdef __APPLE__
#include <sys/param.h>
#endif

namespace enprof {
namespace {

constexpr Logger kLog{"server"};
constexpr std::size_t kNamedAtMost = 10;  // in one message

// Flags to inspect a file without opening it: opening a device may have side effects.
#ifdef __APPLE__
constexpr int kLook = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
#else
constexpr int kLook = O_PATH | O_CLOEXEC;
#endif

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  [[nodiscard]] int get() const { return number_; }
  [[nodiscard]] bool is_open() const { return number_ >= 0; }

 private:
  int number_;
};

std::filesystem::path handle(int descriptor) { return fmt::format("/proc/self/fd/{}", descriptor); }

/// The path of an open file; empty if the system does not report it.
std::filesystem::path real_path(int descriptor) {
#ifdef __APPLE__
  std::array<char, MAXPATHLEN> path{};
  return ::fcntl(descriptor, F_GETPATH, path.data()) == 0 ? std::filesystem::path(path.data())
                                                          : std::filesystem::path{};
#else
  std::error_code error;
  auto path = std::filesystem::read_symlink(handle(descriptor), error);
  return error ? std::filesystem::path{} : path;
#endif
}

/// Opens the file of an O_PATH descriptor for reading; negative, with errno, if that fails.
int open_to_read(int descriptor) {
#ifdef __APPLE__
  return ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
#else
  return ::open(handle(descriptor).c_str(), O_RDONLY | O_CLOEXEC);
#endif
}

/// Whether this is a plain file name that an engine may open, including parts of a model.
bool is_model_name(std::string_view name) {
  return !name.empty() &&
         name.find_first_of(std::string_view{"/\\\0", 3}) == std::string_view::npos &&
         !name.starts_with('.') && !first_invalid_utf8(name) && !model_suffix(name).empty();
}

bool is_within(const std::filesystem::path& path, const std::filesystem::path& directory) {
  return std::ranges::mismatch(directory, path).in1 == directory.end();
}

/// Whether the file belongs to the models of a directory; both paths are without links.
bool belongs(const std::filesystem::path& file, const std::filesystem::path& home) {
  constexpr const char* kBlobs = "blobs";
  const auto parent = file.parent_path();
  return is_within(file, home) || parent == home.parent_path() / kBlobs ||
         parent == home.parent_path().parent_path() / kBlobs;
}

std::unexpected<Error> cannot_read(const std::filesystem::path& directory, int number) {
  const std::string reason = std::generic_category().message(number);
  kLog.error("Cannot read the models' directory {}: {}", directory.string(), reason);
  return fail(error_code_from_errno(number),
              fmt::format("The server cannot read its models' directory: {}", reason),
              "Start the server with a --models-dir that exists and that it may read.");
}

enum class Obstacle : std::uint8_t { absent, stray, unreadable };

std::expected<OpenModelFile, Obstacle> open_in(int directory, const std::string& name) {
  const Descriptor look(::openat(directory, name.c_str(), kLook));
  struct stat status{};
  if (!look.is_open() || ::fstat(look.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return std::unexpected(look.is_open() || errno != EACCES ? Obstacle::absent
                                                             : Obstacle::unreadable);
  }
  auto real = real_path(look.get());
  const auto home = real_path(directory);
  if (real.empty() || home.empty() || !belongs(real, home)) {
    return std::unexpected(Obstacle::stray);
  }
  const int descriptor = open_to_read(look.get());
  if (descriptor < 0) {
    return std::unexpected(Obstacle::unreadable);
  }
  return OpenModelFile(descriptor, std::move(real), static_cast<std::uint64_t>(status.st_size));
}

/// File names that may be models, sorted.
std::expected<std::vector<std::string>, int> names_in(const std::filesystem::path& directory) {
  std::vector<std::string> result;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (is_model_name(name)) {
      result.push_back(std::move(name));
    }
  }
  if (error) {
    return std::unexpected(error.value());
  }
  std::ranges::sort(result);
  return result;
}

}  // namespace

Result<std::vector<ModelDirectory::Entry>> ModelDirectory::list() const {
  const Descriptor directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.is_open()) {
    return cannot_read(directory_, errno);
  }
  const auto names = names_in(directory_);
  if (!names) {
    return cannot_read(directory_, names.error());
  }
  std::vector<Entry> result;
  for (const std::string& name : *names) {
    if (engine_of_model(name) == nullptr) {  // a part of a model
      continue;
    }
    if (const auto file = open_in(directory.get(), name)) {
      result.push_back({.name = name, .bytes = file->bytes()});
    }
  }
  return result;
}

std::vector<std::string> ModelDirectory::strays() const {
  const Descriptor directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto names = names_in(directory_);
  std::vector<std::string> result;
  for (const std::string& name :
       directory.is_open() && names ? *names : std::vector<std::string>{}) {
    if (const auto file = open_in(directory.get(), name);
        !file && file.error() == Obstacle::stray) {
      result.push_back(name);
    }
  }
  return result;
}

Result<OpenModelFile> ModelDirectory::open(std::string_view name) const {
  if (!is_model_name(name)) {
    return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not the name of a model", name),
                "Name a file of GET /api/models, without its directory.");
  }
  const Descriptor directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.is_open()) {
    return cannot_read(directory_, errno);
  }
  auto file = open_in(directory.get(), std::string(name));
  if (file) {
    return std::move(*file);
  }
  switch (file.error()) {
    case Obstacle::stray:
      return fail(ErrorCode::permission_denied,
                  fmt::format("{} is a link that leads out of the models' directory", name),
                  "Put the file itself there, or into a directory 'blobs' beside it.");
    case Obstacle::unreadable:
      return fail(ErrorCode::permission_denied,
                  fmt::format("The server may not read the model {}", name),
                  "Give its user the right to read the file.");
    case Obstacle::absent:
      break;
  }
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
                  ? "The directory has no models: put some into the server's --models-dir."
                  : fmt::format("These models exist: {}", fmt::join(names, ", ")));
}

}  // namespace enprof
