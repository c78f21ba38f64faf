#include "experiment/analysis/repeat_commands.hpp"

#include "base/json_node.hpp"
#include "base/shell_quote.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>

namespace enprof {
namespace {

/// A list of numbers in a design, and its flag.
struct ListFlag {
  std::string_view key{};
  std::string_view flag{};
  int usual = 0;
};
constexpr std::array kLists{
    ListFlag{"prompt_tokens", "-p", 512}, ListFlag{"output_tokens", "-n", 128},
    ListFlag{"filled_tokens", "-d", 0},   ListFlag{"parallel", "-np", 1},
    ListFlag{"threads", "-t", 0},         ListFlag{"batch", "-b", 0},
    ListFlag{"batches", "-b", 0},         ListFlag{"micro_batch", "-ub", 0},
    ListFlag{"micro_batches", "-ub", 0},  ListFlag{"gpu_layers", "-ngl", -1}};

/// The flags of a group of points; empty if flags cannot say it.
std::optional<std::string> flags_of(const JsonNode& block) {
  std::set<std::string_view> known{"models", "repeats", "seed", "precision", "quality", "exclude"};
  const auto models = block.at("models").list([](const JsonNode& each) { return each.text(); });
  if (models.empty()) {
    return std::nullopt;
  }
  std::string flags = "-m " + shell_quote(fmt::format("{}", fmt::join(models, ",")));
  for (const ListFlag& list : kLists) {
    known.insert(list.key);
    const JsonNode node = block.at(list.key);
    if (node.absent()) {
      continue;
    }
    const auto values = node.list([](const JsonNode& each) { return each.whole<int>(); });
    if (values.size() != 1 || values.front() != list.usual) {
      flags += fmt::format(" {} {}", list.flag, fmt::join(values, ","));
    }
  }
  for (const auto& [key, value] : block.json().items()) {
    if (!known.contains(key)) {
      return std::nullopt;
    }
  }
  return flags;
}

/// Empty if flags cannot say it: several groups of points, or exclusions, come from a plan.
std::optional<std::string> bench_command(const std::string& design) {
  try {
    const nlohmann::json document = parse_document(design);
    const JsonNode node(document, "the design");
    const JsonNode blocks = node.at("blocks");
    if (blocks.size() > 1 || node.at("exclude").size() > 0) {
      return std::nullopt;
    }
    const auto flags = flags_of(blocks.size() == 1 ? blocks[0] : node);
    if (!flags) {
      return std::nullopt;
    }
    std::string command =
        fmt::format("enprof bench {} -r {}", *flags, node.at("repeats").whole<int>(1));
    if (!node.at("precision").absent()) {
      command += fmt::format(" --precision {:g}%", 100.0 * node.at("precision").number());
    }
    return command + fmt::format(" --seed {}", node.at("seed").whole<std::uint32_t>());
  } catch (const JsonError&) {
    return std::nullopt;  // what cannot be read cannot be repeated by its words
  }
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
