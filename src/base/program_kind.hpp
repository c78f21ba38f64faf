// What a program file is, as far as loading a library into it is concerned.
#pragma once

#include <cstdint>
#include <filesystem>

namespace enprof {

enum class ProgramKind : std::uint8_t {
  dynamic,        ///< glibc's dynamic linker loads it, and what it is told to beside it
  is_static,      ///< it has no dynamic linker
  other_libc,     ///< another dynamic linker than glibc's: musl
  other_machine,  ///< it is of another word size or processor than we are
  privileged,     ///< setuid, setgid or with file capabilities of another user: told nothing
  unknown,        ///< it cannot be read, or is no ELF program
};

/// Of a script, that of the program which its first line names, or of /bin/sh. `unknown` on systems
/// other than Linux.
[[nodiscard]] ProgramKind program_kind(const std::filesystem::path& file);

}  // namespace enprof
