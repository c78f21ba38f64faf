#include "base/program_kind.hpp"

#if defined(__linux__)
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>
#endif

namespace enprof {

#if defined(__linux__)

namespace {

#if defined(__LP64__)
using Header = Elf64_Ehdr;
using Part = Elf64_Phdr;
constexpr unsigned char kOurClass = ELFCLASS64;
#else
using Header = Elf32_Ehdr;
using Part = Elf32_Phdr;
constexpr unsigned char kOurClass = ELFCLASS32;
#endif
#if defined(__x86_64__)
constexpr unsigned kOurMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kOurMachine = EM_AARCH64;
#else
constexpr unsigned kOurMachine = EM_NONE;
#endif
constexpr std::size_t kMostParts = 1024;
constexpr std::size_t kMostPath = 4096;
/// Scripts whose interpreters are scripts: as many as Linux follows.
constexpr int kMostScripts = 4;

class File {
 public:
  explicit File(const std::filesystem::path& path)
      : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (descriptor_ >= 0) {
      close(descriptor_);
    }
  }
  /// False unless all of it is there.
  [[nodiscard]] bool read(void* to, std::size_t size, std::uint64_t from) const {
    return descriptor_ >= 0 &&
           pread(descriptor_, to, size, static_cast<off_t>(from)) == static_cast<ssize_t>(size);
  }
  [[nodiscard]] std::size_t read_some(void* to, std::size_t size) const {
    const ssize_t count = descriptor_ >= 0 ? pread(descriptor_, to, size, 0) : -1;
    return count < 0 ? 0 : static_cast<std::size_t>(count);
  }

 private:
  int descriptor_;
};

bool is_privileged(const std::filesystem::path& file) {
  struct stat facts{};
  return stat(file.c_str(), &facts) == 0 &&
         (((facts.st_mode & S_ISUID) != 0 && facts.st_uid != geteuid()) ||
          ((facts.st_mode & S_ISGID) != 0 && facts.st_gid != getegid()));
}

/// The path in its PT_INTERP; empty if it has none.
std::optional<std::string> linker_of(const File& file, const Header& header) {
  if (header.e_phnum > kMostParts || header.e_phentsize != sizeof(Part)) {
    return std::nullopt;
  }
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Part part{};
    if (!file.read(&part, sizeof part, header.e_phoff + i * sizeof part)) {
      return std::nullopt;
    }
    if (part.p_type == PT_INTERP && part.p_filesz > 0 && part.p_filesz <= kMostPath) {
      std::string path(part.p_filesz, '\0');
      if (!file.read(path.data(), path.size(), part.p_offset)) {
        return std::nullopt;
      }
      return path.substr(0, path.find('\0'));
    }
  }
  return std::nullopt;
}

ProgramKind kind_of(const std::filesystem::path& path, int scripts) {
  if (is_privileged(path)) {
    return ProgramKind::privileged;
  }
  const File file(path);
  std::array<char, 512> begin{};
  const std::size_t count = file.read_some(begin.data(), begin.size());
  const std::string_view text(begin.data(), count);
  if (text.starts_with("#!")) {
    if (scripts == 0) {
      return ProgramKind::unknown;
    }
    std::string_view line = text.substr(2, text.find('\n') - 2);
    line = line.substr(std::min(line.find_first_not_of(" \t"), line.size()));
    return kind_of(std::string(line.substr(0, line.find_first_of(" \t"))), scripts - 1);
  }
  Header header{};
  if (count < sizeof header || !text.starts_with(ELFMAG)) {
    return count == 0 || text.find('\0') != std::string_view::npos
               ? ProgramKind::unknown
               : kind_of("/bin/sh", scripts > 0 ? scripts - 1 : 0);
  }
  std::memcpy(&header, begin.data(), sizeof header);
  if (header.e_ident[EI_CLASS] != kOurClass ||
      (kOurMachine != EM_NONE && header.e_machine != kOurMachine)) {
    return ProgramKind::other_machine;
  }
  const auto linker = linker_of(file, header);
  if (!linker) {
    return ProgramKind::is_static;
  }
  return linker->find("ld-linux") != std::string::npos || linker->find("ld64") != std::string::npos
             ? ProgramKind::dynamic
             : ProgramKind::other_libc;
}

}  // namespace

ProgramKind program_kind(const std::filesystem::path& file) { return kind_of(file, kMostScripts); }

#else

ProgramKind program_kind(const std::filesystem::path&) { return ProgramKind::unknown; }

#endif

}  // namespace enprof
