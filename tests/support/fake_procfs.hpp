// A fake procfs tree: CPU times that the test can advance, and a CPU of its choice.
#pragma once

#include "base/cpu_times.hpp"
#include "support/temp_dir.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace enprof::testing {

class FakeProcfs {
 public:
  explicit FakeProcfs(unsigned cpus = 2, std::string_view cpuinfo = {}) : cpus_(cpus) {
    // An unprivileged user may read it, as the real one and FakeRapl's.
    std::filesystem::permissions(dir_.path(), std::filesystem::perms(0755));
    write_stat();
    write_self();
    dir_.write("cpuinfo", cpuinfo.empty() ? x86("AMD EPYC 9554 64-Core Processor", cpus)
                                          : std::string(cpuinfo));
  }

  [[nodiscard]] const std::filesystem::path& root() const { return dir_.path(); }
  [[nodiscard]] std::filesystem::path stat_path() const { return dir_.path() / "stat"; }

  /// Lets the machine work and idle for a number of ticks, summed over its CPUs.
  void spend(long busy_ticks, long idle_ticks) {
    busy_ += busy_ticks;
    idle_ += idle_ticks;
    write_stat();
  }
  void spend_own(long ticks) {
    own_ += ticks;
    write_self();
  }
  void write(std::string_view file, std::string_view text) const { dir_.write(file, text); }

  /// Writes /proc/cpuinfo for an x86 CPU of that name.
  static std::string x86(std::string_view name, unsigned cpus, unsigned sockets = 1,
                         bool hypervisor = false, std::string_view vendor = "AuthenticAMD") {
    std::string text;
    for (unsigned cpu = 0; cpu < cpus; ++cpu) {
      text += "processor\t: " + std::to_string(cpu) + "\nvendor_id\t: " + std::string(vendor) +
              "\nmodel name\t: " + std::string(name) +
              "\nphysical id\t: " + std::to_string(cpu * sockets / cpus) + "\nflags\t\t: fpu vme" +
              (hypervisor ? " hypervisor" : "") + " avx2\n\n";
    }
    return text;
  }

 private:
  void write_stat() const {
    std::string text =
        "cpu  " + std::to_string(busy_) + " 0 0 " + std::to_string(idle_) + " 0 0 0 0 0 0\n";
    for (unsigned cpu = 0; cpu < cpus_; ++cpu) {
      text += "cpu" + std::to_string(cpu) + " 1 0 0 1 0 0 0 0 0 0\n";
    }
    dir_.write("stat", text + "intr 12345 0 0\nctxt 99\n");
  }
  void write_self() const {
    dir_.write("self/stat", "4242 (enprof (2) run) S 1 4242 4242 0 -1 4194304 1 2 3 4 " +
                                std::to_string(own_) + " 0 7 8 20 0 3 0 100 200 300\n");
  }

  TempDir dir_;
  unsigned cpus_;
  long busy_ = 1000;
  long idle_ = 5000;
  long own_ = 300;
};

}  // namespace enprof::testing
