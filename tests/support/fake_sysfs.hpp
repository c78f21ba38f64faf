// A fake powercap tree, laid out as in Linux: zones lie within each other below devices/virtual,
// with a link to each in class/powercap.
#pragma once

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>

namespace enprof::testing {

class FakeRapl {
 public:
  /// The value of most Intel machines: 2^32 − 1 units of 2^-14 J.
  static constexpr std::uint64_t kRange = 262'143'328'850;

  FakeRapl() {
    std::filesystem::create_directories(class_path());
    // An unprivileged user must fail at the counters, not at a directory of root.
    std::filesystem::permissions(dir_.path(), std::filesystem::perms(0755));
  }

  [[nodiscard]] const std::filesystem::path& root() const { return dir_.path(); }
  [[nodiscard]] std::filesystem::path energy_path(std::string_view zone) const {
    return class_path() / zone / "energy_uj";
  }

  /// Adds intel-rapl:0 or, after it, intel-rapl:0:1.
  void add(const std::string& zone, std::string_view name, std::uint64_t energy_uj = 1'000'000'000,
           std::uint64_t range_uj = kRange) {
    const auto prefix = zone.substr(0, zone.find(':'));
    auto place = std::filesystem::path("devices/virtual/powercap") / prefix;
    if (const auto last = zone.rfind(':'); last != zone.find(':')) {
      place /= zone.substr(0, last);
    }
    place /= zone;
    dir_.write(place / "name", std::string(name) + "\n");
    dir_.write(place / "max_energy_range_uj", std::to_string(range_uj) + "\n");
    dir_.write(place / "energy_uj", "");
    std::filesystem::create_directory_symlink(dir_.path() / place, class_path() / zone);
    values_[zone] = {energy_uj, range_uj};
    set(zone, energy_uj);
  }

  /// Lets a zone use energy; its counter wraps like a real one.
  void use(const std::string& zone, std::uint64_t energy_uj) {
    const auto [value, range] = values_.at(zone);
    set(zone, (value + energy_uj) % range);
  }
  /// Sets a counter in one write, so that the file is never empty, because a sampler may be reading
  /// it. For that all values have the same length.
  void set(const std::string& zone, std::uint64_t energy_uj) {
    values_.at(zone).first = energy_uj;
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), "%020llu\n",
                  static_cast<unsigned long long>(energy_uj));
    const int file = ::open(energy_path(zone).c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_GE(file, 0) << energy_path(zone);
    EXPECT_EQ(::pwrite(file, text.data(), 21, 0), 21);
    ::close(file);
  }
  /// Writes something else into a counter's file.
  void write(std::string_view zone, std::string_view text) const {
    dir_.write(std::filesystem::relative(energy_path(zone), dir_.path()), text);
  }
  /// Replaces the file by a new one; a reader may still have the old one open.
  void replace(const std::string& zone, std::uint64_t energy_uj) {
    std::filesystem::remove(energy_path(zone));
    write(zone, "");
    set(zone, energy_uj);
  }
  void remove(std::string_view zone) const {
    std::filesystem::remove_all(std::filesystem::canonical(class_path() / zone));
    std::filesystem::remove(class_path() / zone);
  }
  void remove_all() const {
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      std::filesystem::remove_all(entry.path());
    }
  }
  /// Removes the powercap part of the tree.
  void remove_powercap() const {
    std::filesystem::remove_all(class_path());
    std::filesystem::remove_all(dir_.path() / "devices/virtual/powercap");
  }
  /// Any file below the root.
  void write_file(const std::filesystem::path& relative, std::string_view text) const {
    dir_.write(relative, text);
  }
  void forbid(std::string_view zone) const {
    std::filesystem::permissions(energy_path(zone), std::filesystem::perms::none);
  }

 private:
  [[nodiscard]] std::filesystem::path class_path() const { return dir_.path() / "class/powercap"; }

  TempDir dir_;
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> values_;  // value and range
};

}  // namespace enprof::testing
