#include "base/program_kind.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#if defined(__linux__)

#include <elf.h>
#include <filesystem>
#include <fstream>
#include <string>

namespace enprof {
namespace {

class ProgramKindTest : public ::testing::Test {
 protected:
  std::filesystem::path file(const std::string& name, const std::string& content) {
    const auto path = dir_.path() / name;
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  /// A program with this dynamic linker; empty: none.
  static std::string program(const std::string& linker) {
    std::string content(4096, '\0');
    Elf64_Ehdr header{};
    std::string{ELFMAG}.copy(reinterpret_cast<char*>(header.e_ident), SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
#if defined(__aarch64__)
    header.e_machine = EM_AARCH64;
#else
    header.e_machine = EM_X86_64;
#endif
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    Elf64_Phdr part{};
    part.p_type = linker.empty() ? PT_LOAD : PT_INTERP;
    part.p_offset = 1024;
    part.p_filesz = linker.size() + 1;
    content.replace(0, sizeof header, reinterpret_cast<const char*>(&header), sizeof header);
    content.replace(sizeof header, sizeof part, reinterpret_cast<const char*>(&part), sizeof part);
    content.replace(1024, linker.size(), linker);
    return content;
  }
  testing::TempDir dir_;
};

TEST_F(ProgramKindTest, ThisTestIsDynamic) {
  EXPECT_EQ(program_kind("/proc/self/exe"), ProgramKind::dynamic);
}
TEST_F(ProgramKindTest, ByItsLinker) {
  EXPECT_EQ(program_kind(file("a", program("/lib64/ld-linux-x86-64.so.2"))), ProgramKind::dynamic);
  EXPECT_EQ(program_kind(file("b", program("/lib/ld-musl-x86_64.so.1"))), ProgramKind::other_libc);
  EXPECT_EQ(program_kind(file("c", program(""))), ProgramKind::is_static);
}
TEST_F(ProgramKindTest, OfAnotherWordSize) {
  std::string content = program("/lib/ld-linux.so.2");
  content[EI_CLASS] = ELFCLASS32;
  EXPECT_EQ(program_kind(file("a", content)), ProgramKind::other_machine);
}
TEST_F(ProgramKindTest, AScriptIsWhatItsFirstLineNames) {
  const auto musl = file("musl", program("/lib/ld-musl-x86_64.so.1"));
  EXPECT_EQ(program_kind(file("a", "#! " + musl.string() + " -x\n")), ProgramKind::other_libc);
  EXPECT_EQ(program_kind(file("b", "#!/bin/sh\n")), ProgramKind::dynamic);
  EXPECT_EQ(program_kind(file("c", "echo no first line\n")), ProgramKind::dynamic);
}
TEST_F(ProgramKindTest, AScriptOfItself) {
  const auto path = dir_.path() / "loop";
  EXPECT_EQ(program_kind(file("loop", "#!" + path.string() + "\n")), ProgramKind::unknown);
}
TEST_F(ProgramKindTest, WhatIsNoProgram) {
  EXPECT_EQ(program_kind(dir_.path() / "missing"), ProgramKind::unknown);
  EXPECT_EQ(program_kind(dir_.path()), ProgramKind::unknown);
  EXPECT_EQ(program_kind(file("empty", "")), ProgramKind::unknown);
  EXPECT_EQ(program_kind(file("cut", program("/lib64/ld-linux-x86-64.so.2").substr(0, 40))),
            ProgramKind::unknown);
}

}  // namespace
}  // namespace enprof

#endif
