// Fake trees of the classes hwmon and power_supply.
#pragma once

#include "support/temp_dir.hpp"

#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace enprof::testing {

/// Files below class/hwmon/hwmonN and class/power_supply/NAME. A counter's file follows the energy
/// used.
class FakeHwmon {
 public:
  FakeHwmon() { std::filesystem::create_directories(dir_.path() / "class" / "hwmon"); }

  [[nodiscard]] const std::filesystem::path& root() const { return dir_.path(); }
  [[nodiscard]] std::filesystem::path path(int chip, const std::string& file = {}) const {
    return dir_.path() / directory(chip) / file;
  }

  using Files = std::map<std::string, std::string>;

  void add(int chip, std::string_view name, const Files& files) const {
    set(chip, "name", name);
    for (const auto& [file, text] : files) {
      set(chip, file, text);
    }
  }
  void set(int chip, const std::string& file, std::string_view text) const {
    dir_.write(directory(chip) / file, std::string(text) + "\n");
  }
  void use(int chip, const std::string& file, double joules) {
    double& value = counters_.try_emplace({chip, file}, 1e9).first->second;
    value += joules * 1e6;
    set(chip, file, std::to_string(std::llround(value)));
  }
  void remove(int chip) const { std::filesystem::remove_all(path(chip)); }

  void supply(const std::string& name, const Files& files) const {
    for (const auto& [file, text] : files) {
      dir_.write(std::filesystem::path("class/power_supply") / name / file, text + "\n");
    }
  }
  void remove_supply(const std::string& name) const {
    std::filesystem::remove_all(dir_.path() / "class" / "power_supply" / name);
  }

 private:
  [[nodiscard]] static std::filesystem::path directory(int chip) {
    return std::filesystem::path("class/hwmon") / ("hwmon" + std::to_string(chip));
  }

  TempDir dir_;
  std::map<std::pair<int, std::string>, double> counters_;
};

}  // namespace enprof::testing
