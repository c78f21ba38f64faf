#include "experiment/analysis/repeat_commands.hpp"

#include "base/shell_quote.hpp"
#include "experiment/design.hpp"
#include "experiment/point_axes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <string_view>

namespace enprof {
namespace {

std::string flags_of(const PointBlock& block) {
  std::string flags = "-m " + shell_quote(fmt::format("{}", fmt::join(block.models, ",")));
  const PointBlock usual;
  for (const Axis& axis : axes()) {
    if (block.*axis.values == usual.*axis.values) {
      continue;
    }
    std::vector<std::string> values;
    for (const int value : block.*axis.values) {
      values.push_back(axis.text_of(value));
    }
    flags +=
        fmt::format(" {} {}", axis.flags.substr(0, axis.flags.find(',')), fmt::join(values, ","));
  }
  return flags;
}

/// Empty if flags cannot say it: several groups of points, names and exclusions come from a plan.
std::optional<std::string> bench_command(const std::string& text) {
  const auto design = design_from_json(text);
  if (!design || design->blocks.size() != 1 || !design->exclusions.empty()) {
    return std::nullopt;
  }
  const PointBlock& block = design->blocks.front();
  if (!block.name.empty() || !block.prompt_files.empty()) {
    return std::nullopt;
  }
  std::string command = fmt::format("enprof bench {} -r {}", flags_of(block), design->repeats);
  if (design->precision) {
    command += fmt::format(" --precision {:g}%", 100.0 * *design->precision);
  }
  if (design->quality) {
    command += " --quality " + shell_quote(design->quality->text);
    if (!design->quality->reference.empty()) {
      command += " --quality-reference " + shell_quote(design->quality->reference);
    }
  }
  return command + fmt::format(" --seed {}", design->seed);
}

}  // namespace

std::vector<std::string> repeat_commands(const std::string& experiment, const std::string& design) {
  std::vector<std::string> commands;
  const std::string again = shell_quote(experiment + "-again");
  const std::string name = shell_quote(experiment);
  if (const auto command = bench_command(design)) {
    commands.push_back(fmt::format("{} --experiment {}", *command, again));
  } else {
    commands.push_back(
        fmt::format("enprof bench PLAN --experiment {}  # with the plan that it was "
                    "made with",
                    again));
  }
  commands.push_back(fmt::format("enprof compare {} {}", name, again));
  commands.push_back(fmt::format("enprof report {}", name));
  return commands;
}

}  // namespace enprof
