// The settings of engines as options of a command.
#pragma once

#include "cli/command.hpp"
#include "engines/engine.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace enprof {

/// Offers what every engine of this program can be told. Which engine an order needs is known only
/// by its model, so all of them are offered, and each engine takes its own.
class EngineOptions {
 public:
  /// Adds the options to a command, in this group of its help.
  void declare(CLI::App& app, const std::string& group);
  /// What was chosen, and what is usual where nothing was.
  [[nodiscard]] EngineSettings values() const;

 private:
  struct Chosen {
    const EngineSetting* setting = nullptr;
    std::int64_t value = 0;
    bool is_given = false;  // a flag
  };
  std::vector<Chosen> chosen_;  // not changed after declare(): options refer to its elements
};

}  // namespace enprof
