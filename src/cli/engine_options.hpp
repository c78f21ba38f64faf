// The settings of engines as options of a command.
#pragma once

#include "cli/command.hpp"
#include "engines/engine.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace enprof {

/// Offers the settings of all engines. Only the model decides which engine a run uses, so all
/// settings are offered, and each engine reads its own.
class EngineOptions {
 public:
  /// Adds the options to a command, in this group of its help.
  void declare(CLI::App& app, const std::string& group);
  /// The chosen values, or the defaults.
  [[nodiscard]] EngineSettings values() const;

 private:
  struct Chosen {
    const EngineSetting* setting = nullptr;
    std::int64_t value = 0;
    bool is_given = false;  // a flag
  };
  std::vector<Chosen> chosen_;  // fixed after declare(): options refer to its elements
};

}  // namespace enprof
